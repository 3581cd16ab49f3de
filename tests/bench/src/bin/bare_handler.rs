//! The floor of an answer: an axum handler that gives the bytes of a file and does nothing else.
//!
//! `bare-handler FILE…` serves the first file at `/0`, the second at `/1`, and so on, on a free port, which it prints. The
//! runtime, the router and the sockets are set up as the service's are.

use std::io::{Error, Write};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

fn main() -> Result<(), Error> {
    tokio::runtime::Runtime::new()?.block_on(serve())
}

async fn serve() -> Result<(), Error> {
    let mut router = Router::new();
    for (number, file) in std::env::args_os().skip(1).enumerate() {
        let body = Bytes::from(std::fs::read(file)?);
        let handler = async move || ([(CONTENT_TYPE, "application/json")], body);
        router = router.route(&format!("/{number}"), get(handler));
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}
