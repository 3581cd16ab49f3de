//! The way from the outbox to the feed: every event, once, in order, and what has served its time goes.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::db::{self, housekeeping};
use shared::domain::MenuId;
use shared::domain::event::{Event, MenuChanged};
use shared::events::publisher::Publisher;
use shared::events::relay::Relay;
use tokio::sync::Notify;

use crate::{Frame, GUARD, Given, given, ids, once_back, positions};

impl Given {
    /// Record an event that can be told from others by its number.
    async fn record(&self, number: usize) {
        let menu_id = MenuId::new(number.try_into().unwrap()).unwrap();
        let mut connection = self.app.db().acquire().await.unwrap();
        let event = Event::MenuChanged(MenuChanged::deleted(menu_id));
        db::outbox::record(&mut connection, self.store.id, event, self.app.clock.now()).await.unwrap();
    }

    /// Record what nobody can read.
    async fn record_garbage(&self, payload: &str) {
        sqlx::query(
            "insert into outbox (id, store_id, event_type, payload, created_at, next_attempt_at)
             values (gen_random_uuid(), $1, 'Garbage', $2, $3, $3)",
        )
        .bind(self.store.id)
        .bind(payload)
        .bind(self.app.clock.now())
        .execute(self.app.db())
        .await
        .unwrap();
    }

    /// How often the garbage was tried, and for how many seconds it is put off now.
    async fn garbage(&self) -> Vec<(i32, i64)> {
        sqlx::query_as(
            "select attempts, extract(epoch from next_attempt_at - $1)::bigint
             from outbox
             where event_type = 'Garbage' and published_at is null
             order by sequence",
        )
        .bind(self.app.clock.now())
        .fetch_all(self.app.db())
        .await
        .unwrap()
    }

    /// Everything in the feed.
    async fn feed(&self) -> Vec<Frame> {
        let feed = self.app.feed.subscribe(self.store.id, Some("test-0"), self.app.clock.now()).await;
        let entries = feed.unwrap().missed.unwrap();
        entries.iter().map(|entry| Frame(String::from_utf8(entry.frame.to_vec()).unwrap())).collect()
    }

    /// A relay like the app's own.
    fn relay(&self) -> Relay {
        Relay {
            db: self.app.db().clone(),
            publisher: Publisher::Local { feed: self.app.feed.clone(), cache: self.app.app.cache.clone() },
            clock: self.app.app.clock.clone(),
        }
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.app.db()).await.unwrap()
    }
}

#[tokio::test]
async fn events_go_out_once_in_the_order_they_happened() {
    let given = given().await;
    let order = given.order().await;
    given.change_status(&order, "preparing").await;
    let second = given.order().await;
    given.delete(&order, "").await;
    given.close(&given.table).await;

    assert_eq!(given.app.drain().await, 5);
    assert_eq!(given.app.drain().await, 0);

    let frames = given.feed().await;
    let names: Vec<_> = frames.iter().map(|frame| frame.event().unwrap()).collect();
    assert_eq!(names, ["order.created", "order.status_changed", "order.created", "order.deleted", "session.completed"]);
    assert_eq!(frames[2].data()["order"], second);
    assert_eq!(unpublished(&given).await, 0);
    let published: Vec<Value> = sqlx::query_scalar("select distinct to_jsonb(published_at) from outbox")
        .fetch_all(given.app.db())
        .await
        .unwrap();
    assert_eq!(published, [json!("2026-02-09T03:00:00+00:00")]);
}

#[tokio::test]
async fn more_events_than_one_batch_go_out_in_order() {
    let given = given().await;
    for number in 1..=620 {
        given.record(number).await;
    }

    assert_eq!(given.app.drain().await, 620);

    let frames = given.feed().await;
    assert_eq!(ids(&frames), positions(0, 620));
    let numbers: Vec<_> = frames.iter().map(|frame| frame.data()["menu_id"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=620).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_put_off_alone() {
    let given = given().await;
    given.record(1).await;
    given.record_garbage("garbage").await;
    given.record(2).await;
    given.record_garbage(r#"{"event_type": "Nonsense"}"#).await;
    given.record(3).await;

    assert_eq!(given.app.drain().await, 3);

    let numbers: Vec<_> = given.feed().await.iter().map(|frame| frame.data()["menu_id"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(given.garbage().await, [(1, 1), (1, 1)]);
    given.record(4).await;
    assert_eq!(given.app.drain().await, 1);
    assert_eq!(given.garbage().await, [(1, 1), (1, 1)], "not tried again before its time");
}

#[tokio::test]
async fn an_event_is_put_off_longer_each_time_up_to_ten_minutes() {
    let given = given().await;
    given.record_garbage("garbage").await;
    let mut waits = Vec::new();

    for attempts in 1..=12 {
        assert_eq!(given.app.drain().await, 0);
        let (tried, wait) = given.garbage().await[0];
        assert_eq!(tried, attempts);
        waits.push(wait);
        given.app.clock.advance(TimeDelta::seconds(wait));
    }

    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
}

#[tokio::test]
async fn an_event_that_can_be_read_again_goes_out() {
    let given = given().await;
    given.record(1).await;
    given.sql("update outbox set payload = 'x' || payload").await;
    assert_eq!(given.app.drain().await, 0);

    given.sql("update outbox set payload = substr(payload, 2)").await;
    given.app.clock.advance(TimeDelta::seconds(1));

    assert_eq!(given.app.drain().await, 1);
    assert_eq!(given.feed().await[0].data()["menu_id"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_drains_at_once_each_event_is_published_by_one() {
    let given = given().await;
    for number in 1..=50 {
        given.record(number).await;
    }
    let mut board = given.board().await;

    let published = join_all((0..4).map(|_| given.app.drain())).await;

    assert_eq!(published.iter().sum::<usize>(), 50);
    assert_eq!(ids(&board.events(50).await), positions(0, 50));
    assert!(board.is_silent().await);
}

#[tokio::test]
async fn a_drain_waits_for_another_and_then_misses_nothing() {
    let given = given().await;
    let mut other = given.app.db().begin().await.unwrap();
    db::outbox::lock(&mut other).await.unwrap();
    given.record(1).await;
    let mut draining = tokio::spawn({
        let relay = given.relay();
        async move { relay.drain().await.unwrap() }
    });
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted
                   and database = (select oid from pg_database where datname = current_database())";
    while given.count(waiting).await == 0 {
        assert!(!draining.is_finished(), "it does not wait");
        tokio::task::yield_now().await;
    }

    given.record(2).await;
    other.commit().await.unwrap();

    assert_eq!(tokio::time::timeout(GUARD, &mut draining).await.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn with_the_database_away_a_drain_fails_and_loses_nothing() {
    let given = given().await;
    given.record(1).await;

    given.app.cut_off_database().await;
    assert!(given.relay().drain().await.is_err());
    given.app.restore_database().await;

    assert_eq!(once_back(async || given.relay().drain().await).await, 1);
    assert_eq!(given.feed().await.len(), 1);
}

#[tokio::test]
async fn the_relay_brings_orders_to_the_board_until_it_is_stopped() {
    let given = given().await;
    let mut board = given.board().await;
    let nudged = Arc::new(Notify::new());
    let relaying = tokio::spawn(given.relay().run(nudged.clone(), given.stopped.child_token()));

    for _ in 0..3 {
        let order = given.order().await;
        nudged.notify_one();
        assert_eq!(board.event().await.data()["order"], order);
    }

    given.stopped.cancel();
    tokio::time::timeout(GUARD, relaying).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_keys_answer_goes_after_24_hours() {
    let given = given().await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}]});
    let request = given.app.post("/api/customer/orders").token(&given.table.token).header("idempotency-key", "key-1");
    request.json(body).send().await.expect(201);
    let keys = "select count(*) from idempotency_keys";
    let keep_house = || housekeeping::run(given.app.db(), given.app.clock.now());

    given.app.clock.advance(TimeDelta::hours(24));
    assert_eq!(keep_house().await.unwrap(), 0);
    assert_eq!(given.count(keys).await, 1);
    given.app.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(keep_house().await.unwrap(), 1);

    assert_eq!(given.count(keys).await, 0);
    assert_eq!(given.count("select count(*) from orders").await, 1);
}

/// More than go with one statement.
#[tokio::test]
async fn however_many_are_old_they_go() {
    let given = given().await;
    let keys = "insert into idempotency_keys (table_id, key, request_hash, response, created_at)
                select tables.id, 'key-' || n, '', '', $1 from tables, generate_series(1, 10001) n";
    sqlx::query(keys).bind(given.app.clock.now()).execute(given.app.db()).await.unwrap();
    let events = "insert into outbox (id, store_id, event_type, payload, created_at, published_at, next_attempt_at)
                  select gen_random_uuid(), $1, 'MenuChanged', '', $2, $2, $2 from generate_series(1, 10001)";
    sqlx::query(events).bind(given.store.id).bind(given.app.clock.now()).execute(given.app.db()).await.unwrap();

    given.app.clock.advance(TimeDelta::days(8));

    assert_eq!(housekeeping::run(given.app.db(), given.app.clock.now()).await.unwrap(), 20_002);
}

#[tokio::test]
async fn a_published_event_goes_after_seven_days_and_one_that_waits_never() {
    let given = given().await;
    given.record_garbage("garbage").await;
    given.record(1).await;
    assert_eq!(given.app.drain().await, 1);
    given.record(2).await;
    let keep_house = || housekeeping::run(given.app.db(), given.app.clock.now());

    given.app.clock.advance(TimeDelta::days(7));
    assert_eq!(keep_house().await.unwrap(), 0);
    given.app.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(keep_house().await.unwrap(), 1);
    given.app.clock.advance(TimeDelta::days(365));
    assert_eq!(keep_house().await.unwrap(), 0);

    assert_eq!(given.count("select count(*) from outbox where published_at is null").await, 2);
    assert_eq!(given.app.drain().await, 1, "the one that waited still goes out");
}

/// How many events wait to be published.
async fn unpublished(given: &crate::Given) -> i64 {
    let sql = "select count(*) from outbox where published_at is null";
    sqlx::query_scalar(sql).fetch_one(given.app.db()).await.unwrap()
}
