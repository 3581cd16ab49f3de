//! How many requests a caller may make.

use chrono::TimeDelta;
use shared::testing::Options;

use crate::service_with;

fn limited_to(most: &str) -> Options {
    Options::default().set("RATE_LIMIT_PER_MINUTE", most)
}

#[tokio::test]
async fn a_caller_is_limited_by_its_token_wherever_it_is() {
    let app = service_with(limited_to("3")).await;
    let store = app.store().await;
    let other = app.store().await;
    let ask = |token: &str, address: &str| app.get("/api/admin/dashboard").token(token).from(address).send();

    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        ask(&store.admin.token, address).await.expect(200);
    }
    let limited = ask(&store.admin.token, "192.0.2.4").await;
    assert_eq!(limited.header("retry-after"), Some("60"));
    limited.expect_error(429, "RATE_LIMIT_EXCEEDED");
    ask(&other.admin.token, "192.0.2.1").await.expect(200);

    app.clock.advance(TimeDelta::milliseconds(59_001));
    assert_eq!(ask(&store.admin.token, "192.0.2.4").await.header("retry-after"), Some("1"));
    app.clock.advance(TimeDelta::milliseconds(999));
    ask(&store.admin.token, "192.0.2.4").await.expect(200);
}

#[tokio::test]
async fn without_a_good_token_the_address_is_limited_and_headers_cannot_change_it() {
    let app = service_with(limited_to("3")).await;
    for forged in ["1.1.1.1", "2.2.2.2", "3.3.3.3"] {
        let ask = app.get("/api/admin/dashboard").header("x-forwarded-for", forged);
        ask.header("cloudfront-viewer-address", &format!("{forged}:1")).send().await.expect_error(401, "TOKEN_MISSING");
    }

    let ask = app.get("/api/admin/dashboard").token("forged").header("x-forwarded-for", "4.4.4.4");
    ask.send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    app.get("/api/admin/dashboard").from("192.0.2.9").send().await.expect_error(401, "TOKEN_MISSING");
}

#[tokio::test]
async fn behind_cloudfront_the_viewer_is_limited() {
    let app = service_with(limited_to("1").set("ORIGIN_SECRET", "from-cloudfront")).await;
    let ask = |viewer: &str| {
        let ask = app.get("/api/admin/dashboard").header("x-origin-secret", "from-cloudfront");
        ask.header("cloudfront-viewer-address", &format!("{viewer}:40000")).send()
    };
    ask("198.51.100.1").await.expect_error(401, "TOKEN_MISSING");

    ask("198.51.100.1").await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    ask("198.51.100.2").await.expect_error(401, "TOKEN_MISSING");
}

#[tokio::test]
async fn health_is_never_limited() {
    let app = service_with(limited_to("1")).await;
    for _ in 0..5 {
        app.get("/health/live").send().await.expect(200);
        app.get("/health").send().await.expect(200);
    }
}

#[tokio::test]
async fn refused_requests_do_not_count() {
    let app = service_with(limited_to("1")).await;
    let store = app.store().await;
    let ask = || app.get("/api/admin/dashboard").token(&store.admin.token).send();
    ask().await.expect(200);
    for _ in 0..30 {
        ask().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        app.clock.advance(TimeDelta::seconds(1));
    }
    app.clock.advance(TimeDelta::seconds(30));
    ask().await.expect(200);
}
