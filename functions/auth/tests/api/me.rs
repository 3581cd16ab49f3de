//! `GET /api/{customer,admin,superadmin}/auth/me`.

use serde_json::json;
use shared::testing::PASSWORD;

use crate::{Kind, given, take_token};

#[tokio::test]
async fn tells_a_table_who_it_is() {
    let given = given().await;
    let session_id = given.open_session().await;

    let me = given.me(Kind::Customer, &given.table.token).await.expect(200);

    assert_eq!(
        me,
        json!({
            "store": {"id": given.store.id, "name": "한빛식당"},
            "table": {"id": given.table.id, "table_number": "창가 1"},
            "session_id": session_id,
        })
    );
    given.sql("update table_sessions set ended_at = started_at").await;
    assert_eq!(given.me(Kind::Customer, &given.table.token).await.expect(200)["session_id"], json!(null));
}

#[tokio::test]
async fn tells_a_store_admin_who_it_is() {
    let given = given().await;

    let me = given.me(Kind::Admin, &given.store.admin.token).await.expect(200);

    let admin = &given.store.admin;
    assert_eq!(
        me,
        json!({
            "store": {"id": given.store.id, "name": "한빛식당"},
            "admin": {"id": admin.id, "username": admin.username, "role": "store_admin"},
        })
    );
}

#[tokio::test]
async fn tells_a_super_admin_who_it_is() {
    let given = given().await;

    let me = given.me(Kind::SuperAdmin, &given.super_admin.token).await.expect(200);

    let admin = &given.super_admin;
    assert_eq!(me, json!({"admin": {"id": admin.id, "username": admin.username, "role": "super_admin"}}));
}

#[tokio::test]
async fn is_what_the_login_says_without_the_token() {
    let given = given().await;
    given.open_session().await;
    for kind in Kind::ALL {
        let mut login = given.log_in(kind, PASSWORD).send().await.expect(200);
        let token = take_token(&mut login);
        for field in ["token_type", "expires_in"] {
            login.as_object_mut().unwrap().remove(field).unwrap();
        }
        assert_eq!(given.me(kind, token.as_str().unwrap()).await.expect(200), login);
    }
}

#[tokio::test]
async fn tells_names_as_they_are_now() {
    let given = given().await;
    given.me(Kind::Customer, &given.table.token).await.expect(200);
    given.sql("update stores set name = '달빛식당'").await;
    given.sql("update tables set table_number = '창가 2'").await;

    let me = given.me(Kind::Customer, &given.table.token).await.expect(200);

    assert_eq!((&me["store"]["name"], &me["table"]["table_number"]), (&json!("달빛식당"), &json!("창가 2")));
}

#[tokio::test]
async fn each_role_has_a_me_of_its_own() {
    let given = given().await;
    for kind in Kind::ALL {
        given.app.get(kind.path("me")).send().await.expect_error(401, "TOKEN_MISSING");
        for other in Kind::ALL {
            let answer = given.me(kind, given.token(other)).await;
            if kind == other {
                answer.expect(200);
            } else {
                answer.expect_error(403, "INSUFFICIENT_PERMISSIONS");
            }
        }
    }
}
