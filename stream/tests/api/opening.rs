//! Opening a stream: who may, and how it begins.

use chrono::TimeDelta;
use shared::auth::tokens::Claims;
use shared::db;
use shared::testing::{TestResponse, Way, in_both_worlds};
use tokio::time::timeout;

use crate::{GUARD, Given, given, ids, once_back, open, refused};

const BOARD: &str = "/api/admin/orders/stream";
const TABLET: &str = "/api/customer/orders/stream";

impl Given {
    /// What a refused stream answers.
    async fn refused(&self, path: &str, token: &str) -> TestResponse {
        refused(self.app.get(path).token(token)).await
    }
}

#[tokio::test]
async fn says_that_it_is_a_stream_and_not_to_be_kept() {
    let given = given().await;
    for (path, token) in [(BOARD, &given.store.admin.token), (TABLET, &given.table.token)] {
        let response = given.app.get(path).token(token).open().await;

        assert_eq!(response.status().as_u16(), 200);
        let header = |name| response.headers()[name].to_str().unwrap();
        assert!(header("content-type").starts_with("text/event-stream"));
        assert_eq!(header("cache-control"), "no-cache");
        assert_eq!(header("x-accel-buffering"), "no");
        assert!(!header("x-request-id").is_empty());
    }
}

in_both_worlds! {
    async fn begins_with_retry_and_ready_and_where_the_feed_stands(given: Given) {
        let open_board = || open(given.app.get(BOARD).token(&given.store.admin.token));

        let ready = open_board().await.event().await;
        assert!(ready.field("retry").unwrap().parse::<u32>().unwrap() > 0);
        assert_eq!((ready.event(), ready.id()), (Some("ready"), Some(given.at(0).as_str())));

        given.append_cards(3).await;
        assert_eq!(open_board().await.event().await.id().unwrap(), given.at(3));
        let mut tablet = open(given.app.get(TABLET).token(&given.table.token)).await;
        assert_eq!(tablet.event().await.id().unwrap(), given.at(3));
    }

    async fn shows_what_happens_from_the_moment_it_is_open(given: Given) {
        given.append_cards(1).await;
        let mut board = open(given.app.get(BOARD).token(&given.store.admin.token)).await;

        given.append_cards(2).await;

        assert_eq!(ids(&board.events(3).await), [given.at(1), given.at(2), given.at(3)]);
        given.check_nothing_more(&mut [board], 4).await;
    }
}

#[tokio::test]
async fn needs_a_good_token() {
    let given = given().await;
    for path in [BOARD, TABLET] {
        refused(given.app.get(path)).await.expect_error(401, "TOKEN_MISSING");
        given.refused(path, "nonsense").await.expect_error(401, "INVALID_TOKEN");
    }
    let claims = Claims::new(given.admin_owner(), 1, given.app.clock.now(), TimeDelta::seconds(10));
    let token = given.app.app.tokens.sign(&claims).unwrap();
    given.app.clock.advance(TimeDelta::seconds(10));
    given.refused(BOARD, &token).await.expect_error(401, "TOKEN_EXPIRED");
    assert_eq!(given.streams.open_count(), 0);
}

#[tokio::test]
async fn each_stream_is_for_one_role() {
    let given = given().await;
    let super_admin = given.app.admin(None).await;

    given.refused(BOARD, &given.table.token).await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    given.refused(TABLET, &given.store.admin.token).await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    for path in [BOARD, TABLET] {
        given.refused(path, &super_admin.token).await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    }
    assert_eq!(given.streams.open_count(), 0);
}

#[tokio::test]
async fn the_owner_is_checked_anew_however_lately_it_was_checked() {
    let given = given().await;
    let list = || given.app.get("/api/admin/orders").token(&given.store.admin.token).send();
    list().await.expect(200);
    given.app.get("/api/customer/orders").token(&given.table.token).send().await.expect(200);

    given.sql("update admins set is_active = false").await;
    given.sql("update tables set token_version = token_version + 1").await;

    given.refused(BOARD, &given.store.admin.token).await.expect_error(401, "INVALID_TOKEN");
    given.refused(TABLET, &given.table.token).await.expect_error(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_store_that_is_switched_off_has_no_streams() {
    let given = given().await;
    given.sql("update stores set is_active = false").await;

    given.refused(BOARD, &given.store.admin.token).await.expect_error(403, "STORE_INACTIVE");
    given.refused(TABLET, &given.table.token).await.expect_error(403, "STORE_INACTIVE");
}

#[tokio::test]
async fn unknown_parameters_are_refused() {
    let given = given().await;

    let answer = given.refused(&format!("{BOARD}?table_id=1"), &given.store.admin.token).await;

    answer.expect_error(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn with_the_database_down_open_streams_stay_and_new_ones_wait() {
    let given = given().await;
    let mut board = given.board().await;
    let mut tablet = given.tablet(&given.table).await;

    given.app.cut_off_database().await;

    assert!(given.streams.recheck(&given.app.app).await.is_err(), "nobody can be checked");
    for _ in 0..3 {
        given.refused(BOARD, &given.store.admin.token).await.expect_error(503, "SERVICE_UNAVAILABLE");
        given.refused(TABLET, &given.table.token).await.expect_error(503, "SERVICE_UNAVAILABLE");
    }
    given.append_cards(1).await;
    assert_eq!(board.event().await.id(), Some("test-1"));
    assert_eq!(tablet.event().await.id(), Some("test-1"));
    given.app.restore_database().await;
    once_back(async || given.streams.recheck(&given.app.app).await).await;
    assert!(board.is_silent().await && tablet.is_silent().await);
    assert!(given.board().await.is_silent().await);
}

/// Whoever was logged out must not stay because of it once the database is back.
#[tokio::test]
async fn streams_are_checked_again_though_a_question_was_never_answered() {
    let given = given().await;
    let (app, way) = (&given.app.app, Way::to(&given.app.database_url()).await);
    let mut board = given.board().await;
    app.db.set_connect_options(db::connect_options(&way.url).unwrap());
    given.app.cut_off_database().await;
    given.app.restore_database().await;
    once_back(async || given.streams.recheck(app).await).await;
    assert!(db::at_rest(&app.db, GUARD).await);

    way.lose_connections();

    assert!(timeout(GUARD, given.streams.recheck(app)).await.expect("it is waited for an answer").is_err());
    once_back(async || given.streams.recheck(app).await).await;
    assert!(board.is_silent().await);
}
