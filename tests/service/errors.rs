//! Errors as every client sees them.

use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;
use shared::db::broker_contact;
use shared::events::bus::Bus;
use shared::testing::{Options, TestRedis};

use crate::{service, service_with};

#[tokio::test]
async fn errors_have_one_form_in_korean_or_english() {
    let app = service().await;

    let korean = app.get("/api/admin/dashboard").send().await;
    assert_eq!(korean.header("content-type"), Some("application/json"));
    assert_eq!(korean.header("www-authenticate"), Some("Bearer"));
    assert_eq!(korean.expect(401), json!({"error": {"code": "TOKEN_MISSING", "message": "로그인이 필요합니다."}}));
    let english = app.get("/api/admin/dashboard").header("accept-language", "en").send().await.expect(401);
    assert_eq!(english, json!({"error": {"code": "TOKEN_MISSING", "message": "Log in first."}}));
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own() {
    let app = service().await;
    let mut ids = std::collections::HashSet::new();
    for path in ["/health/live", "/nowhere", "/api/admin/dashboard", "/.well-known/jwks.json"] {
        let answer = app.get(path).header("x-request-id", "chosen-by-the-client").send().await;
        ids.insert(answer.header("x-request-id").unwrap().to_owned());
    }
    assert_eq!(ids.len(), 4);
    assert!(!ids.contains("chosen-by-the-client"));
}

#[tokio::test]
async fn without_the_database_the_answer_is_503_and_says_nothing_of_it() {
    let app = service_with(Options::default().set("LOG_LEVEL", "error")).await;
    let store = app.store().await;
    assert_eq!(
        app.get("/health").send().await.expect(200),
        json!({"status": "ok", "checks": {"database": "ok", "redis": "in_process", "rabbitmq": "in_process"}})
    );
    app.cut_off_database().await;
    app.clock.advance(chrono::TimeDelta::seconds(5));

    let answer = app.get("/api/admin/dashboard").token(&store.admin.token).send().await;
    assert!(!answer.body.contains("postgres") && !answer.body.contains("127.0.0.1"), "{}", answer.body);
    answer.expect_error(503, "SERVICE_UNAVAILABLE");
    let health = app.get("/health").send().await.expect(503);
    assert_eq!(health["status"], "degraded");
    assert_ne!(health["checks"]["database"], "ok");
    assert!(!health.to_string().contains("127.0.0.1"), "{health}");
    app.get("/health/live").send().await.expect(200);

    app.restore_database().await;
    app.get("/api/admin/dashboard").token(&store.admin.token).send().await.expect(200);
    app.clock.advance(chrono::TimeDelta::seconds(5));
    app.get("/health").send().await.expect(200);
}

/// A function opens no connection to the broker for whoever asks: it tells of the relay's last contact.
#[tokio::test]
async fn health_tells_when_the_relay_last_reached_the_broker() {
    let app = service_with(Options { bus: Bus::Off, ..Options::default() }).await;
    let health = async |status, says: &str| {
        let health = app.get("/health").send().await.expect(status);
        assert_eq!(health["checks"]["rabbitmq"], says);
        app.clock.advance(TimeDelta::seconds(5));
    };
    health(503, "never reached").await;
    let reached_at = app.clock.now();
    broker_contact::record(app.db(), reached_at).await.unwrap();
    health(200, "ok").await;
    app.clock.advance(TimeDelta::seconds(150) - (app.clock.now() - reached_at) - TimeDelta::milliseconds(1));
    health(200, "ok").await;
    health(503, "not reached for 150 s").await;
    broker_contact::record(app.db(), app.clock.now()).await.unwrap();
    health(200, "ok").await;
}

#[tokio::test]
async fn health_tells_of_redis() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("health-tells-of-redis");
    let mut server = private_services::redis::Server::start(&folder).await.unwrap();
    let redis = Some(Arc::new(TestRedis::at(&server.url())));
    let app = service_with(Options { redis, ..Options::default() }).await;
    let health = async |status, says: &str| {
        let health = app.get("/health").send().await.expect(status);
        assert_eq!(health["checks"], json!({"database": "ok", "redis": says, "rabbitmq": "in_process"}));
        app.clock.advance(chrono::TimeDelta::seconds(5));
    };
    health(200, "ok").await;

    server.pause().unwrap();
    health(503, "no answer within 1 s").await;
    server.resume().unwrap();
    health(200, "ok").await;

    server.kill().unwrap();
    health(503, "unreachable").await;
    app.get("/health/live").send().await.expect(200);
    server.stop().unwrap();
}

#[tokio::test]
async fn health_is_asked_of_the_database_every_5_seconds_at_most() {
    let app = service_with(Options::default().set("LOG_LEVEL", "error")).await;
    app.get("/health").send().await.expect(200);
    app.cut_off_database().await;

    app.clock.advance(chrono::TimeDelta::milliseconds(4_999));
    app.get("/health").send().await.expect(200);
    app.clock.advance(chrono::TimeDelta::milliseconds(1));
    app.get("/health").send().await.expect(503);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_service_goes_on() {
    async fn panics() {
        panic!("a secret of the code")
    }
    let routes = shared::http::Routes::default().route("/panics", axum::routing::get(panics)).merge(system::router());
    let app = shared::testing::TestApp::start(routes).await;

    let answer = app.get("/panics").send().await;
    assert!(!answer.body.contains("secret"), "{}", answer.body);
    answer.expect_error(500, "INTERNAL_ERROR");
    app.get("/health/live").send().await.expect(200);
}

/// Time is paused: it jumps to the next timer as soon as everybody waits.
#[tokio::test]
async fn what_takes_too_long_is_answered_504_after_5_seconds_or_10_for_a_change() {
    let never = axum::routing::get(std::future::pending::<()>).post(std::future::pending::<()>);
    let app = shared::testing::TestApp::start(shared::http::Routes::default().route("/never", never)).await;
    tokio::time::pause();
    for (request, seconds) in [(app.get("/never"), 5), (app.post("/never"), 10)] {
        let begun = tokio::time::Instant::now();
        request.send().await.expect_error(504, "TIMEOUT");
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
}
