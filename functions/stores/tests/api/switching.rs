//! Stores and accounts switched off and on again: what becomes of their tokens.

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::json;
use shared::auth::tokens::Claims;
use shared::db::owners::Owner;
use shared::domain::StoreId;
use shared::domain::account::Role;
use shared::testing::{TestAdmin, TestResponse, TestTable};

use crate::{Given, given};

impl Given {
    async fn switch_store(&self, id: StoreId, is_active: bool) {
        let body = json!({"is_active": is_active});
        let store = self.patch(format!("/api/superadmin/stores/{id}"), body).await.expect(200);
        assert_eq!(store["is_active"], is_active);
    }

    /// Who a table's token says it is.
    async fn table_me(&self, table: &TestTable) -> TestResponse {
        self.app.get("/api/customer/auth/me").token(&table.token).send().await
    }

    /// A token of this version, as a login would give it.
    fn token_of_version(&self, admin: &TestAdmin, store_id: Option<StoreId>, version: i32) -> String {
        let role = if store_id.is_some() { Role::StoreAdmin } else { Role::SuperAdmin };
        let owner = Owner { role, id: admin.id.get(), store_id };
        let claims = Claims::new(owner, version, self.app.clock.now(), TimeDelta::hours(1));
        self.app.app.tokens.sign(&claims).unwrap()
    }
}

#[tokio::test]
async fn nobody_gets_in_30_seconds_after_the_store_was_switched_off() {
    let given = given().await;
    let (store, other) = (given.app.store().await, given.app.store().await);
    let (table, other_table) = (given.app.table(&store, "1").await, given.app.table(&other, "1").await);
    given.store_admin_me(&store.admin.token).await.expect(200);
    given.table_me(&table).await.expect(200);

    given.switch_store(store.id, false).await;
    given.half_a_minute_later();

    given.store_admin_me(&store.admin.token).await.expect_error(403, "STORE_INACTIVE");
    given.table_me(&table).await.expect_error(403, "STORE_INACTIVE");
    given.store_admin_me(&other.admin.token).await.expect(200);
    given.table_me(&other_table).await.expect(200);
    given.get(format!("/api/superadmin/stores/{}", store.id)).await.expect(200);
}

#[tokio::test]
async fn whoever_was_not_in_yet_does_not_get_into_a_store_that_is_off() {
    let given = given().await;
    let store = given.app.store().await;
    let table = given.app.table(&store, "1").await;

    given.switch_store(store.id, false).await;

    given.store_admin_me(&store.admin.token).await.expect_error(403, "STORE_INACTIVE");
    given.table_me(&table).await.expect_error(403, "STORE_INACTIVE");
}

#[tokio::test]
async fn the_same_tokens_are_good_once_the_store_is_on_again() {
    let given = given().await;
    let store = given.app.store().await;
    let table = given.app.table(&store, "1").await;
    given.switch_store(store.id, false).await;
    given.store_admin_me(&store.admin.token).await.expect_error(403, "STORE_INACTIVE");
    given.table_me(&table).await.expect_error(403, "STORE_INACTIVE");

    given.switch_store(store.id, true).await;
    given.half_a_minute_later();

    given.store_admin_me(&store.admin.token).await.expect(200);
    given.table_me(&table).await.expect(200);
}

#[tokio::test]
async fn switches_an_account_off_and_on() {
    let given = given().await;
    let store = given.app.store().await;
    let before = given.admin(&store.admin).await;
    assert_eq!(before["is_active"], true);

    let off = given.switch(&store.admin, "deactivate").await.expect(200);
    let mut wanted = before.clone();
    wanted["is_active"] = json!(false);
    assert_eq!(off, wanted);
    assert_eq!(given.admin(&store.admin).await, off);
    let on = given.switch(&store.admin, "activate").await.expect(200);
    assert_eq!(on, before);
    assert_eq!(given.admin(&store.admin).await, on);
}

#[tokio::test]
async fn switched_twice_is_as_switched_once() {
    let given = given().await;
    let store = given.app.store().await;

    assert_eq!(given.switch(&store.admin, "activate").await.expect(200)["is_active"], true);
    given.store_admin_me(&store.admin.token).await.expect(200);
    given.switch(&store.admin, "deactivate").await.expect(200);
    assert_eq!(given.switch(&store.admin, "deactivate").await.expect(200)["is_active"], false);
    assert_eq!(given.admin(&store.admin).await["is_active"], false);
}

#[tokio::test]
async fn a_token_of_an_account_that_is_off_stops_working() {
    let given = given().await;
    let store = given.app.store().await;
    let super_admin = given.app.admin(None).await;
    given.store_admin_me(&store.admin.token).await.expect(200);
    given.super_admin_me(&super_admin.token).await.expect(200);

    given.switch(&store.admin, "deactivate").await.expect(200);
    given.switch(&super_admin, "deactivate").await.expect(200);
    given.half_a_minute_later();

    given.store_admin_me(&store.admin.token).await.expect_error(401, "INVALID_TOKEN");
    given.super_admin_me(&super_admin.token).await.expect_error(401, "INVALID_TOKEN");
    let request = given.app.get("/api/superadmin/stores").token(&super_admin.token);
    request.send().await.expect_error(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn an_account_that_is_on_again_needs_a_new_token() {
    let given = given().await;
    let store = given.app.store().await;
    given.store_admin_me(&store.admin.token).await.expect(200);
    given.switch(&store.admin, "deactivate").await.expect(200);

    given.switch(&store.admin, "activate").await.expect(200);

    given.store_admin_me(&store.admin.token).await.expect_error(401, "INVALID_TOKEN");
    given.half_a_minute_later();
    given.store_admin_me(&store.admin.token).await.expect_error(401, "INVALID_TOKEN");
    let token = given.token_of_version(&store.admin, Some(store.id), 2);
    given.store_admin_me(&token).await.expect(200);
}

#[tokio::test]
async fn nobody_switches_themselves_off() {
    let given = given().await;
    given.app.admin(None).await;

    given.switch(&given.caller, "deactivate").await.expect_error(409, "CANNOT_DEACTIVATE_SELF");

    assert_eq!(given.admin(&given.caller).await["is_active"], true);
    given.half_a_minute_later();
    given.super_admin_me(&given.caller.token).await.expect(200);
    assert_eq!(given.switch(&given.caller, "activate").await.expect(200)["is_active"], true);
}

#[tokio::test]
async fn an_account_that_is_not_there_is_not_found() {
    let given = given().await;
    for id in ["9999", "9223372036854775807"] {
        for how in ["activate", "deactivate"] {
            let path = format!("/api/superadmin/admins/{id}/{how}");
            given.send(Method::PATCH, path, None).await.expect_error(404, "ADMIN_NOT_FOUND");
        }
    }
    for id in ["0", "-1", "x", "1.0", "9223372036854775808", "%00", "%ff"] {
        for how in ["activate", "deactivate"] {
            let path = format!("/api/superadmin/admins/{id}/{how}");
            given.send(Method::PATCH, path, None).await.expect_error(400, "VALIDATION_ERROR");
        }
    }
}

#[tokio::test]
async fn needs_the_token_of_a_super_admin() {
    let given = given().await;
    let store = given.app.store().await;
    let colleague = given.app.admin(Some(store.id)).await;
    let table = given.app.table(&store, "1").await;
    for how in ["activate", "deactivate"] {
        let request = || given.app.patch(format!("/api/superadmin/admins/{}/{how}", colleague.id));
        request().send().await.expect_error(401, "TOKEN_MISSING");
        request().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
        request().token(&table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        request().token(&store.admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    }
    assert_eq!(given.admin(&colleague).await["is_active"], true);
}
