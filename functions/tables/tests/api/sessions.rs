//! The life of a table's session, from the first order to the close.

use serde_json::{Value, json};
use shared::testing::PASSWORD;

use crate::{count, given};

#[tokio::test]
async fn a_session_opens_with_the_first_order_and_ends_with_the_close() {
    let given = given().await;
    let log_in = || given.log_in("1", PASSWORD).send();

    assert_eq!(log_in().await.expect(200)["session_id"], Value::Null);
    assert_eq!(count(&given.app, "table_sessions").await, 0, "a login opens none");

    let order = given.order().await;
    assert_eq!(log_in().await.expect(200)["session_id"], order["session_id"], "a tablet that reboots ends no meal");
    assert_eq!(given.order().await["session_id"], order["session_id"]);

    given.close(&given.table).await.expect(200);
    assert_eq!(log_in().await.expect(200)["session_id"], Value::Null);

    let next = given.order().await;
    assert_ne!(next["session_id"], order["session_id"]);
    assert_eq!(log_in().await.expect(200)["session_id"], next["session_id"]);
    assert_eq!(count(&given.app, "table_sessions").await, 2);
}

#[tokio::test]
async fn each_session_knows_when_it_began_and_ended() {
    let given = given().await;
    for _ in 0..2 {
        given.order().await;
        given.app.clock.advance(chrono::TimeDelta::minutes(30));
        given.close(&given.table).await.expect(200);
    }

    let sessions: Vec<(i64, Value, Value)> =
        sqlx::query_as("select table_id, to_jsonb(started_at), to_jsonb(ended_at) from table_sessions order by id")
            .fetch_all(given.app.db())
            .await
            .unwrap();

    let table = given.table.id.get();
    assert_eq!(
        sessions,
        [
            (table, json!("2026-02-09T03:00:00+00:00"), json!("2026-02-09T03:30:00+00:00")),
            (table, json!("2026-02-09T03:30:00+00:00"), json!("2026-02-09T04:00:00+00:00")),
        ]
    );
}

#[tokio::test]
async fn the_database_itself_refuses_a_second_open_session() {
    let given = given().await;
    given.order().await;
    let open = || {
        sqlx::query("insert into table_sessions (store_id, table_id, started_at) values ($1, $2, now())")
            .bind(given.store.id)
            .bind(given.table.id)
            .execute(given.app.db())
    };

    let refusal = open().await.unwrap_err();

    let refusal = refusal.as_database_error().unwrap();
    assert_eq!(refusal.constraint(), Some("table_sessions_one_open_key"));
    given.close(&given.table).await.expect(200);
    open().await.unwrap();
}

#[tokio::test]
async fn first_orders_at_once_share_one_session() {
    let given = given().await;

    let orders = futures_util::future::join_all((0..20).map(|_| given.order())).await;

    assert!(orders.iter().all(|order| order["session_id"] == orders[0]["session_id"]));
    assert_eq!(count(&given.app, "table_sessions").await, 1);
}
