//! Logs: every line names its request, and no line holds a secret.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::json;
use shared::telemetry::logs::{self, JsonLines};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::layer::SubscriberExt;

use crate::service;

/// What has been logged.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Writes what is logged from `level` up as it is written in production.
    pub(crate) fn subscriber(&self, level: tracing::Level) -> impl tracing::Subscriber + Send + Sync + 'static {
        // While there is only one, `tracing` asks none about a place in the code that another thread comes to first, and
        // leaves that place silent from then on. A second one, for good.
        static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));
        LazyLock::force(&SECOND);
        let writer = self.clone();
        tracing_subscriber::registry().with(logs::filter(level)).with(JsonLines::new(move || writer.clone()))
    }

    /// All of it so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn a_log_of_warnings_alone_names_the_request_too() {
    let app = service().await;
    let store = app.store().await;
    let lines = Lines::default();
    app.cut_off_database().await;

    let ask = app.get("/api/admin/dashboard").token(&store.admin.token).send();
    let answer = ask.with_subscriber(lines.subscriber(tracing::Level::WARN)).await;

    let text = lines.text();
    let line: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["request_id"], answer.header("x-request-id").unwrap());
}

#[tokio::test]
async fn every_line_of_a_request_names_it_and_none_holds_a_secret() {
    let app = service().await;
    let store = app.store().await;
    let lines = Lines::default();
    let subscriber = lines.subscriber(tracing::Level::TRACE);

    let (request_ids, secrets) = async {
        let login = |password: &str| {
            let body = json!({"store_id": store.id, "username": store.admin.username, "password": password});
            app.post("/api/admin/auth/login").json(body).send()
        };
        let right = login(shared::testing::PASSWORD).await;
        let wrong = login("wrong-guess").await;
        let broken = app.post("/api/admin/auth/login").json(json!({"password": "in-a-broken-body"})).send().await;
        let ids: Vec<_> =
            [&right, &wrong, &broken].map(|answer| answer.header("x-request-id").unwrap().to_owned()).into();
        let token = right.expect(200)["access_token"].as_str().unwrap().to_owned();
        let ticket = app.post("/api/admin/auth/stream-ticket").token(&token).send().await.expect(201);
        let ticket = ticket["ticket"].as_str().unwrap().to_owned();
        drop(app.get(format!("/api/admin/orders/stream?ticket={ticket}")).open().await);
        let change = json!({"current_password": shared::testing::PASSWORD, "new_password": "brand-new-secret"});
        app.post("/api/admin/auth/change-password").token(&token).json(change).send().await.expect(200);
        app.cut_off_database().await;
        app.get("/api/admin/dashboard").token(&store.admin.token).send().await;
        let mut secrets =
            vec![token, ticket, "wrong-guess".into(), "brand-new-secret".into(), "in-a-broken-body".into()];
        secrets.extend([shared::testing::PASSWORD.to_owned(), "$2b$".to_owned(), "postgres://".to_owned()]);
        (ids, secrets)
    }
    .with_subscriber(subscriber)
    .await;

    let text = lines.text();
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} was logged");
    }
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 6, "{text}");
    for (line, text) in lines.iter().zip(text.lines()) {
        // Or a name would stand there twice.
        assert_eq!(line.to_string(), text);
        assert!(line["request_id"].is_string(), "{line}");
        for field in ["timestamp", "level", "message", "module"] {
            assert!(line[field].is_string(), "{line}");
        }
        assert!(line["line"].is_number(), "{line}");
    }
    for id in request_ids {
        assert!(lines.iter().any(|line| line["request_id"] == id.as_str() && line["message"] == "answered"));
    }
    let user = format!("store_admin:{}", store.admin.id);
    let by_user =
        |line: &&serde_json::Value| line["user_id"] == user.as_str() && line["store.id"] == store.id.to_string();
    let paths: Vec<_> = lines.iter().filter(by_user).filter_map(|line| line["http.path"].as_str()).collect();
    for path in ["/api/admin/orders/stream", "/api/admin/dashboard"] {
        assert!(paths.contains(&path), "{text}");
    }
    assert!(lines.iter().any(|line| line["exception"].is_string()), "the cut-off database is explained");
}
