//! Cross-origin requests: the configured origins, without credentials.

use axum::http::Method;
use shared::testing::Options;

use crate::{service, service_with};

#[tokio::test]
async fn a_configured_origin_may_ask_before_it_asks() {
    let app = service().await;

    let answer = app
        .request(Method::OPTIONS, "/api/customer/orders")
        .header("origin", "http://localhost:3000")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, idempotency-key")
        .send()
        .await;

    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("access-control-max-age"), Some("3600"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET,POST,PATCH,PUT,DELETE"));
    let allowed = answer.header("access-control-allow-headers").unwrap();
    for header in ["authorization", "content-type", "idempotency-key", "accept-language", "last-event-id"] {
        assert!(allowed.contains(header), "{allowed}");
    }
}

#[tokio::test]
async fn another_origin_is_told_nothing() {
    let app = service().await;

    let answer = app.get("/health/live").header("origin", "http://localhost:3002").send().await;

    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn caches_keep_answers_apart_by_origin() {
    let app = service().await;

    for (path, others) in [("/health/live", vec![]), ("/docs", vec!["accept-encoding"]), ("/nowhere", vec![])] {
        let same_site = app.get(path).send().await;
        let vary: Vec<_> = same_site.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(vary, [others.clone(), vec!["origin"]].concat(), "{path}");
        assert_eq!(same_site.header("access-control-expose-headers"), None);

        let other_site = app.get(path).header("origin", "http://localhost:3000").send().await;
        let vary: Vec<_> = other_site.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(vary.concat().contains("origin"), "{path}: {vary:?}");
        assert!(others.iter().all(|other| vary.contains(other)), "{path}: {vary:?}");
    }
}

#[tokio::test]
async fn errors_can_be_read_across_origins_too() {
    let app = service_with(Options::default().set("RATE_LIMIT_PER_MINUTE", "1")).await;
    let ask = || app.get("/api/admin/dashboard").header("origin", "http://localhost:3001").send();

    let refused = ask().await;
    assert_eq!(refused.header("access-control-allow-origin"), Some("http://localhost:3001"));
    refused.expect_error(401, "TOKEN_MISSING");
    let limited = ask().await;
    assert_eq!(limited.header("access-control-allow-origin"), Some("http://localhost:3001"));
    let exposed = limited.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}");
    limited.expect_error(429, "RATE_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn asking_before_asking_does_not_count_as_a_request() {
    let app = service_with(Options::default().set("RATE_LIMIT_PER_MINUTE", "1")).await;
    for _ in 0..5 {
        let ask = app.request(Method::OPTIONS, "/api/customer/orders").header("origin", "http://localhost:3000");
        let answer = ask.header("access-control-request-method", "POST").send().await;
        assert_eq!(answer.status.as_u16(), 200);
    }
}
