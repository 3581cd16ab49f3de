//! `PATCH /api/admin/tables/{id}`.

use serde_json::{Value, json};
use shared::testing::{PASSWORD, TestResponse};

use crate::{Given, count, given};

impl Given {
    async fn update(&self, body: Value) -> TestResponse {
        let request = self.app.patch(format!("/api/admin/tables/{}", self.table.id));
        request.token(&self.store.admin.token).json(body).send().await
    }

    /// Anything only a good token of the table gets.
    async fn as_guest(&self) -> TestResponse {
        self.app.get("/api/customer/orders").token(&self.table.token).send().await
    }
}

#[tokio::test]
async fn a_new_number_leaves_the_tablet_logged_in() {
    let given = given().await;
    let order = given.order().await;
    given.app.clock.advance(chrono::TimeDelta::minutes(1));

    let table = given.update(json!({"table_number": " 7 "})).await.expect(200);

    assert_eq!(
        table,
        json!({
            "id": given.table.id, "table_number": "7",
            "session": {"id": order["session_id"], "started_at": "2026-02-09T03:00:00.000Z"},
            "created_at": "2026-02-09T03:00:00.000Z", "updated_at": "2026-02-09T03:01:00.000Z",
        })
    );
    let list = given.as_guest().await.expect(200);
    assert_eq!(list["items"][0]["table_number"], "7");
    assert_eq!(count(&given.app, "audit_entries").await, 0);
    given.log_in("7", PASSWORD).send().await.expect(200);
    given.log_in("1", PASSWORD).send().await.expect_error(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn a_new_password_ends_the_tables_tokens_at_once() {
    let given = given().await;
    let other = given.app.table(&given.store, "2").await;
    let order = given.order().await;
    given.as_guest().await.expect(200);

    let table = given.update(json!({"password": "5678"})).await.expect(200);

    given.as_guest().await.expect_error(401, "INVALID_TOKEN");
    given.log_in("1", PASSWORD).send().await.expect_error(401, "INVALID_CREDENTIALS");
    let login = given.log_in("1", "5678").send().await.expect(200);
    let request = given.app.get("/api/customer/orders").token(login["access_token"].as_str().unwrap());
    assert_eq!(request.send().await.expect(200)["items"], json!([order]), "the party's session goes on");
    assert_eq!(table["session"]["id"], order["session_id"]);
    given.app.get("/api/customer/orders").token(&other.token).send().await.expect(200);
}

#[tokio::test]
async fn a_new_password_leaves_an_audit_entry_without_it() {
    let given = given().await;
    let hash = || sqlx::query_scalar::<_, String>("select password_hash from tables").fetch_one(given.app.db());
    let old_hash = hash().await.unwrap();

    given.update(json!({"table_number": "7", "password": "correct-horse"})).await.expect(200);

    let (action, admin_id, entity_id, details): (String, i64, String, Value) =
        sqlx::query_as("select action, admin_id, entity_id, details from audit_entries")
            .fetch_one(given.app.db())
            .await
            .unwrap();
    assert_eq!(action, "table.reset_password");
    assert_eq!(admin_id, given.store.admin.id.get());
    assert_eq!(entity_id, given.table.id.to_string());
    assert_eq!(details, json!({"table_number": "7"}));
    let row: String =
        sqlx::query_scalar("select audit_entries::text from audit_entries").fetch_one(given.app.db()).await.unwrap();
    for secret in ["correct-horse", old_hash.as_str(), hash().await.unwrap().as_str()] {
        assert!(!row.contains(secret), "{row}");
    }
}

#[tokio::test]
async fn a_number_that_is_taken_is_refused_and_changes_nothing() {
    let given = given().await;
    given.app.table(&given.store, "2").await;
    let other = given.app.store().await;
    given.app.table(&other, "3").await;

    given.update(json!({"table_number": "2", "password": "5678"})).await.expect_error(409, "TABLE_ALREADY_EXISTS");

    given.as_guest().await.expect(200);
    assert_eq!(count(&given.app, "audit_entries").await, 0);
    given.update(json!({"table_number": "1"})).await.expect(200);
    given.update(json!({"table_number": "3"})).await.expect(200);
}

#[tokio::test]
async fn bad_input_is_refused() {
    let given = given().await;
    for body in [
        json!([]),
        json!({"table_number": null}),
        json!({"table_number": ""}),
        json!({"table_number": "  "}),
        json!({"table_number": "1".repeat(21)}),
        json!({"table_number": 7}),
        json!({"password": null}),
        json!({"password": "123"}),
        json!({"password": "1".repeat(72)}),
        json!({"table_number": "7", "token_version": 1}),
    ] {
        let details = given.update(body.clone()).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{body}");
    }
    assert_eq!(given.get("/api/admin/tables").await.expect(200)[0]["table_number"], "1");
    given.as_guest().await.expect(200);
}

#[tokio::test]
async fn another_stores_table_does_not_exist() {
    let given = given().await;
    let other = given.app.store().await;
    let body = json!({"table_number": "7", "password": "5678"});
    let update = |id: String, token: &str| {
        given.app.patch(format!("/api/admin/tables/{id}")).token(token).json(body.clone()).send()
    };

    update(given.table.id.to_string(), &other.admin.token).await.expect_error(404, "TABLE_NOT_FOUND");
    update("9999".into(), &given.store.admin.token).await.expect_error(404, "TABLE_NOT_FOUND");

    given.as_guest().await.expect(200);
    given.log_in("1", PASSWORD).send().await.expect(200);
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}

#[tokio::test]
async fn only_a_store_admin_may() {
    let given = given().await;
    let patch = || given.app.patch(format!("/api/admin/tables/{}", given.table.id)).json(json!({"password": "5678"}));

    patch().send().await.expect_error(401, "TOKEN_MISSING");
    patch().token(&given.table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    given.as_guest().await.expect(200);
}
