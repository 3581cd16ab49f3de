//! `POST /api/admin/auth/login`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::auth::tokens::Claims;
use shared::testing::PASSWORD;

use crate::{Kind, assert_all_wrong, given, take_token};

#[tokio::test]
async fn logs_a_store_admin_in_for_16_hours() {
    let given = given().await;

    let mut answer = given.log_in(Kind::Admin, PASSWORD).send().await.expect(200);

    let token = take_token(&mut answer);
    let admin = &given.store.admin;
    assert_eq!(
        answer,
        json!({
            "token_type": "Bearer",
            "expires_in": 57_600,
            "store": {"id": given.store.id, "name": "한빛식당"},
            "admin": {"id": admin.id, "username": admin.username, "role": "store_admin"},
        })
    );
    let expected = Claims::new(given.owner(Kind::Admin), 1, given.app.clock.now(), TimeDelta::hours(16));
    assert_eq!(given.claims(&token), expected);
    given.me(Kind::Admin, token.as_str().unwrap()).await.expect(200);
}

#[tokio::test]
async fn the_token_is_of_the_accounts_token_version() {
    let given = given().await;
    given.sql("update admins set token_version = 7").await;

    let answer = given.log_in(Kind::Admin, PASSWORD).send().await.expect(200);

    assert_eq!(given.claims(&answer["access_token"]).ver, 7);
    given.me(Kind::Admin, answer["access_token"].as_str().unwrap()).await.expect(200);
}

#[tokio::test]
async fn every_wrong_login_gets_the_same_answer() {
    let given = given().await;
    let other = given.app.store().await;
    let at = |store_id: &Value, username: &str, password: &str| {
        let body = json!({"store_id": store_id, "username": username, "password": password});
        given.app.post("/api/admin/auth/login").json(body).send()
    };
    let (here, there) = (json!(given.store.id), json!(other.id));
    let nowhere = json!("00000000-0000-0000-0000-000000000000");
    let username = &given.store.admin.username;

    assert_all_wrong(vec![
        at(&here, username, "pass1235").await,
        at(&here, username, "").await,
        at(&here, &username.to_uppercase(), PASSWORD).await,
        at(&here, &format!(" {username}"), PASSWORD).await,
        at(&here, "없는-관리자", PASSWORD).await,
        at(&here, "", PASSWORD).await,
        at(&here, &other.admin.username, PASSWORD).await,
        at(&there, username, PASSWORD).await,
        at(&nowhere, username, PASSWORD).await,
        at(&here, &given.super_admin.username, PASSWORD).await,
        at(&here, &given.table.number, PASSWORD).await,
    ]);
}

#[tokio::test]
async fn only_the_right_password_tells_that_the_account_is_switched_off() {
    let given = given().await;
    given.sql("update admins set is_active = false").await;

    assert_all_wrong(vec![given.log_in(Kind::Admin, "wrong").send().await]);
    given.log_in(Kind::Admin, PASSWORD).send().await.expect_error(403, "ADMIN_INACTIVE");
}

#[tokio::test]
async fn only_the_right_password_tells_that_the_store_is_switched_off() {
    let given = given().await;
    given.sql("update stores set is_active = false").await;

    assert_all_wrong(vec![given.log_in(Kind::Admin, "wrong").send().await]);
    given.log_in(Kind::Admin, PASSWORD).send().await.expect_error(403, "STORE_INACTIVE");
}

#[tokio::test]
async fn bad_input_is_refused() {
    let given = given().await;
    let username = &given.store.admin.username;
    let body = |store_id: Value, username: Value, password: Value| json!({"store_id": store_id, "username": username, "password": password});
    let id = json!(given.store.id);
    for (body, field) in [
        (json!({}), ""),
        (json!("로그인"), ""),
        (json!({"username": username, "password": PASSWORD}), ""),
        (json!({"store_id": id, "password": PASSWORD}), ""),
        (json!({"store_id": id, "username": username}), ""),
        (json!({"store_id": id, "username": username, "password": PASSWORD, "is_active": true}), "is_active"),
        (body(json!("1"), json!(username), json!(PASSWORD)), "store_id"),
        (body(json!(null), json!(username), json!(PASSWORD)), "store_id"),
        (body(json!([id]), json!(username), json!(PASSWORD)), "store_id"),
        (body(id.clone(), json!(["a"]), json!(PASSWORD)), "username"),
        (body(id.clone(), json!(null), json!(PASSWORD)), "username"),
        (body(id.clone(), json!("a\u{0}b"), json!(PASSWORD)), "username"),
        (body(id.clone(), json!(username), json!(true)), "password"),
        (body(id.clone(), json!(username), json!("\u{0}")), "password"),
    ] {
        let request = given.app.post("/api/admin/auth/login").json(body.clone());
        let details = request.send().await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(details["fields"][0]["field"], field, "{body}");
    }
}
