//! How a stream's frames reach its client: as an answer's body, and over a real connection past the HTTP server.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use futures_util::Stream;
use futures_util::stream::unfold;
use shared::http::connection::{self, gone, write_chunk, write_end};
use tokio::net::TcpStream;

use crate::connection::Connection;

/// The body of the answer that opens a stream.
///
/// With the client's connection, it is only the stream's beginning: a task of the stream's own writes the rest.
pub(crate) fn body(stream: Connection, client: Option<connection::Connection>) -> Body {
    match client {
        Some(client) => Body::from_stream(Beginning { stream: Some(stream), client }),
        None => Body::from_stream(unfold(stream, |mut stream| async move {
            let frame = stream.next().await?;
            Some((Ok::<_, Infallible>(frame), stream))
        })),
    }
}

/// What is sent before anything live. The HTTP server then keeps nothing of a stream, which lasts for hours.
struct Beginning {
    /// Gone once it goes on without the server.
    stream: Option<Connection>,
    client: connection::Connection,
}

impl Stream for Beginning {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        if let Some(frame) = stream.next_waiting() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let client = ready!(self.client.poll_take(context));
        if let (Some(client), Some(stream)) = (client, self.stream.take()) {
            tokio::spawn(go_on(stream, client));
        }
        Poll::Ready(None)
    }
}

/// Write a stream to its end, or until its client has gone.
async fn go_on(mut stream: Connection, client: TcpStream) {
    let writing = async {
        while let Some(frame) = stream.next().await {
            write_chunk(&client, &frame).await?;
        }
        write_end(&client).await
    };
    tokio::select! {
        biased;
        // A connection that can no longer be written to is as good as closed.
        _ = writing => {}
        () = gone(&client) => {}
    }
}
