//! `POST /api/customer/auth/login`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::auth::tokens::Claims;
use shared::testing::{Options, PASSWORD, TestApp};

use crate::{Kind, assert_all_wrong, count, given, given_in, take_token};

#[tokio::test]
async fn logs_a_table_in_for_24_hours() {
    let given = given().await;

    let mut answer = given.log_in(Kind::Customer, PASSWORD).send().await.expect(200);

    let token = take_token(&mut answer);
    assert_eq!(
        answer,
        json!({
            "token_type": "Bearer",
            "expires_in": 86_400,
            "store": {"id": given.store.id, "name": "한빛식당"},
            "table": {"id": given.table.id, "table_number": "창가 1"},
            "session_id": null,
        })
    );
    let expected = Claims::new(given.owner(Kind::Customer), 1, given.app.clock.now(), TimeDelta::hours(24));
    assert_eq!(given.claims(&token), expected);
    given.me(Kind::Customer, token.as_str().unwrap()).await.expect(200);
}

#[tokio::test]
async fn names_the_open_session_and_opens_none() {
    let given = given().await;
    let session_id = async || given.log_in(Kind::Customer, PASSWORD).send().await.expect(200)["session_id"].clone();

    assert_eq!(session_id().await, Value::Null);
    assert_eq!(count(&given.app, "table_sessions").await, 0);
    let opened = given.open_session().await;
    assert_eq!(session_id().await, json!(opened));
    given.sql("update table_sessions set ended_at = started_at").await;
    assert_eq!(session_id().await, Value::Null);
}

#[tokio::test]
async fn white_space_around_a_number_does_not_matter() {
    let given = given().await;

    let answer = given.log_in_as(Kind::Customer, "  창가 1\u{3000}", PASSWORD).send().await.expect(200);

    assert_eq!(answer["table"]["table_number"], "창가 1");
}

#[tokio::test]
async fn every_wrong_login_gets_the_same_answer() {
    let given = given().await;
    let other = given.app.store().await;
    given.app.table(&other, "2").await;
    let at = |store_id: &Value, number: &str, password: &str| {
        let body = json!({"store_id": store_id, "table_number": number, "password": password});
        given.app.post("/api/customer/auth/login").json(body).send()
    };
    let here = json!(given.store.id);
    let nowhere = json!("00000000-0000-0000-0000-000000000000");

    assert_all_wrong(vec![
        at(&here, "창가 1", "pass1235").await,
        at(&here, "창가 1", "").await,
        at(&here, "창가 1", " pass1234").await,
        at(&here, "3", PASSWORD).await,
        at(&here, "", PASSWORD).await,
        at(&here, "2", PASSWORD).await,
        at(&json!(other.id), "창가 1", PASSWORD).await,
        at(&nowhere, "창가 1", PASSWORD).await,
        at(&here, &given.store.admin.username, PASSWORD).await,
        at(&here, &given.super_admin.username, PASSWORD).await,
    ]);
}

#[tokio::test]
async fn only_the_right_password_tells_that_the_store_is_switched_off() {
    let given = given().await;
    given.sql("update stores set is_active = false").await;

    assert_all_wrong(vec![given.log_in(Kind::Customer, "wrong").send().await]);
    given.log_in(Kind::Customer, PASSWORD).send().await.expect_error(403, "STORE_INACTIVE");
}

#[tokio::test]
async fn bad_input_is_refused() {
    let given = given().await;
    let body = |store_id: Value, number: Value, password: Value| json!({"store_id": store_id, "table_number": number, "password": password});
    let id = json!(given.store.id);
    for (body, field) in [
        (json!({}), ""),
        (json!([id, "창가 1", PASSWORD]), ""),
        (json!(null), ""),
        (json!({"table_number": "창가 1", "password": PASSWORD}), ""),
        (json!({"store_id": id, "password": PASSWORD}), ""),
        (json!({"store_id": id, "table_number": "창가 1"}), ""),
        (json!({"store_id": id, "table_number": "창가 1", "password": PASSWORD, "role": "table"}), "role"),
        (body(json!("한빛식당"), json!("창가 1"), json!(PASSWORD)), "store_id"),
        (body(json!(""), json!("창가 1"), json!(PASSWORD)), "store_id"),
        (body(json!(1), json!("창가 1"), json!(PASSWORD)), "store_id"),
        (body(json!(null), json!("창가 1"), json!(PASSWORD)), "store_id"),
        (body(id.clone(), json!(1), json!(PASSWORD)), "table_number"),
        (body(id.clone(), json!(null), json!(PASSWORD)), "table_number"),
        (body(id.clone(), json!("창가\u{0}1"), json!(PASSWORD)), "table_number"),
        (body(id.clone(), json!("창가 1"), json!(1234)), "password"),
        (body(id.clone(), json!("창가 1"), json!(null)), "password"),
        (body(id.clone(), json!("창가 1"), json!("pass\u{0}1234")), "password"),
    ] {
        let request = given.app.post("/api/customer/auth/login").json(body.clone());
        let details = request.send().await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(details["fields"][0]["field"], field, "{body}");
        assert!(details["fields"][0]["reason"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn a_tokens_life_can_be_configured() {
    let options = Options::default().set("JWT_TABLE_EXPIRE_HOURS", "2").set("JWT_ADMIN_EXPIRE_HOURS", "1");
    let given = given_in(TestApp::start_with(options, |_, _| auth::router()).await).await;
    for (kind, expires_in) in [(Kind::Customer, 7_200), (Kind::Admin, 3_600), (Kind::SuperAdmin, 3_600)] {
        let answer = given.log_in(kind, PASSWORD).send().await.expect(200);
        assert_eq!(answer["expires_in"], expires_in);
        let claims = given.claims(&answer["access_token"]);
        assert_eq!(claims.exp - claims.iat, expires_in);
    }
}
