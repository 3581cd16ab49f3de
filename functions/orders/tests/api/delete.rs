//! `DELETE /api/admin/orders/{id}`.

use serde_json::{Value, json};
use shared::testing::TestResponse;

use crate::{Given, count, given, outbox};

impl Given {
    async fn delete(&self, order: &Value, query: &str) -> TestResponse {
        let path = format!("/api/admin/orders/{}{query}", order["id"]);
        self.app.delete(path).token(&self.store.admin.token).send().await
    }
}

#[tokio::test]
async fn deletes_an_order_and_tells_what_the_table_comes_to() {
    let given = given().await;
    let order = given.order().await;
    given.order().await;
    let cancelled = given.order().await;
    given.change_status(&cancelled, "cancelled").await.expect(200);

    let answer = given.delete(&order, "?reason=%EC%9E%98%EB%AA%BB%20%EC%A3%BC%EB%AC%B8").await.expect(200);

    assert_eq!(answer, json!({"order_id": order["id"], "table_total": 9_000}));
    assert_eq!(count(&given.app, "orders").await, 2);
    assert_eq!(count(&given.app, "order_items").await, 2);
    let event = outbox(&given.app).await.pop().unwrap();
    assert_eq!(event["event_type"], "OrderDeleted");
    assert_eq!(event["order_id"], order["id"]);
    assert_eq!(event["table_number"], "1");
    assert_eq!(event["version"], 2);
    assert_eq!(event["reason"], "잘못 주문");
    assert_eq!(event["table_total"], 9_000);
}

#[tokio::test]
async fn leaves_an_audit_entry() {
    let given = given().await;
    let order = given.order().await;
    given.delete(&order, "").await.expect(200);

    let (action, admin_id, details): (String, i64, Value) =
        sqlx::query_as("select action, admin_id, details from audit_entries").fetch_one(given.app.db()).await.unwrap();

    assert_eq!(action, "order.delete");
    assert_eq!(admin_id, given.store.admin.id.get());
    assert_eq!(details, json!({"order": order, "reason": null}));
}

#[tokio::test]
async fn a_served_or_cancelled_order_stays() {
    let given = given().await;
    let served = given.order().await;
    for status in ["preparing", "ready", "served"] {
        given.change_status(&served, status).await.expect(200);
    }
    let cancelled = given.order().await;
    given.change_status(&cancelled, "cancelled").await.expect(200);

    given.delete(&served, "").await.expect_error(400, "ORDER_CANNOT_DELETE");
    given.delete(&cancelled, "").await.expect_error(400, "ORDER_CANNOT_DELETE");
    assert_eq!(count(&given.app, "orders").await, 2);
}

#[tokio::test]
async fn sent_twice_the_second_finds_nothing() {
    let given = given().await;
    let order = given.order().await;
    given.delete(&order, "").await.expect(200);

    given.delete(&order, "").await.expect_error(404, "ORDER_NOT_FOUND");

    assert_eq!(count(&given.app, "audit_entries").await, 1);
}

#[tokio::test]
async fn another_stores_order_and_a_long_reason_are_refused() {
    let given = given().await;
    let order = given.order().await;
    let other = given.app.store().await;

    let foreign = given.app.delete(format!("/api/admin/orders/{}", order["id"])).token(&other.admin.token);
    foreign.send().await.expect_error(404, "ORDER_NOT_FOUND");
    given.delete(&order, &format!("?reason={}", "a".repeat(201))).await.expect_error(400, "VALIDATION_ERROR");
    given.delete(&order, "?reason=%00").await.expect_error(400, "VALIDATION_ERROR");
    assert_eq!(count(&given.app, "orders").await, 1);
}
