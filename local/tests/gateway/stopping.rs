//! An end without a loss: streams are cut, requests are answered.

use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::streaming::one_stream;
use crate::{Gateway, options, port, serve, soon};

#[tokio::test]
async fn streams_end_at_once_and_requests_under_way_are_answered() {
    let (sender, gone, streams) = one_stream();
    let (begun, go_on) = (CancellationToken::new(), CancellationToken::new());
    let (has_begun, may_go_on) = (begun.clone(), go_on.clone());
    let api = Router::new().fallback(async move || {
        begun.cancel();
        may_go_on.cancelled().await;
        "placed"
    });
    let (api, streams) = (serve(api).await, serve(streams).await);
    let gateway = Gateway::before(Some(&api), Some(&streams), None, options()).await;
    sender.send(":\n\n").unwrap();
    let mut stream = gateway.get("/api/admin/orders/stream").await;
    soon(stream.chunk()).await.unwrap();
    let request = tokio::spawn(gateway.client.post(gateway.url("/api/customer/orders")).send());
    soon(has_begun.cancelled()).await;

    gateway.stopped.cancel();
    // An orderly end: the client comes back by itself.
    assert_eq!(soon(stream.chunk()).await.unwrap(), None);
    soon(gone.cancelled()).await;
    go_on.cancel();
    assert_eq!(soon(request).await.unwrap().unwrap().text().await.unwrap(), "placed");
    soon(gateway.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_secret_that_no_header_can_carry_is_refused_at_the_start() {
    let (listener, _) = port().await;
    let upstream: local::gateway::Upstream = "http://127.0.0.1:1".parse().unwrap();
    let upstreams = local::gateway::Upstreams { api: upstream.clone(), stream: upstream, pictures: None };
    let options = crate::Options { origin_secret: Some("two\nlines".to_owned().into()), ..options() };
    soon(local::gateway::serve(listener, upstreams, options, CancellationToken::new())).await.unwrap_err();
}
