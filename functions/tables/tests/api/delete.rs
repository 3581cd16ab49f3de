//! `DELETE /api/admin/tables/{id}`.

use serde_json::{Value, json};
use shared::testing::{PASSWORD, TestResponse};

use crate::{Given, count, given};

impl Given {
    async fn delete(&self) -> TestResponse {
        self.app.delete(format!("/api/admin/tables/{}", self.table.id)).token(&self.store.admin.token).send().await
    }
}

#[tokio::test]
async fn deletes_a_table_and_ends_its_tokens_at_once() {
    let given = given().await;
    let as_guest = || given.app.get("/api/customer/orders").token(&given.table.token).send();
    as_guest().await.expect(200);

    let answer = given.delete().await;

    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""));
    given.get(&format!("/api/admin/tables/{}", given.table.id)).await.expect_error(404, "TABLE_NOT_FOUND");
    as_guest().await.expect_error(401, "INVALID_TOKEN");
    given.log_in("1", PASSWORD).send().await.expect_error(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn leaves_an_audit_entry() {
    let given = given().await;

    given.delete().await.expect(204);

    let (action, admin_id, entity_id, details): (String, i64, String, Value) =
        sqlx::query_as("select action, admin_id, entity_id, details from audit_entries")
            .fetch_one(given.app.db())
            .await
            .unwrap();
    assert_eq!(action, "table.delete");
    assert_eq!(admin_id, given.store.admin.id.get());
    assert_eq!(entity_id, given.table.id.to_string());
    assert_eq!(details, json!({"table_number": "1"}));
}

#[tokio::test]
async fn a_table_with_an_open_session_stays() {
    let given = given().await;
    let order = given.order().await;

    given.delete().await.expect_error(409, "TABLE_HAS_ACTIVE_SESSION");

    assert_eq!(given.get("/api/admin/orders").await.expect(200), json!([order]));
    assert_eq!(count(&given.app, "audit_entries").await, 0);
    given.delete_order(&order).await;
    given.delete().await.expect_error(409, "TABLE_HAS_ACTIVE_SESSION");
    given.close(&given.table).await.expect(200);
    given.delete().await.expect(204);
}

/// Constraints are checked in the order they were made, and a database restored from a dump makes them in another.
#[tokio::test]
async fn a_table_with_open_orders_stays_in_a_restored_database_too() {
    let given = given().await;
    given.order().await;
    sqlx::raw_sql(
        "alter table table_sessions
             drop constraint table_sessions_table_fkey,
             add constraint table_sessions_table_fkey foreign key (store_id, table_id)
                 references tables (store_id, id) on delete set null (table_id)",
    )
    .execute(given.app.db())
    .await
    .unwrap();

    given.delete().await.expect_error(409, "TABLE_HAS_ACTIVE_SESSION");
}

#[tokio::test]
async fn the_history_stays_under_the_tables_number() {
    let given = given().await;
    let order = given.order().await;
    given.close(&given.table).await.expect(200);

    given.delete().await.expect(204);

    let (table_id, number, original): (Option<i64>, String, i64) =
        sqlx::query_as("select table_id, table_number, original_order_id from order_history")
            .fetch_one(given.app.db())
            .await
            .unwrap();
    assert_eq!((table_id, number.as_str()), (None, "1"));
    assert_eq!(json!(original), order["id"]);
    assert_eq!(count(&given.app, "order_history_items").await, 1);
    let session: Option<i64> =
        sqlx::query_scalar("select table_id from table_sessions").fetch_one(given.app.db()).await.unwrap();
    assert_eq!(session, None);
}

#[tokio::test]
async fn the_number_is_free_again_and_its_new_table_starts_without_a_history() {
    let given = given().await;
    given.order().await;
    given.close(&given.table).await.expect(200);
    assert_eq!(given.history("").await.expect(200)["pagination"]["total_count"], 1);
    given.delete().await.expect(204);

    let successor = given.app.table(&given.store, "1").await;

    let path = format!("/api/admin/tables/{}/order-history", successor.id);
    assert_eq!(given.get(&path).await.expect(200)["items"], json!([]));
    given.history("").await.expect_error(404, "TABLE_NOT_FOUND");
    given.app.get("/api/customer/orders").token(&given.table.token).send().await.expect_error(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_table_whose_orders_were_sent_with_keys_can_be_deleted() {
    let given = given().await;
    let request = given.app.post("/api/customer/orders").token(&given.table.token).header("idempotency-key", "key-1");
    request.json(json!({"items": [{"menu_id": given.stew, "quantity": 1}]})).send().await.expect(201);
    given.close(&given.table).await.expect(200);

    given.delete().await.expect(204);

    assert_eq!(count(&given.app, "idempotency_keys").await, 0);
}

#[tokio::test]
async fn sent_twice_the_second_finds_nothing() {
    let given = given().await;
    given.delete().await.expect(204);

    given.delete().await.expect_error(404, "TABLE_NOT_FOUND");

    assert_eq!(count(&given.app, "audit_entries").await, 1);
}

#[tokio::test]
async fn only_staff_of_the_store_may() {
    let given = given().await;
    let other = given.app.store().await;
    let delete = || given.app.delete(format!("/api/admin/tables/{}", given.table.id));

    delete().send().await.expect_error(401, "TOKEN_MISSING");
    delete().token(&given.table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    delete().token(&other.admin.token).send().await.expect_error(404, "TABLE_NOT_FOUND");
    assert_eq!(count(&given.app, "tables").await, 1);
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}
