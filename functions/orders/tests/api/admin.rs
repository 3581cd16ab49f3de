//! `GET /api/admin/orders` and `GET /api/admin/orders/{id}`.

use serde_json::json;

use crate::given;

#[tokio::test]
async fn lists_the_stores_orders_newest_first() {
    let given = given().await;
    let second_table = given.app.table(&given.store, "2").await;
    let first = given.order().await;
    let second = given.order_from(&second_table).await;
    let preparing = given.change_status(&first, "preparing").await.expect(200);
    let list =
        |query: String| given.app.get(format!("/api/admin/orders{query}")).token(&given.store.admin.token).send();

    assert_eq!(list(String::new()).await.expect(200), json!([second, preparing]));
    assert_eq!(list(format!("?table_id={}", second_table.id)).await.expect(200), json!([second]));
    assert_eq!(list("?status=preparing".into()).await.expect(200), json!([preparing]));
    assert_eq!(list(format!("?table_id={}&status=preparing", second_table.id)).await.expect(200), json!([]));
    list("?table_id=9999".into()).await.expect_error(404, "TABLE_NOT_FOUND");
    list("?status=eaten".into()).await.expect_error(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn another_stores_table_does_not_exist() {
    let given = given().await;
    let other = given.app.store().await;
    let foreign = given.app.table(&other, "1").await;

    let request = given.app.get(format!("/api/admin/orders?table_id={}", foreign.id));

    request.token(&given.store.admin.token).send().await.expect_error(404, "TABLE_NOT_FOUND");
}

#[tokio::test]
async fn an_order_is_read_with_who_changed_it_and_when() {
    let given = given().await;
    let order = given.order().await;
    given.change_status(&order, "preparing").await.expect(200);
    given.app.clock.advance(chrono::TimeDelta::minutes(7));
    given.change_status(&order, "ready").await.expect(200);

    let read = given.app.get(format!("/api/admin/orders/{}", order["id"])).token(&given.store.admin.token);
    let read = read.send().await.expect(200);

    let admin = json!({"id": given.store.admin.id, "username": given.store.admin.username});
    assert_eq!(
        read["history"],
        json!([
            {"from": "pending", "to": "preparing", "admin": admin, "at": "2026-02-09T03:00:00.000Z"},
            {"from": "preparing", "to": "ready", "admin": admin, "at": "2026-02-09T03:07:00.000Z"},
        ])
    );
    assert_eq!(read["status"], "ready");
    assert_eq!(read["version"], 3);
}

#[tokio::test]
async fn another_stores_order_does_not_exist() {
    let given = given().await;
    let order = given.order().await;
    let other = given.app.store().await;

    let request = given.app.get(format!("/api/admin/orders/{}", order["id"])).token(&other.admin.token);

    request.send().await.expect_error(404, "ORDER_NOT_FOUND");
}
