//! The relay's schedule: what it does besides draining the outbox.

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::events::topology::DEAD_LETTER_EXCHANGE;
use shared::telemetry::embedded::Embedded;
use shared::testing::count;

use crate::{given, nudge, relay_between, schedule};

#[tokio::test]
async fn the_schedule_publishes_what_nobody_nudged_for() {
    let given = given().await;
    given.record(1).await;

    let answer = given.relay.handle(&schedule()).await.unwrap();

    assert_eq!(answer, json!({"published": 1, "removed": 0}));
    assert_eq!(given.menus().await, [1]);
}

#[tokio::test]
async fn whatever_is_no_nudge_is_taken_for_the_schedule() {
    let given = given().await;
    for event in [Value::Null, json!({}), json!([]), json!("wake up"), json!({"source": "somebody"})] {
        given.record(1).await;
        assert_eq!(given.relay.handle(&event).await.unwrap(), json!({"published": 1, "removed": 0}));
    }
}

#[tokio::test]
async fn the_schedule_notes_that_the_broker_was_reached_and_a_nudge_does_not() {
    let given = given().await;
    given.relay.handle(&nudge()).await.unwrap();
    assert_eq!(count(&given.app, "broker_contact").await, 0);

    given.relay.handle(&schedule()).await.unwrap();
    given.relay.handle(&schedule()).await.unwrap();

    let fresh: Vec<bool> = sqlx::query_scalar("select reached_at > now() - interval '1 minute' from broker_contact")
        .fetch_all(given.app.db())
        .await
        .unwrap();
    assert_eq!(fresh, [true]);
}

#[tokio::test]
async fn housekeeping_is_done_also_without_the_broker() {
    let given = given().await;
    given.record(1).await;
    given.relay.handle(&nudge()).await.unwrap();
    sqlx::query("update outbox set published_at = now() - interval '8 days'").execute(given.app.db()).await.unwrap();
    let lost = relay_between(&given.app, "amqp://127.0.0.1:9");

    lost.handle(&schedule()).await.unwrap_err();

    assert_eq!(count(&given.app, "outbox").await, 0);
    assert_eq!(count(&given.app, "broker_contact").await, 0);
}

/// Amazon MQ tells nothing of a single queue, and nobody can scrape a function.
#[tokio::test]
async fn the_schedule_tells_how_the_queues_and_the_outbox_stand() {
    let given = given().await;
    let told = Embedded::new("table-order/test", "relay");
    let _counted = metrics::set_default_local_recorder(&told);
    let stand = async || {
        given.relay.handle(&schedule()).await.unwrap();
        let mut line = Vec::new();
        told.write(&mut line, Clock::system().now()).unwrap();
        let line: Value = serde_json::from_slice(&line).unwrap();
        let names = ["queue_messages", "queues_without_consumer", "dead_letter_messages", "outbox_oldest_seconds"];
        names.map(|name| line[name].clone())
    };
    // Nobody reads any of the five.
    assert_eq!(stand().await, [0.0, 5.0, 0.0, 0.0]);

    given.record(1).await;
    given.relay.handle(&nudge()).await.unwrap();
    let dead = given.rabbitmq.channel.basic_publish(
        DEAD_LETTER_EXCHANGE.into(),
        "order-created-queue".into(),
        BasicPublishOptions::default(),
        b"given up",
        BasicProperties::default(),
    );
    dead.await.unwrap();
    // RabbitMQ counts a message of a quorum queue when its replicas have it.
    while stand().await[2] == 0.0 {}
    assert_eq!(stand().await, [1.0, 5.0, 1.0, 0.0]);
}
