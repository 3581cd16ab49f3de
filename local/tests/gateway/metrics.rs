//! What the gateway counts: as the service itself would, what was asked of the functions.

use axum::Router;
use axum::http::StatusCode;
use local::gateway::METRICS;
use shared::aws::Queue;
use shared::telemetry::metrics::{Metrics, recorder_of};
use shared::testing::TestQueue;

use crate::{Gateway, Options, options, serve};

#[tokio::test]
async fn what_the_functions_answer_is_counted_by_route() {
    let recorder = recorder_of(|name| METRICS.contains(&name));
    // The gateway runs on the test's own thread.
    let _kept = metrics::set_default_local_recorder(&recorder);
    let api = Router::new()
        .route("/api/admin/orders/{id}", axum::routing::get(async || "an order"))
        .route("/api/admin/dashboard", axum::routing::get(async || StatusCode::INTERNAL_SERVER_ERROR));
    let (api, stream) = (serve(api).await, serve(Router::new().fallback(async || ":\n\n")).await);
    let counted = Options { metrics: Metrics::of(&recorder), ..options() };
    let gateway = Gateway::before(Some(&api), Some(&stream), None, counted).await;

    for path in ["/api/admin/orders/987654321", "/api/admin/orders/987654322", "/api/admin/dashboard", "/nowhere"] {
        gateway.get(path).await;
    }
    for path in ["/api/admin/orders/stream", "/images/1.jpg", "/demo", "/metrics"] {
        gateway.get(path).await;
    }

    let answer = gateway.get("/metrics").await;
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    let mut requests: Vec<_> = text.lines().filter(|line| line.starts_with("http_requests_total{")).collect();
    requests.sort_unstable();
    let expected = [
        r#"http_requests_total{method="GET",endpoint="/api/admin/dashboard",status="500"} 1"#,
        r#"http_requests_total{method="GET",endpoint="/api/admin/orders/{id}",status="200"} 2"#,
        r#"http_requests_total{method="GET",endpoint="unmatched",status="404"} 1"#,
    ];
    assert_eq!(requests, expected, "{text}");
    let timed = r#"http_request_duration_seconds_count{method="GET",endpoint="/api/admin/orders/{id}"} 2"#;
    assert!(text.contains(timed) && text.contains("http_errors_total 1\n"), "{text}");
    assert!(text.contains("process_resident_memory_bytes "), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        assert!(METRICS.iter().any(|name| line.starts_with(name)), "{line} is not its own");
    }
}

#[tokio::test]
async fn an_answer_of_its_own_is_counted_like_any_other() {
    let recorder = recorder_of(|name| METRICS.contains(&name));
    let _kept = metrics::set_default_local_recorder(&recorder);
    let counted = Options { metrics: Metrics::of(&recorder), ..options() };
    let gateway = Gateway::before(None, None, None, counted).await;
    gateway.get("/api/customer/menus").await;
    let text = gateway.get("/metrics").await.text().await.unwrap();
    let series = r#"http_requests_total{method="GET",endpoint="/api/customer/menus",status="503"} 1"#;
    assert!(text.contains(series) && text.contains("http_errors_total 1\n"), "{text}");
}

#[tokio::test]
async fn what_was_laid_aside_in_sqs_is_counted_also_while_somebody_looks_at_it() {
    let recorder = recorder_of(|name| METRICS.contains(&name));
    let _kept = metrics::set_default_local_recorder(&recorder);
    let (parked, dead, missing) = (TestQueue::create().await, TestQueue::create().await, TestQueue::not_there_yet());
    for message in ["cannot be read", "nor this"] {
        parked.send(message).await;
    }
    let laid_aside: Vec<_> = [&parked, &dead, &missing].map(|queue| Queue::new(queue.url().to_owned())).into();
    laid_aside[0].client().await.receive_message().queue_url(parked.url()).send().await.unwrap();
    let gateway =
        Gateway::before(None, None, None, Options { metrics: Metrics::of(&recorder), laid_aside, ..options() }).await;

    let text = gateway.get("/metrics").await.text().await.unwrap();

    let name = |queue: &TestQueue| queue.url().rsplit('/').next().unwrap().to_owned();
    for (queue, messages) in [(&parked, 2), (&dead, 0)] {
        let series = format!("laid_aside_messages{{queue=\"{}\"}} {messages}\n", name(queue));
        assert!(text.contains(&series), "{series} is not in {text}");
    }
    assert!(!text.contains(&name(&missing)), "of a queue that is not there nothing is known: {text}");
}
