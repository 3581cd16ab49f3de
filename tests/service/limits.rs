//! How many requests a caller may make.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;
use shared::testing::{Options, in_both_worlds};

use crate::{service, service_routes, service_with};

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

in_both_worlds! {
    async fn without_a_good_token_the_address_is_limited_and_headers_cannot_change_it(options: Options) {
        let app = service_with(options.set("RATE_LIMIT_PER_MINUTE", "3")).await;
        for forged in ["1.1.1.1", "2.2.2.2", "3.3.3.3"] {
            let ask = app.get("/api/admin/dashboard").header("x-forwarded-for", forged);
            let ask = ask.header("cloudfront-viewer-address", &format!("{forged}:1"));
            ask.send().await.expect_error(401, "TOKEN_MISSING");
        }

        let ask = app.get("/api/admin/dashboard").token("forged").header("x-forwarded-for", "4.4.4.4");
        ask.send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        app.get("/api/admin/dashboard").from("192.0.2.9").send().await.expect_error(401, "TOKEN_MISSING");
    }
}

#[tokio::test]
async fn processes_that_share_a_redis_count_together() {
    let app = service_with(Options::on_redis().await.set("RATE_LIMIT_PER_MINUTE", "3")).await;
    let another = app.another(service_routes);
    let store = app.store().await;
    for process in [&app, &another, &app] {
        process.get("/api/admin/dashboard").token(&store.admin.token).send().await.expect(200);
    }

    let ask = another.get("/api/admin/dashboard").token(&store.admin.token).header("x-forwarded-for", "4.4.4.4");
    ask.send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
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

/// Thirty logins wait for their turn at hashing; everybody else is answered meanwhile.
#[tokio::test]
async fn a_flood_of_logins_leaves_other_routes_alone() {
    let app = service().await;
    let store = app.store().await;
    let table = app.table(&store, "1").await;
    let mut turns = Vec::new();
    for _ in 0..std::thread::available_parallelism().unwrap().get().saturating_sub(1).max(1) {
        turns.push(app.app.passwords.turn().await.unwrap());
    }
    let flood = join_all((0..30).map(|i| {
        let body = json!({"store_id": store.id, "username": format!("nobody-{i}"), "password": "guess"});
        app.post("/api/admin/auth/login").from(&format!("198.51.100.{i}")).json(body).send()
    }));
    let others = async {
        for _ in 0..20 {
            app.get("/api/customer/menus").token(&table.token).send().await.expect(200);
            app.get("/api/admin/dashboard").token(&store.admin.token).send().await.expect(200);
        }
        drop(turns);
    };

    let (logins, ()) = tokio::join!(flood, others);

    for login in logins {
        login.expect_error(401, "INVALID_CREDENTIALS");
    }
}
