//! A long-lived HTTP server, for processes that are not Lambda functions.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::net::TcpListener;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::address::Peer;
use super::connection::{Served, WRITE_TIMEOUT};

/// A listener whose connections do not wait for ever for a client that has stopped reading.
#[derive(Debug)]
pub struct Sockets(TcpListener);

impl Listener for Sockets {
    type Io = Pin<Box<TimeoutStream<Served>>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Small answers and events must not wait to be joined by more. Without it they are only slower.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(Served::new(stream));
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        (Box::pin(stream), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Serve until `stopped`; then take no more connections, and give requests under way `patience` to end.
pub async fn serve(
    listener: TcpListener,
    service: Router,
    stopped: CancellationToken,
    patience: Duration,
) -> io::Result<()> {
    let make = service.into_make_service_with_connect_info::<Peer>();
    let serving = axum::serve(Sockets(listener), make).with_graceful_shutdown(stopped.clone().cancelled_owned());
    let out_of_patience = async {
        stopped.cancelled().await;
        tokio::time::sleep(patience).await;
    };
    tokio::select! {
        served = serving => served,
        () = out_of_patience => {
            tracing::warn!("requests under way were cut off");
            Ok(())
        }
    }
}
