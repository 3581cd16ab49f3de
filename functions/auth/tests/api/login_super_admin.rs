//! `POST /api/superadmin/auth/login`.

use chrono::TimeDelta;
use serde_json::json;
use shared::auth::tokens::Claims;
use shared::testing::PASSWORD;

use crate::{Kind, assert_all_wrong, given, take_token};

#[tokio::test]
async fn logs_a_super_admin_in_for_16_hours() {
    let given = given().await;

    let mut answer = given.log_in(Kind::SuperAdmin, PASSWORD).send().await.expect(200);

    let token = take_token(&mut answer);
    let admin = &given.super_admin;
    assert_eq!(
        answer,
        json!({
            "token_type": "Bearer",
            "expires_in": 57_600,
            "admin": {"id": admin.id, "username": admin.username, "role": "super_admin"},
        })
    );
    let expected = Claims::new(given.owner(Kind::SuperAdmin), 1, given.app.clock.now(), TimeDelta::hours(16));
    assert_eq!(given.claims(&token), expected);
    assert_eq!(given.claims(&token).store_id, None);
    given.me(Kind::SuperAdmin, token.as_str().unwrap()).await.expect(200);
}

#[tokio::test]
async fn every_wrong_login_gets_the_same_answer() {
    let given = given().await;
    let log_in = |username: &str, password: &str| given.log_in_as(Kind::SuperAdmin, username, password).send();

    assert_all_wrong(vec![
        log_in(&given.super_admin.username, "pass1235").await,
        log_in(&given.super_admin.username, "").await,
        log_in("root", PASSWORD).await,
        log_in("", PASSWORD).await,
        log_in(&given.store.admin.username, PASSWORD).await,
        log_in(&given.table.number, PASSWORD).await,
    ]);
}

#[tokio::test]
async fn only_the_right_password_tells_that_the_account_is_switched_off() {
    let given = given().await;
    given.sql("update admins set is_active = false").await;

    assert_all_wrong(vec![given.log_in(Kind::SuperAdmin, "wrong").send().await]);
    given.log_in(Kind::SuperAdmin, PASSWORD).send().await.expect_error(403, "ADMIN_INACTIVE");
}

#[tokio::test]
async fn a_store_that_is_switched_off_does_not_matter() {
    let given = given().await;
    given.sql("update stores set is_active = false").await;

    given.log_in(Kind::SuperAdmin, PASSWORD).send().await.expect(200);
}

#[tokio::test]
async fn bad_input_is_refused() {
    let given = given().await;
    let username = &given.super_admin.username;
    for (body, field) in [
        (json!({}), ""),
        (json!([username, PASSWORD]), ""),
        (json!({"username": username}), ""),
        (json!({"password": PASSWORD}), ""),
        (json!({"store_id": given.store.id, "username": username, "password": PASSWORD}), "store_id"),
        (json!({"username": 1, "password": PASSWORD}), "username"),
        (json!({"username": "a\u{0}b", "password": PASSWORD}), "username"),
        (json!({"username": username, "password": {}}), "password"),
        (json!({"username": username, "password": "pass\u{0}"}), "password"),
    ] {
        let request = given.app.post("/api/superadmin/auth/login").json(body.clone());
        let details = request.send().await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(details["fields"][0]["field"], field, "{body}");
    }
}
