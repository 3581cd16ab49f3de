//! What the gateway answers itself.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use futures_util::StreamExt;
use futures_util::stream;
use local::gateway::LARGEST_BODY;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Gateway, Options, assert_error, options, port, serve, soon};

/// Reads what it is sent.
fn reader() -> Router {
    Router::new().fallback(async |request: Request| {
        let mut body = request.into_body().into_data_stream();
        let mut length = 0;
        while let Some(Ok(piece)) = body.next().await {
            length += piece.len();
        }
        length.to_string().into_response()
    })
}

#[tokio::test]
async fn who_is_not_there_is_unavailable() {
    let gateway = Gateway::before(None, None, Some("http://127.0.0.1:1"), options()).await;
    for path in ["/api/customer/menus", "/api/admin/orders/stream", "/images/1.jpg", "/nowhere"] {
        assert_error(gateway.get(path).await, 503, "SERVICE_UNAVAILABLE").await;
    }
    let english = gateway.client.get(gateway.url("/api/customer/menus")).header("accept-language", "en");
    let english = soon(english.send()).await.unwrap().text().await.unwrap();
    assert!(english.contains("The service is unavailable for the moment."), "{english}");
}

#[tokio::test]
async fn who_hangs_up_without_an_answer_is_unavailable() {
    let (listener, url) = port().await;
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let gateway = Gateway::before(Some(&url), None, None, options()).await;
    assert_error(gateway.get("/api/customer/menus").await, 503, "SERVICE_UNAVAILABLE").await;
}

#[tokio::test]
async fn who_takes_too_long_is_not_waited_for() {
    let silent = serve(Router::new().fallback(std::future::pending::<()>)).await;
    let timeout = Duration::from_millis(50);
    let gateway = Gateway::before(Some(&silent), Some(&silent), None, Options { timeout, ..options() }).await;
    for path in ["/api/customer/menus", "/api/admin/orders/stream"] {
        assert_error(gateway.get(path).await, 504, "TIMEOUT").await;
    }
}

#[tokio::test]
async fn a_body_may_have_ten_megabytes() {
    let gateway = Gateway::before_api(reader()).await;
    let send = async |body: reqwest::Body| {
        let request = gateway.client.post(gateway.url("/api/customer/orders")).body(body);
        soon(request.send()).await
    };
    let largest = send(vec![0; LARGEST_BODY].into()).await.unwrap();
    assert_eq!(largest.text().await.unwrap(), LARGEST_BODY.to_string());
    // The rest is not read, so that the client may find its connection closed before the answer.
    if let Ok(answer) = send(vec![0; LARGEST_BODY + 1].into()).await {
        assert_error(answer, 413, "PAYLOAD_TOO_LARGE").await;
    }
    // Whoever does not say how much there is: found out on the way.
    let pieces = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(vec![0u8; 1 << 20])).take(11);
    if let Ok(answer) = send(reqwest::Body::wrap_stream(pieces)).await {
        assert_error(answer, 413, "PAYLOAD_TOO_LARGE").await;
    }
}

#[tokio::test]
async fn a_server_that_was_started_again_is_found_again() {
    let (listener, url) = port().await;
    let address = listener.local_addr().unwrap();
    let gateway = Gateway::before(Some(&url), None, None, options()).await;
    let run = |listener: TcpListener| {
        let stopped = CancellationToken::new();
        let served = axum::serve(listener, reader()).with_graceful_shutdown(stopped.clone().cancelled_owned());
        (stopped, tokio::spawn(async move { served.await }))
    };
    let (stopped, serving) = run(listener);
    assert_eq!(gateway.get("/api/customer/menus").await.status(), 200);
    stopped.cancel();
    soon(serving).await.unwrap().unwrap();
    assert_error(gateway.get("/api/customer/menus").await, 503, "SERVICE_UNAVAILABLE").await;

    run(TcpListener::bind(address).await.unwrap());
    assert_eq!(gateway.get("/api/customer/menus").await.status(), 200);
}
