//! The relay, between a database and a broker of its own for each test.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod confirm;
mod drain;
mod schedule;

use std::collections::HashMap;

use relay::Handler;
use serde_json::{Value, json};
use shared::config::Config;
use shared::domain::MenuId;
use shared::domain::event::{Event, MenuChanged};
use shared::testing::{TestApp, TestRabbitMq, TestStore};

/// How long a test waits for what must come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// What every test is given.
struct Given {
    app: TestApp,
    store: TestStore,
    rabbitmq: TestRabbitMq,
    relay: Handler,
}

async fn given() -> Given {
    let app = TestApp::start(orders::router().merge(tables::router())).await;
    let (store, rabbitmq) = (app.store().await, TestRabbitMq::create().await);
    let relay = relay_between(&app, rabbitmq.url());
    Given { app, store, rabbitmq, relay }
}

fn relay_between(app: &TestApp, rabbitmq_url: &str) -> Handler {
    let variables = [("DATABASE_URL", app.database_url()), ("RABBITMQ_URL", rabbitmq_url.to_owned())];
    let variables: HashMap<_, _> = variables.map(|(name, value)| (name.to_owned(), value)).into();
    Handler::new(&Config::read(&variables).unwrap()).unwrap()
}

/// What SQS sends when it was told of a new event.
fn nudge() -> Value {
    json!({"Records": [{"messageId": "1", "body": "nudge", "eventSource": "aws:sqs"}]})
}

/// What the schedule sends every minute.
fn schedule() -> Value {
    json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}})
}

/// Record that a menu is gone: an event of the least effort.
async fn record_in(app: &TestApp, store: &TestStore, menu_id: i64) {
    let mut connection = app.db().acquire().await.unwrap();
    let event = Event::MenuChanged(MenuChanged::deleted(MenuId::new(menu_id).unwrap()));
    shared::db::outbox::record(&mut connection, store.id, event, app.clock.now()).await.unwrap();
}

/// Events that wait to be published.
async fn waiting_in(app: &TestApp) -> i64 {
    let sql = "select count(*) from outbox where published_at is null";
    sqlx::query_scalar(sql).fetch_one(app.db()).await.unwrap()
}

impl Given {
    /// Record that a menu is gone.
    async fn record(&self, menu_id: i64) {
        record_in(&self.app, &self.store, menu_id).await;
    }

    /// Let the relay declare everything and keep its connection.
    async fn keep_a_connection(&self) {
        self.record(1).await;
        self.relay.handle(&nudge()).await.unwrap();
        assert_eq!(self.menus().await, [1]);
    }

    /// Events that wait to be published.
    async fn waiting(&self) -> i64 {
        waiting_in(&self.app).await
    }

    /// The menus that the events in their queue tell of, in order. The queue is empty afterwards.
    async fn menus(&self) -> Vec<i64> {
        let deliveries = self.rabbitmq.take("menu-changed-queue").await;
        let payloads = deliveries.iter().map(|delivery| serde_json::from_slice::<Value>(&delivery.data).unwrap());
        let mut menus: Vec<_> = payloads.map(|payload| payload["menu_id"].as_i64().unwrap()).collect();
        menus.sort_unstable();
        menus
    }
}
