//! `GET /api/admin/dashboard`.

use serde_json::{Value, json};

use crate::{Given, given};

impl Given {
    async fn dashboard(&self) -> Value {
        self.get("/api/admin/dashboard").await.expect(200)
    }
}

#[tokio::test]
async fn shows_a_tables_latest_three_orders_newest_first_and_its_sum() {
    let given = given().await;
    let mut orders = Vec::new();
    for quantity in 1..=5 {
        given.app.clock.advance(chrono::TimeDelta::minutes(1));
        let items = json!([
            {"menu_id": given.soju, "quantity": quantity, "note": "차갑게"},
            {"menu_id": given.stew, "quantity": 1},
        ]);
        orders.push(given.place_from(&given.table, json!({"items": items, "note": "빨리"})).await);
    }

    let dashboard = given.dashboard().await;

    assert_eq!(
        dashboard,
        json!([{
            "table": {
                "id": given.table.id, "table_number": "1",
                "session": {"id": orders[0]["session_id"], "started_at": "2026-02-09T03:01:00.000Z"},
                "created_at": "2026-02-09T03:00:00.000Z", "updated_at": "2026-02-09T03:00:00.000Z",
            },
            "orders": [orders[4], orders[3], orders[2]],
            "order_count": 5,
            "total_amount": 5 * 9_000 + 15 * 5_000,
        }])
    );
}

#[tokio::test]
async fn tables_come_by_number_the_empty_ones_too() {
    let given = given().await;
    let tenth = given.app.table(&given.store, "10").await;
    given.app.table(&given.store, "A").await;
    given.app.table(&given.store, "2").await;
    let order = given.order_from(&tenth).await;

    let dashboard = given.dashboard().await;

    let entries = dashboard.as_array().unwrap();
    let numbers: Vec<_> = entries.iter().map(|entry| &entry["table"]["table_number"]).collect();
    assert_eq!(numbers, ["1", "2", "10", "A"]);
    assert_eq!(entries[2]["orders"], json!([order]));
    for empty in [0, 1, 3] {
        let entry = &entries[empty];
        assert_eq!(entry["table"]["session"], Value::Null);
        assert_eq!((&entry["orders"], &entry["order_count"]), (&json!([]), &json!(0)));
        assert_eq!(entry["total_amount"], 0);
    }
}

#[tokio::test]
async fn cancelled_orders_are_shown_and_counted_but_not_summed_up() {
    let given = given().await;
    let order = given.order().await;
    let cancelled = given.change_status(&given.order().await, &["cancelled"]).await;

    let entry = &given.dashboard().await[0];

    assert_eq!(entry["orders"], json!([cancelled, order]));
    assert_eq!(entry["order_count"], 2);
    assert_eq!(entry["total_amount"], 9_000);
}

#[tokio::test]
async fn deleted_orders_count_nowhere() {
    let given = given().await;
    let order = given.order().await;
    let deleted = given.order().await;
    given.delete_order(&deleted).await;

    let entry = &given.dashboard().await[0];
    assert_eq!(entry["orders"], json!([order]));
    assert_eq!((&entry["order_count"], &entry["total_amount"]), (&json!(1), &json!(9_000)));

    given.delete_order(&order).await;
    let entry = &given.dashboard().await[0];
    assert_eq!(entry["orders"], json!([]));
    assert_eq!((&entry["order_count"], &entry["total_amount"]), (&json!(0), &json!(0)));
    assert_eq!(entry["table"]["session"]["id"], order["session_id"], "the party is still there");
}

#[tokio::test]
async fn shows_the_latest_state_of_an_order() {
    let given = given().await;
    let order = given.order().await;
    let ready = given.change_status(&order, &["preparing", "ready"]).await;

    assert_eq!(given.dashboard().await[0]["orders"], json!([ready]));
}

#[tokio::test]
async fn orders_of_a_closed_session_are_gone() {
    let given = given().await;
    given.order().await;
    given.close(&given.table).await.expect(200);
    let empty = &given.dashboard().await[0];
    assert_eq!(empty["table"]["session"], Value::Null);
    assert_eq!((&empty["orders"], &empty["order_count"]), (&json!([]), &json!(0)));

    let next = given.order().await;

    let entry = &given.dashboard().await[0];
    assert_eq!((&entry["orders"], &entry["order_count"]), (&json!([next]), &json!(1)));
}

#[tokio::test]
async fn each_store_sees_its_own_tables() {
    let given = given().await;
    given.order().await;
    let other = given.app.store().await;
    let table = given.app.table(&other, "5").await;

    let foreign = given.app.get("/api/admin/dashboard").token(&other.admin.token).send().await.expect(200);

    assert_eq!(foreign.as_array().unwrap().len(), 1);
    assert_eq!(foreign[0]["table"]["id"], json!(table.id));
    assert_eq!(foreign[0]["order_count"], 0);
    let own = given.dashboard().await;
    assert_eq!(own.as_array().unwrap().len(), 1);
    assert_eq!(own[0]["table"]["id"], json!(given.table.id));
}

#[tokio::test]
async fn only_a_store_admin_may() {
    let given = given().await;
    let super_admin = given.app.admin(None).await;
    let get = || given.app.get("/api/admin/dashboard");

    get().send().await.expect_error(401, "TOKEN_MISSING");
    get().token(&given.table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    get().token(&super_admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
}
