//! Bodies pass through piece by piece, and end with whoever reads or writes them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Gateway, soon};

/// What is sent into it comes out as it is asked for.
pub(crate) fn pieces(receiver: UnboundedReceiver<&'static str>) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(receiver, async |mut receiver| Some((Ok(receiver.recv().await?.into()), receiver)))
}

/// A server with one stream, which sends what it is handed.
pub(crate) fn one_stream() -> (UnboundedSender<&'static str>, CancellationToken, Router) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let gone = CancellationToken::new();
    let held = Arc::new(Mutex::new(Some((receiver, gone.clone().drop_guard()))));
    let router = Router::new().fallback(async move || {
        let (receiver, guard) = held.lock().unwrap().take().unwrap();
        ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(until_dropped(pieces(receiver), guard)))
    });
    (sender, gone, router)
}

/// The same stream, which holds the guard until it is dropped.
fn until_dropped<T>(stream: impl Stream<Item = T>, guard: DropGuard) -> impl Stream<Item = T> {
    stream.map(move |item| {
        let _held = &guard;
        item
    })
}

#[tokio::test]
async fn events_pass_one_by_one() {
    let (sender, _gone, router) = one_stream();
    let gateway = Gateway::before_streams(router).await;
    sender.send("event: ready\ndata: {}\n\n").unwrap();
    let mut answer = gateway.get("/api/admin/orders/stream").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), "event: ready\ndata: {}\n\n");
    for frame in [":\n\n", "event: order.created\ndata: {}\n\n"] {
        // Sent only now that the last has arrived.
        sender.send(frame).unwrap();
        assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), frame);
    }
    drop(sender);
    assert_eq!(soon(answer.chunk()).await.unwrap(), None);
}

#[tokio::test]
async fn a_request_passes_piece_by_piece_too() {
    async fn echo(request: Request) -> Response {
        Body::new(request.into_body()).into_response()
    }
    let gateway = Gateway::before_api(Router::new().fallback(echo)).await;
    let (sender, receiver) = mpsc::unbounded_channel();
    let request = gateway.client.post(gateway.url("/api/customer/orders"));
    let mut answer = soon(request.body(reqwest::Body::wrap_stream(pieces(receiver))).send()).await.unwrap();
    for piece in ["one", "two"] {
        sender.send(piece).unwrap();
        assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), piece);
    }
    drop(sender);
    assert_eq!(soon(answer.chunk()).await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_ends_when_its_reader_goes_away() {
    let (sender, gone, router) = one_stream();
    let gateway = Gateway::before_streams(router).await;
    sender.send(":\n\n").unwrap();
    let mut answer = gateway.get("/api/customer/orders/stream").await;
    soon(answer.chunk()).await.unwrap();
    assert!(!gone.is_cancelled());
    // Nothing is being sent: its end is seen all the same.
    drop(answer);
    soon(gone.cancelled()).await;
}

#[tokio::test]
async fn a_request_under_way_ends_when_its_client_goes_away() {
    let (begun, ended) = (CancellationToken::new(), CancellationToken::new());
    let (has_begun, has_ended) = (begun.clone(), ended.clone());
    let waiting = Router::new().fallback(async move || {
        let _guard = ended.clone().drop_guard();
        begun.cancel();
        std::future::pending::<()>().await;
    });
    let gateway = Gateway::before_api(waiting).await;
    let request = tokio::spawn(gateway.client.get(gateway.url("/api/customer/menus")).send());
    soon(has_begun.cancelled()).await;
    assert!(!has_ended.is_cancelled());
    request.abort();
    soon(has_ended.cancelled()).await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_not_taken_for_one_that_ends() {
    let lost = CancellationToken::new();
    let is_lost = lost.clone();
    let broken = Router::new().fallback(async move || {
        let first = stream::iter([Ok(":\n\n")]);
        let second = stream::once(async move {
            is_lost.cancelled().await;
            Err(std::io::Error::other("lost"))
        });
        Body::from_stream(first.chain(second)).into_response()
    });
    let gateway = Gateway::before_streams(broken).await;
    let mut answer = gateway.get("/api/admin/orders/stream").await;
    assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), ":\n\n");
    lost.cancel();
    soon(answer.chunk()).await.unwrap_err();
}
