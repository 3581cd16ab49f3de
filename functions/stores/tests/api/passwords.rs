//! `POST /api/superadmin/admins/{id}/reset-password`.

use serde_json::{Value, json};
use shared::testing::{PASSWORD, TestAdmin, TestResponse, TestStore};

use crate::{Given, assert_no_secret, count, given};

const NEW: &str = "n3w-s3cret";

impl Given {
    async fn reset(&self, admin: &TestAdmin, body: Value) -> TestResponse {
        self.post(format!("/api/superadmin/admins/{}/reset-password", admin.id), body).await
    }

    async fn login(&self, store: &TestStore, password: &str) -> TestResponse {
        let body = json!({"store_id": store.id, "username": store.admin.username, "password": password});
        self.app.post("/api/admin/auth/login").json(body).send().await
    }
}

#[tokio::test]
async fn the_new_password_is_good_and_the_old_one_is_not() {
    let given = given().await;
    let store = given.app.store().await;
    given.login(&store, PASSWORD).await.expect(200);

    let answer = given.reset(&store.admin, json!({"password": NEW})).await;

    assert_eq!(answer.status.as_u16(), 204);
    assert_eq!(answer.body, "");
    given.login(&store, PASSWORD).await.expect_error(401, "INVALID_CREDENTIALS");
    let token = given.login(&store, NEW).await.expect(200)["access_token"].clone();
    given.store_admin_me(token.as_str().unwrap()).await.expect(200);
}

#[tokio::test]
async fn older_tokens_stop_working() {
    let given = given().await;
    let (store, other) = (given.app.store().await, given.app.store().await);
    given.store_admin_me(&store.admin.token).await.expect(200);

    given.reset(&store.admin, json!({"password": NEW})).await.expect(204);
    given.half_a_minute_later();

    given.store_admin_me(&store.admin.token).await.expect_error(401, "INVALID_TOKEN");
    given.store_admin_me(&other.admin.token).await.expect(200);
}

#[tokio::test]
async fn a_super_admins_own_token_ends_too() {
    let given = given().await;

    given.reset(&given.caller, json!({"password": NEW})).await.expect(204);
    given.half_a_minute_later();

    given.get("/api/superadmin/stores").await.expect_error(401, "INVALID_TOKEN");
    let body = json!({"username": given.caller.username, "password": NEW});
    given.app.post("/api/superadmin/auth/login").json(body).send().await.expect(200);
}

#[tokio::test]
async fn a_reset_leaves_an_audit_entry_without_a_password_or_hash() {
    let given = given().await;
    let store = given.app.store().await;

    given.reset(&store.admin, json!({"password": NEW})).await.expect(204);

    let (action, admin_id, entity_id): (String, i64, String) =
        sqlx::query_as("select action, admin_id, entity_id from audit_entries")
            .fetch_one(given.app.db())
            .await
            .unwrap();
    assert_eq!(action, "admin.reset_password");
    assert_eq!((admin_id, entity_id), (given.caller.id.get(), store.admin.id.to_string()));
    let details: String =
        sqlx::query_scalar("select details::text from audit_entries").fetch_one(given.app.db()).await.unwrap();
    assert_no_secret(&details, &[NEW, PASSWORD]);
}

#[tokio::test]
async fn an_account_that_is_off_stays_off() {
    let given = given().await;
    let store = given.app.store().await;
    given.switch(&store.admin, "deactivate").await.expect(200);

    given.reset(&store.admin, json!({"password": NEW})).await.expect(204);

    assert_eq!(given.admin(&store.admin).await["is_active"], false);
    given.login(&store, NEW).await.expect_error(403, "ADMIN_INACTIVE");
}

#[tokio::test]
async fn the_bounds_themselves_are_allowed() {
    let given = given().await;
    let store = given.app.store().await;
    for password in ["12345678".to_owned(), "p".repeat(71), "가".repeat(23)] {
        given.reset(&store.admin, json!({"password": password})).await.expect(204);
        given.login(&store, &password).await.expect(200);
    }
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let given = given().await;
    let store = given.app.store().await;
    for body in [
        json!({"password": ""}),
        json!({"password": "1234567"}),
        json!({"password": "p".repeat(72)}),
        json!({"password": "가".repeat(24)}),
        json!({"password": "pass\u{0}1234"}),
        json!({"password": null}),
        json!({"password": 12345678}),
        json!({"password": NEW, "username": "lee"}),
        json!({}),
        json!(null),
    ] {
        let details = given.reset(&store.admin, body.clone()).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{body}");
    }
    given.half_a_minute_later();
    given.store_admin_me(&store.admin.token).await.expect(200);
    given.login(&store, PASSWORD).await.expect(200);
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}

#[tokio::test]
async fn an_account_that_is_not_there_is_not_found() {
    let given = given().await;
    let reset = |id: &str| given.post(format!("/api/superadmin/admins/{id}/reset-password"), json!({"password": NEW}));
    for id in ["9999", "9223372036854775807"] {
        reset(id).await.expect_error(404, "ADMIN_NOT_FOUND");
    }
    for id in ["0", "-1", "x", "1.0", "9223372036854775808", "%00", "%ff"] {
        reset(id).await.expect_error(400, "VALIDATION_ERROR");
    }
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}

#[tokio::test]
async fn needs_the_token_of_a_super_admin() {
    let given = given().await;
    let store = given.app.store().await;
    let table = given.app.table(&store, "1").await;
    let request = || {
        let request = given.app.post(format!("/api/superadmin/admins/{}/reset-password", store.admin.id));
        request.json(json!({"password": NEW}))
    };

    request().send().await.expect_error(401, "TOKEN_MISSING");
    request().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
    request().token(&table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    request().token(&store.admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    given.login(&store, PASSWORD).await.expect(200);
}
