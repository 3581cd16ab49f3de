//! What keeps a stream open, and what ends it.

use std::time::Duration;

use chrono::TimeDelta;
use shared::auth::tokens::Claims;
use shared::domain::event::{Event, MenuChanged};
use shared::events::feed::MOST_BEHIND;
use stream::HEARTBEAT;
use tokio::time;

use crate::{GUARD, given, ids, past_ready, positions};

#[tokio::test]
async fn a_client_that_goes_is_off_the_list() {
    let given = given().await;
    assert_eq!(given.streams.open_count(), 0);
    let board = given.board().await;
    let tablet = given.tablet(&given.table).await;
    assert_eq!(given.streams.open_count(), 2);

    drop(board);
    assert_eq!(given.streams.open_count(), 1);
    drop(tablet);
    assert_eq!(given.streams.open_count(), 0);
    assert_eq!(given.streams.slow_readers(), 0);
}

#[tokio::test]
async fn a_client_that_goes_before_it_has_read_is_off_the_list() {
    let given = given().await;
    let response = given.app.get("/api/admin/orders/stream").token(&given.store.admin.token).open().await;
    assert_eq!(given.streams.open_count(), 1);

    drop(response);

    assert_eq!(given.streams.open_count(), 0);
}

#[tokio::test]
async fn a_slow_reader_is_cut_off_and_counted_and_others_are_not() {
    let given = given().await;
    let mut slow = given.board().await;
    let mut slow_tablet = given.tablet(&given.table).await;
    let mut fast = given.board().await;

    for sequence in 1..=MOST_BEHIND + 1 {
        given.append_cards(1).await;
        assert_eq!(fast.event().await.id(), Some(format!("test-{sequence}").as_str()));
    }

    assert_eq!(slow.next().await, None);
    assert_eq!(slow_tablet.next().await, None);
    assert_eq!(given.streams.slow_readers(), 2);
    assert_eq!(given.streams.open_count(), 1);
    given.append_cards(1).await;
    assert_eq!(fast.event().await.id(), Some(format!("test-{}", MOST_BEHIND + 2).as_str()));
}

#[tokio::test]
async fn a_slow_reader_that_comes_back_has_missed_nothing() {
    let given = given().await;
    let mut slow = given.board().await;
    given.append_cards(1).await;
    let left_at = slow.event().await.id().unwrap().to_owned();
    given.append_cards(MOST_BEHIND + 1).await;
    assert_eq!(slow.next().await, None);

    let mut again = given.board_again(&left_at).await;

    assert_eq!(again.event().await.id(), Some("test-1"));
    assert_eq!(ids(&again.events(MOST_BEHIND + 1).await), positions(1, MOST_BEHIND + 1));
}

#[tokio::test]
async fn a_reader_may_fall_256_events_behind() {
    let given = given().await;
    let mut behind = given.board().await;
    let gone = given.board().await;

    given.append_cards(MOST_BEHIND).await;

    drop(gone);
    assert_eq!(ids(&behind.events(MOST_BEHIND).await), positions(0, MOST_BEHIND));
    assert!(behind.is_silent().await);
    assert_eq!(given.streams.slow_readers(), 0);
}

#[tokio::test]
async fn a_reader_that_has_stopped_altogether_is_counted_when_it_goes() {
    let given = given().await;
    let stuck = given.board().await;
    given.append_cards(MOST_BEHIND + 1).await;

    drop(stuck);

    assert_eq!(given.streams.slow_readers(), 1);
    assert_eq!(given.streams.open_count(), 0);
}

#[tokio::test]
async fn a_comment_every_15_seconds_keeps_a_silent_stream_open() {
    let given = given().await;
    assert_eq!(HEARTBEAT, Duration::from_secs(15));
    let mut board = given.board().await;
    let mut tablet = given.tablet(&given.table).await;
    time::pause();
    // From an event on, silence is counted anew.
    given.append_cards(1).await;
    assert_eq!(board.event().await.id(), Some("test-1"));
    assert_eq!(tablet.event().await.id(), Some("test-1"));

    for _ in 0..3 {
        time::advance(Duration::from_millis(14_900)).await;
        assert!(board.is_silent().await && tablet.is_silent().await);
        time::advance(Duration::from_millis(101)).await;
        for reader in [&mut board, &mut tablet] {
            let comment = reader.waiting().await.unwrap().0;
            assert!(comment.starts_with(':') && !comment.contains('\n'), "{comment}");
        }
    }
}

#[tokio::test]
async fn an_event_puts_the_next_comment_off() {
    let given = given().await;
    let mut board = given.board().await;
    time::pause();
    for _ in 0..5 {
        time::advance(Duration::from_secs(10)).await;
        given.append_cards(1).await;
        assert_eq!(board.event().await.event(), Some("menu.changed"));
    }
    time::advance(Duration::from_millis(14_900)).await;
    assert!(board.is_silent().await);
    time::advance(Duration::from_millis(101)).await;
    assert!(board.waiting().await.unwrap().0.starts_with(':'));
}

#[tokio::test]
async fn at_its_tokens_end_a_stream_says_so_and_closes() {
    let given = given().await;
    let claims = Claims::new(given.admin_owner(), 1, given.app.clock.now(), TimeDelta::seconds(10));
    let token = given.app.app.tokens.sign(&claims).unwrap();
    let ticket = given.app.app.tickets.issue(claims.into(), given.app.clock.now()).await.unwrap();
    let by_header = past_ready(given.app.get("/api/admin/orders/stream").token(&token)).await;
    let by_ticket = past_ready(given.app.get(format!("/api/admin/orders/stream?ticket={ticket}"))).await;
    let mut lasting = given.board().await;
    time::pause();

    let mut ending = [by_header, by_ticket];
    time::advance(Duration::from_secs(5)).await;
    for board in &mut ending {
        assert!(board.is_silent().await);
    }
    time::advance(Duration::from_secs(5) + Duration::from_millis(10)).await;

    for board in &mut ending {
        let last = board.waiting().await.unwrap();
        assert_eq!((last.event(), last.id()), (Some("token_expired"), None));
        assert_eq!(board.next().await, None);
    }
    assert!(lasting.is_silent().await);
    assert_eq!(given.streams.open_count(), 1);
}

#[tokio::test]
async fn a_busy_stream_ends_with_its_token_too() {
    let given = given().await;
    let claims = Claims::new(given.admin_owner(), 1, given.app.clock.now(), TimeDelta::seconds(10));
    let token = given.app.app.tokens.sign(&claims).unwrap();
    let mut board = past_ready(given.app.get("/api/admin/orders/stream").token(&token)).await;
    time::pause();
    for _ in 0..9 {
        time::advance(Duration::from_secs(1)).await;
        given.append_cards(1).await;
        assert_eq!(board.event().await.event(), Some("menu.changed"));
    }

    time::advance(Duration::from_secs(1) + Duration::from_millis(10)).await;
    given.append_cards(1).await;

    assert_eq!(board.waiting().await.unwrap().event(), Some("token_expired"));
    assert_eq!(board.next().await, None);
}

#[tokio::test]
async fn callers_who_were_logged_out_are_cut_off_and_others_stay() {
    let given = given().await;
    let colleague = given.app.admin(Some(given.store.id)).await;
    let other_table = given.app.table(&given.store, "2").await;
    let mut deactivated = given.board().await;
    let mut deactivated_too = given.board().await;
    let mut active = past_ready(given.app.get("/api/admin/orders/stream").token(&colleague.token)).await;
    let mut logged_out = given.tablet(&given.table).await;
    let mut tablet = given.tablet(&other_table).await;
    given.streams.recheck(&given.app.app).await.unwrap();
    assert_eq!(given.streams.open_count(), 5);

    let deactivate = sqlx::query("update admins set is_active = false where id = $1").bind(given.store.admin.id);
    deactivate.execute(given.app.db()).await.unwrap();
    let renew = sqlx::query("update tables set token_version = token_version + 1 where id = $1").bind(given.table.id);
    renew.execute(given.app.db()).await.unwrap();
    assert!(deactivated.is_silent().await && logged_out.is_silent().await);
    given.streams.recheck(&given.app.app).await.unwrap();

    for reader in [&mut deactivated, &mut deactivated_too, &mut logged_out] {
        assert_eq!(reader.next().await, None);
    }
    given.append_cards(1).await;
    for reader in [&mut active, &mut tablet] {
        assert_eq!(reader.event().await.id(), Some("test-1"));
    }
    assert_eq!(given.streams.open_count(), 2);
}

#[tokio::test]
async fn streams_of_a_store_that_was_switched_off_and_of_a_deleted_table_are_cut_off() {
    let given = given().await;
    let other = given.app.store().await;
    let spare = given.app.table(&given.store, "2").await;
    let mut of_deleted = given.tablet(&spare).await;
    let mut board = given.board().await;
    let mut elsewhere = given.board_of(&other).await;
    given.as_admin(given.app.delete(format!("/api/admin/tables/{}", spare.id))).await.expect(204);
    given.streams.recheck(&given.app.app).await.unwrap();
    assert_eq!(of_deleted.next().await, None);
    assert!(board.is_silent().await);

    let switch_off = sqlx::query("update stores set is_active = false where id = $1").bind(given.store.id);
    switch_off.execute(given.app.db()).await.unwrap();
    given.streams.recheck(&given.app.app).await.unwrap();

    assert_eq!(board.next().await, None);
    assert!(elsewhere.is_silent().await);
}

#[tokio::test]
async fn callers_are_checked_regularly_until_the_process_stops() {
    let given = given().await;
    let mut board = given.board().await;
    given.sql("update admins set is_active = false").await;

    let checking = tokio::spawn(given.streams.clone().recheck_regularly(given.app.app.clone()));

    assert_eq!(board.next().await, None);
    given.stopped.cancel();
    time::timeout(GUARD, checking).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_process_that_stops_ends_its_streams_at_once() {
    let given = given().await;
    let mut waiting = given.board().await;
    let mut unread = given.board().await;
    let mut tablet = given.tablet(&given.table).await;
    assert!(given.append(Event::MenuChanged(MenuChanged::card())).await);
    assert_eq!(waiting.event().await.id(), Some("test-1"));

    let (end, ()) = tokio::join!(waiting.next(), async { given.stopped.cancel() });

    assert_eq!(end, None);
    assert_eq!(unread.next().await, None);
    assert_eq!(tablet.next().await, None);
    assert_eq!(given.streams.open_count(), 0);
}
