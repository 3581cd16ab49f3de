//! The relay's schedule: what it does besides draining the outbox.

use serde_json::{Value, json};
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
