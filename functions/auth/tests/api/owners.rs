//! Whether a token's owner still stands, as of at most 30 s ago in one process.

use chrono::TimeDelta;
use shared::auth::tokens::Claims;
use shared::testing::{PASSWORD, TestResponse};

use crate::{Given, Kind, given};

impl Given {
    /// Go to the last millisecond of the 30 s, and one further.
    fn nearly_half_a_minute_later(&self) {
        self.app.clock.advance(TimeDelta::milliseconds(29_999));
    }

    fn a_millisecond_later(&self) {
        self.app.clock.advance(TimeDelta::milliseconds(1));
    }

    /// A request that reads nothing but the caller.
    async fn ask(&self, kind: Kind, token: &str) -> TestResponse {
        self.app.post(kind.path("stream-ticket")).token(token).send().await
    }

    /// The table's token of another version.
    fn table_token_of_version(&self, version: i32) -> String {
        let claims = Claims::new(self.owner(Kind::Customer), version, self.app.clock.now(), TimeDelta::hours(1));
        self.app.app.tokens.sign(&claims).unwrap()
    }
}

#[tokio::test]
async fn an_admin_that_is_switched_off_is_out_within_30_seconds() {
    let given = given().await;
    for kind in [Kind::Admin, Kind::SuperAdmin] {
        given.sql("update admins set is_active = true").await;
        given.me(kind, given.token(kind)).await.expect(200);
        given.sql("update admins set is_active = false").await;

        given.nearly_half_a_minute_later();
        given.me(kind, given.token(kind)).await.expect(200);
        given.a_millisecond_later();
        given.me(kind, given.token(kind)).await.expect_error(401, "INVALID_TOKEN");
    }
}

#[tokio::test]
async fn whoever_was_not_seen_yet_is_out_at_once() {
    let given = given().await;
    given.sql("update admins set is_active = false").await;
    given.sql("delete from tables").await;
    for kind in Kind::ALL {
        given.me(kind, given.token(kind)).await.expect_error(401, "INVALID_TOKEN");
    }
}

#[tokio::test]
async fn a_check_renews_the_older_answers_on_others() {
    let given = given().await;
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.app.clock.advance(TimeDelta::seconds(15));
    given.ask(Kind::Admin, &given.store.admin.token).await.expect(201);

    given.app.cut_off_database().await;

    given.app.clock.advance(TimeDelta::seconds(29));
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.app.clock.advance(TimeDelta::seconds(1));
    given.ask(Kind::Customer, &given.table.token).await.expect_error(503, "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn a_check_of_another_finds_who_is_out() {
    let given = given().await;
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.sql("update tables set token_version = 2").await;
    given.app.clock.advance(TimeDelta::seconds(15));

    given.ask(Kind::Admin, &given.store.admin.token).await.expect(201);

    given.ask(Kind::Customer, &given.table.token).await.expect_error(401, "INVALID_TOKEN");
}

/// Asked for all the time, an answer still grows old.
#[tokio::test]
async fn asking_does_not_make_an_answer_younger() {
    let given = given().await;
    given.ask(Kind::Admin, &given.store.admin.token).await.expect(201);
    given.sql("update admins set is_active = false").await;
    for _ in 0..2 {
        given.app.clock.advance(TimeDelta::seconds(14));
        given.ask(Kind::Admin, &given.store.admin.token).await.expect(201);
    }

    given.app.clock.advance(TimeDelta::seconds(2));

    given.ask(Kind::Admin, &given.store.admin.token).await.expect_error(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_deleted_tables_token_is_out_within_30_seconds() {
    let given = given().await;
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.sql("delete from tables").await;

    given.nearly_half_a_minute_later();
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.a_millisecond_later();
    given.ask(Kind::Customer, &given.table.token).await.expect_error(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_new_token_version_ends_the_older_tokens_within_30_seconds() {
    let given = given().await;
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.sql("update tables set token_version = 2").await;

    given.nearly_half_a_minute_later();
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.a_millisecond_later();
    given.ask(Kind::Customer, &given.table.token).await.expect_error(401, "INVALID_TOKEN");
    given.ask(Kind::Customer, &given.table_token_of_version(2)).await.expect(201);
}

/// Or a tablet could not use the token that it has just been given.
#[tokio::test]
async fn a_token_of_the_new_version_is_good_at_once_and_the_older_one_then_is_not() {
    let given = given().await;
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.sql("update tables set token_version = 2").await;

    let login = given.log_in(Kind::Customer, PASSWORD).send().await.expect(200);
    given.ask(Kind::Customer, login["access_token"].as_str().unwrap()).await.expect(201);

    given.ask(Kind::Customer, &given.table.token).await.expect_error(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_token_of_a_version_to_come_is_refused() {
    let given = given().await;
    let token = given.table_token_of_version(2);
    given.ask(Kind::Customer, &token).await.expect_error(401, "INVALID_TOKEN");

    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.ask(Kind::Customer, &token).await.expect_error(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_store_that_is_switched_off_shuts_its_own_people_out_within_30_seconds() {
    let given = given().await;
    let other = given.app.store().await;
    for kind in Kind::ALL {
        given.me(kind, given.token(kind)).await.expect(200);
    }
    let sql = "update stores set is_active = false where id = $1";
    sqlx::query(sql).bind(given.store.id).execute(given.app.db()).await.unwrap();

    given.nearly_half_a_minute_later();
    for kind in Kind::ALL {
        given.me(kind, given.token(kind)).await.expect(200);
    }
    given.a_millisecond_later();
    for kind in [Kind::Customer, Kind::Admin] {
        given.me(kind, given.token(kind)).await.expect_error(403, "STORE_INACTIVE");
    }
    given.me(Kind::SuperAdmin, &given.super_admin.token).await.expect(200);
    given.me(Kind::Admin, &other.admin.token).await.expect(200);
}

#[tokio::test]
async fn a_refusal_is_remembered_as_long_and_no_longer() {
    let given = given().await;
    given.sql("update stores set is_active = false").await;
    given.me(Kind::Customer, &given.table.token).await.expect_error(403, "STORE_INACTIVE");
    given.sql("update stores set is_active = true").await;

    given.nearly_half_a_minute_later();
    given.me(Kind::Customer, &given.table.token).await.expect_error(403, "STORE_INACTIVE");
    given.a_millisecond_later();
    given.me(Kind::Customer, &given.table.token).await.expect(200);
}

#[tokio::test]
async fn how_one_owner_stands_says_nothing_of_another_with_the_same_number() {
    let given = given().await;
    // Identities of tables and of admins both count from 1.
    assert_eq!(given.table.id.get(), given.store.admin.id.get());
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.sql("update admins set is_active = false").await;

    given.ask(Kind::Admin, &given.store.admin.token).await.expect_error(401, "INVALID_TOKEN");
    given.ask(Kind::Customer, &given.table.token).await.expect(201);
}

#[tokio::test]
async fn without_the_database_a_remembered_owner_is_in_and_no_other() {
    let given = given().await;
    given.ask(Kind::Customer, &given.table.token).await.expect(201);

    given.app.cut_off_database().await;

    given.ask(Kind::Customer, &given.table.token).await.expect(201);
    given.ask(Kind::Admin, &given.store.admin.token).await.expect_error(503, "SERVICE_UNAVAILABLE");
}
