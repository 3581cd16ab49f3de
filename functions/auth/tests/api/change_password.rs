//! `POST /api/{admin,superadmin}/auth/change-password`.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::auth::passwords::Passwords;
use shared::auth::tokens::Claims;
use shared::domain::{StoreId, Timestamp};
use shared::testing::{PASSWORD, TestResponse};

use crate::{Given, Kind, WRONG, count, given, take_token};

/// Who may change a password.
const ADMINS: [Kind; 2] = [Kind::Admin, Kind::SuperAdmin];
const NEW: &str = "새비밀번호";

impl Given {
    async fn change(&self, kind: Kind, token: &str, body: Value) -> TestResponse {
        self.app.post(kind.path("change-password")).token(token).json(body).send().await
    }

    /// A change of the given caller's own password.
    async fn change_own(&self, kind: Kind, current: &str, new: &str) -> TestResponse {
        self.change(kind, self.token(kind), json!({"current_password": current, "new_password": new})).await
    }

    /// An account's password hash and token version.
    async fn account(&self, kind: Kind) -> (String, i32) {
        let query = sqlx::query_as("select password_hash, token_version from admins where id = $1");
        query.bind(self.owner(kind).id).fetch_one(self.app.db()).await.unwrap()
    }
}

#[tokio::test]
async fn gives_a_new_token_and_ends_the_older_ones_at_once() {
    for kind in ADMINS {
        let given = given().await;
        let earlier = given.log_in(kind, PASSWORD).send().await.expect(200)["access_token"].clone();
        let me = given.me(kind, given.token(kind)).await.expect(200);
        given.me(kind, earlier.as_str().unwrap()).await.expect(200);

        let mut answer = given.change_own(kind, PASSWORD, NEW).await.expect(200);

        let token = take_token(&mut answer);
        let mut expected = json!({"token_type": "Bearer", "expires_in": 57_600});
        expected.as_object_mut().unwrap().extend(me.as_object().unwrap().clone());
        assert_eq!(answer, expected);
        let claims = Claims::new(given.owner(kind), 2, given.app.clock.now(), TimeDelta::hours(16));
        assert_eq!(given.claims(&token), claims);
        given.me(kind, given.token(kind)).await.expect_error(401, "INVALID_TOKEN");
        given.me(kind, earlier.as_str().unwrap()).await.expect_error(401, "INVALID_TOKEN");
        assert_eq!(given.me(kind, token.as_str().unwrap()).await.expect(200), me);
    }
}

#[tokio::test]
async fn from_then_on_the_new_password_is_right_and_the_old_one_wrong() {
    for kind in ADMINS {
        let given = given().await;

        given.change_own(kind, PASSWORD, NEW).await.expect(200);

        given.log_in(kind, PASSWORD).send().await.expect_error(401, "INVALID_CREDENTIALS");
        let login = given.log_in(kind, NEW).send().await.expect(200);
        assert_eq!(given.claims(&login["access_token"]).ver, 2);
    }
}

#[tokio::test]
async fn nobody_elses_password_or_token_changes() {
    let given = given().await;
    let colleague = given.app.admin(Some(given.store.id)).await;

    given.change_own(Kind::Admin, PASSWORD, NEW).await.expect(200);

    given.me(Kind::Admin, &colleague.token).await.expect(200);
    given.me(Kind::SuperAdmin, &given.super_admin.token).await.expect(200);
    given.log_in_as(Kind::Admin, &colleague.username, PASSWORD).send().await.expect(200);
}

#[tokio::test]
async fn leaves_an_audit_entry_without_a_secret() {
    for (kind, has_store) in [(Kind::Admin, true), (Kind::SuperAdmin, false)] {
        let given = given().await;
        given.app.clock.advance(TimeDelta::minutes(1));

        given.change_own(kind, PASSWORD, NEW).await.expect(200);

        let entry: (Option<StoreId>, i64, String, String, Timestamp) =
            sqlx::query_as("select store_id, admin_id, action, entity_id, created_at from audit_entries")
                .fetch_one(given.app.db())
                .await
                .unwrap();
        let id = given.owner(kind).id;
        let store_id = has_store.then_some(given.store.id);
        let action = "admin.change_password".to_owned();
        assert_eq!(entry, (store_id, id, action, id.to_string(), given.app.clock.now()));
        let details: Value =
            sqlx::query_scalar("select details from audit_entries").fetch_one(given.app.db()).await.unwrap();
        assert_eq!(details, json!({}));
    }
}

#[tokio::test]
async fn a_wrong_current_password_is_refused_and_changes_nothing() {
    for kind in ADMINS {
        let given = given().await;
        let before = given.account(kind).await;
        for current in ["wrong", "", "pass1234 ", &"가".repeat(24)] {
            let answer = given.change_own(kind, current, NEW).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (401, WRONG));
        }

        assert_eq!(given.account(kind).await, before);
        assert_eq!(count(&given.app, "audit_entries").await, 0);
        given.me(kind, given.token(kind)).await.expect(200);
        given.log_in(kind, PASSWORD).send().await.expect(200);
    }
}

#[tokio::test]
async fn a_new_password_has_8_to_71_bytes() {
    let given = given().await;
    let before = given.account(Kind::Admin).await;
    for new in ["", "1234567", "가나", &"p".repeat(72), &"가".repeat(24), "pass\u{0}1234", "pass\n1234"] {
        let details = given.change_own(Kind::Admin, PASSWORD, new).await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(details["fields"][0]["field"], "new_password", "{new:?}");
    }
    assert_eq!(given.account(Kind::Admin).await, before);
    assert_eq!(count(&given.app, "audit_entries").await, 0);

    let (mut current, mut token) = (PASSWORD.to_owned(), given.store.admin.token.clone());
    for new in ["12345678".to_owned(), "가나다".to_owned(), "p".repeat(71), "가".repeat(23) + "ab"] {
        let body = json!({"current_password": current, "new_password": new});
        let answer = given.change(Kind::Admin, &token, body).await.expect(200);
        token = answer["access_token"].as_str().unwrap().to_owned();
        given.log_in(Kind::Admin, &new).send().await.expect(200);
        current = new;
    }
}

#[tokio::test]
async fn bad_input_is_refused() {
    let given = given().await;
    for kind in ADMINS {
        for (body, field) in [
            (json!({}), ""),
            (json!([PASSWORD, NEW]), ""),
            (json!({"current_password": PASSWORD}), ""),
            (json!({"new_password": NEW}), ""),
            (json!({"current_password": PASSWORD, "new_password": NEW, "username": "kim"}), "username"),
            (json!({"current_password": null, "new_password": NEW}), "current_password"),
            (json!({"current_password": 1234, "new_password": NEW}), "current_password"),
            (json!({"current_password": "a\u{0}b", "new_password": NEW}), "current_password"),
            (json!({"current_password": PASSWORD, "new_password": null}), "new_password"),
            (json!({"current_password": PASSWORD, "new_password": 12_345_678}), "new_password"),
        ] {
            let answer = given.change(kind, given.token(kind), body.clone()).await;
            let details = answer.expect_error(400, "VALIDATION_ERROR");
            assert_eq!(details["fields"][0]["field"], field, "{body}");
        }
    }
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}

#[tokio::test]
async fn needs_the_token_of_the_admin_itself() {
    let given = given().await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    for kind in ADMINS {
        let post = || given.app.post(kind.path("change-password")).json(body.clone());
        post().send().await.expect_error(401, "TOKEN_MISSING");
        post().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
        for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
            post().token(given.token(other)).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        }
    }
    given.change(Kind::Customer, &given.table.token, body).await.expect_error(404, "NOT_FOUND");
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}

#[tokio::test]
async fn an_older_token_cannot_change_it_back() {
    let given = given().await;
    given.change_own(Kind::Admin, PASSWORD, NEW).await.expect(200);

    given.change_own(Kind::Admin, NEW, PASSWORD).await.expect_error(401, "INVALID_TOKEN");

    given.log_in(Kind::Admin, NEW).send().await.expect(200);
}

/// A stolen token must not be a way to guess the password.
#[tokio::test]
async fn guesses_count_as_wrong_logins() {
    for kind in ADMINS {
        let given = given().await;
        for _ in 0..3 {
            given.change_own(kind, "wrong", NEW).await.expect_error(401, "INVALID_CREDENTIALS");
        }
        for _ in 0..2 {
            given.log_in(kind, "wrong").send().await.expect_error(401, "INVALID_CREDENTIALS");
        }

        for answer in [given.change_own(kind, PASSWORD, NEW).await, given.log_in(kind, PASSWORD).send().await] {
            assert_eq!(answer.header("retry-after"), Some("900"));
            answer.expect_error(429, "RATE_LIMIT_EXCEEDED");
        }
        assert_eq!(given.account(kind).await.1, 1);
        given.app.clock.advance(TimeDelta::minutes(15));
        given.change_own(kind, PASSWORD, NEW).await.expect(200);
    }
}

#[tokio::test]
async fn guesses_count_against_the_address_too() {
    let given = given().await;
    let change = |token: &str, current: &str| {
        let body = json!({"current_password": current, "new_password": NEW});
        given.app.post("/api/admin/auth/change-password").token(token).from("198.51.100.7").json(body).send()
    };
    for _ in 0..5 {
        let colleague = given.app.admin(Some(given.store.id)).await;
        for _ in 0..4 {
            change(&colleague.token, "wrong").await.expect_error(401, "INVALID_CREDENTIALS");
        }
    }

    change(&given.store.admin.token, PASSWORD).await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    let request = given.log_in(Kind::Customer, PASSWORD).from("198.51.100.7");
    request.send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    given.change_own(Kind::Admin, PASSWORD, NEW).await.expect(200);
}

#[tokio::test]
async fn a_new_password_that_is_refused_is_no_guess() {
    let given = given().await;
    for _ in 0..6 {
        given.change_own(Kind::Admin, "wrong", "short").await.expect_error(400, "VALIDATION_ERROR");
    }
    given.change_own(Kind::Admin, PASSWORD, NEW).await.expect(200);
}

/// The old password was right when it was checked, and is not when the new one is written: whoever reset it meant to
/// shut out whoever knows the old one.
#[tokio::test]
async fn a_reset_that_comes_in_between_is_not_overwritten() {
    let given = given().await;
    let hash = Passwords::new(4).hash("reset-by-hand".into()).await.unwrap();
    let mut reset = given.app.db().begin().await.unwrap();
    let sql = "update admins set password_hash = $1, token_version = token_version + 1 where id = $2";
    sqlx::query(sql).bind(&hash).bind(given.store.admin.id).execute(&mut *reset).await.unwrap();
    let somebody_waits = async || {
        let sql = "select exists (
                       select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
                   )";
        sqlx::query_scalar::<_, bool>(sql).fetch_one(given.app.db()).await.unwrap()
    };
    let commit = async {
        let waits = async { while !somebody_waits().await {} };
        tokio::time::timeout(Duration::from_secs(10), waits).await.expect("the change waits for the reset");
        reset.commit().await.unwrap();
    };

    let (answer, ()) = tokio::join!(given.change_own(Kind::Admin, PASSWORD, NEW), commit);

    assert_eq!(answer.status.as_u16(), 401, "{}", answer.body);
    assert_eq!(given.account(Kind::Admin).await, (hash, 2));
    assert_eq!(count(&given.app, "audit_entries").await, 0);
    given.log_in(Kind::Admin, "reset-by-hand").send().await.expect(200);
}
