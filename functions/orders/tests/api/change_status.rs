//! `PATCH /api/admin/orders/{id}/status`.

use serde_json::json;

use crate::{count, given, outbox};

#[tokio::test]
async fn moves_an_order_on_and_tells_of_it() {
    let given = given().await;
    let order = given.order().await;
    given.app.clock.advance(chrono::TimeDelta::minutes(1));

    let changed = given.change_status(&order, "preparing").await.expect(200);

    assert_eq!(changed["status"], "preparing");
    assert_eq!(changed["version"], 2);
    assert_eq!(changed["created_at"], order["created_at"]);
    assert_eq!(changed["updated_at"], "2026-02-09T03:01:00.000Z");
    let event = &outbox(&given.app).await[1];
    assert_eq!(event["event_type"], "OrderStatusChanged");
    assert_eq!(event["order"], changed);
    assert_eq!((&event["old_status"], &event["new_status"]), (&json!("pending"), &json!("preparing")));
    let read = given.app.get(format!("/api/customer/orders/{}", order["id"])).token(&given.table.token).send().await;
    assert_eq!(read.expect(200), changed);
}

#[tokio::test]
async fn a_step_that_is_not_allowed_is_refused_with_what_is() {
    let given = given().await;
    let order = given.order().await;

    let details = given.change_status(&order, "served").await.expect_error(400, "INVALID_STATUS_TRANSITION");

    assert_eq!(details, json!({"from": "pending", "to": "served", "allowed": ["preparing", "cancelled"]}));
    assert_eq!(count(&given.app, "order_status_changes").await, 0);
    assert_eq!(count(&given.app, "outbox").await, 1);
}

#[tokio::test]
async fn sent_twice_the_second_is_refused() {
    let given = given().await;
    let order = given.order().await;
    given.change_status(&order, "cancelled").await.expect(200);

    let details = given.change_status(&order, "cancelled").await.expect_error(400, "INVALID_STATUS_TRANSITION");

    assert_eq!(details["allowed"], json!([]));
}

#[tokio::test]
async fn a_stale_version_is_refused_with_the_current_state_before_the_step_is_looked_at() {
    let given = given().await;
    let order = given.order().await;
    let current = given.change_status(&order, "preparing").await.expect(200);
    let change = |body| {
        let request = given.app.patch(format!("/api/admin/orders/{}/status", order["id"]));
        request.token(&given.store.admin.token).json(body).send()
    };

    let details = change(json!({"status": "served", "version": 1})).await.expect_error(409, "VERSION_CONFLICT");
    assert_eq!(details["current"], current);

    let changed = change(json!({"status": "ready", "version": 2})).await.expect(200);
    assert_eq!(changed["version"], 3);
}

#[tokio::test]
async fn bad_input_is_refused() {
    let given = given().await;
    let order = given.order().await;
    for body in [
        json!({}),
        json!({"status": "eaten"}),
        json!({"status": 1}),
        json!({"status": "ready", "version": "1"}),
        json!({"status": "ready", "version": 0}),
        json!({"status": "ready", "at": 1}),
    ] {
        let request =
            given.app.patch(format!("/api/admin/orders/{}/status", order["id"])).token(&given.store.admin.token);
        request.json(body).send().await.expect_error(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn only_staff_of_the_store_may() {
    let given = given().await;
    let order = given.order().await;
    let other = given.app.store().await;
    let change = |token: &str| {
        let request = given.app.patch(format!("/api/admin/orders/{}/status", order["id"])).token(token);
        request.json(json!({"status": "preparing"})).send()
    };

    change(&given.table.token).await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    change(&other.admin.token).await.expect_error(404, "ORDER_NOT_FOUND");
    assert_eq!(count(&given.app, "order_status_changes").await, 0);
}
