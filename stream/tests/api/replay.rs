//! Coming back: what was missed, in order, and then what happens, without a gap.

use std::sync::Arc;

use chrono::TimeDelta;
use shared::events::feed::KEPT;
use shared::testing::in_both_worlds;

use crate::come_and_go::come_and_go;
use crate::{EventReader, Given, given, ids, open, positions};

impl Given {
    /// Check that a board with this position is told to load again, once, and then goes on live.
    async fn check_resync(&self, left_at: &str) {
        check_resync(self.board_again(left_at).await, &self.position().await.to_string(), self).await;
    }
}

async fn check_resync(mut reader: EventReader, position: &str, given: &Given) {
    let ready = reader.event().await;
    assert_eq!((ready.event(), ready.id()), (Some("ready"), Some(position)));
    let resync = reader.event().await;
    assert_eq!((resync.event(), resync.id()), (Some("resync"), Some(position)));
    assert!(reader.is_silent().await);
    given.append_cards(1).await;
    assert_eq!(reader.event().await.event(), Some("menu.changed"));
}

in_both_worlds! {
    async fn what_was_missed_comes_first_and_then_what_happens(given: Given) {
        let orders = [given.order().await, given.order().await, given.order().await];
        given.app.drain().await;
        let by_header = given.board_again(&given.at(1)).await;
        let path = format!("/api/admin/orders/stream?last_event_id={}", given.at(1));
        let by_parameter = open(given.app.get(path).token(&given.store.admin.token)).await;

        let live = given.order().await;
        given.app.drain().await;

        let mut boards = [by_header, by_parameter];
        for board in &mut boards {
            let frames = board.events(4).await;
            assert_eq!(frames[0].event(), Some("ready"));
            assert_eq!(ids(&frames), [given.at(1), given.at(2), given.at(3), given.at(4)]);
            let shown: Vec<_> = frames[1..].iter().map(|frame| frame.data()["order"].clone()).collect();
            assert_eq!(shown, [orders[1].clone(), orders[2].clone(), live.clone()]);
        }
        given.check_nothing_more(&mut boards, 5).await;
    }

    async fn what_is_replayed_is_what_was_shown(given: Given) {
        let mut board = given.board().await;
        let order = given.order().await;
        given.change_status(&order, "preparing").await;
        given.delete(&order, "").await;
        given.close(&given.table).await;
        given.app.drain().await;
        let shown = board.events(4).await;

        let mut again = given.board_again(&given.at(0)).await;

        assert_eq!(again.events(5).await[1..], shown[..]);
    }

    async fn ready_says_where_the_client_left_while_anything_is_missed(given: Given) {
        given.append_cards(3).await;

        for left_at in [given.at(0), given.at(2)] {
            let ready = given.board_again(&left_at).await.event().await;
            assert_eq!((ready.event(), ready.id()), (Some("ready"), Some(left_at.as_str())), "cut off here, nothing is lost");
        }
        let mut board = given.board_again(&given.at(3)).await;
        assert_eq!(board.event().await.id().unwrap(), given.at(3));
        given.check_nothing_more(&mut [board], 4).await;
    }

    async fn a_guest_is_replayed_what_concerns_its_table(given: Given) {
        let other = given.app.table(&given.store, "2").await;
        given.order_from(&other).await;
        let own = given.order().await;
        given.order_from(&other).await;
        given.close(&other).await;
        given.app.drain().await;
        given.append_cards(1).await;

        let mut tablet = given.tablet_again(&given.table, &given.at(0)).await;

        let frames = tablet.events(3).await;
        assert_eq!(ids(&frames), [given.at(0), given.at(2), given.at(5)]);
        assert_eq!(frames[1].data()["order"], own);
        given.check_nothing_more(&mut [tablet], 6).await;
    }

    async fn a_guest_sees_nothing_of_the_party_before(given: Given) {
        let old = given.order().await;
        given.change_status(&old, "preparing").await;
        given.app.drain().await;
        given.append_cards(1).await;
        given.close(&given.table).await;
        let next = given.order().await;
        given.app.drain().await;

        let mut tablet = given.tablet_again(&given.table, &given.at(0)).await;

        let frames = tablet.events(4).await;
        assert_eq!(ids(&frames), [given.at(0), given.at(3), given.at(4), given.at(5)]);
        assert_eq!(frames[1].event(), Some("menu.changed"));
        assert_eq!(frames[2].event(), Some("session.completed"));
        assert_eq!(frames[3].data()["order"], next);
        given.check_nothing_more(&mut [tablet], 6).await;
    }

    async fn a_position_of_another_epoch_or_of_the_future_makes_the_client_load_again(given: Given) {
        given.append_cards(2).await;
        let (own, future) = (&given.epoch, given.at(99));
        for left_at in ["another-1", &format!("{own}-{own}-1"), &format!("{}x-1", own), &future] {
            given.check_resync(left_at).await;
        }
    }
}

#[tokio::test]
async fn the_header_counts_for_more_than_the_parameter() {
    let given = given().await;
    given.append_cards(3).await;

    let request = given.app.get("/api/admin/orders/stream?last_event_id=test-0").token(&given.store.admin.token);
    let mut board = open(request.header("last-event-id", "test-2")).await;

    assert_eq!(ids(&board.events(2).await), ["test-2", "test-3"]);
    assert!(board.is_silent().await);
}

#[tokio::test]
async fn a_guest_who_missed_nothing_is_told_where_the_feed_stands() {
    let given = given().await;
    let other = given.app.table(&given.store, "2").await;
    given.order_from(&other).await;
    given.app.drain().await;

    let mut tablet = given.tablet_again(&given.table, "test-0").await;

    let ready = tablet.event().await;
    assert_eq!((ready.event(), ready.id()), (Some("ready"), Some("test-1")));
    assert!(tablet.is_silent().await);
}

#[tokio::test]
async fn a_guest_sees_the_last_close_alone() {
    let given = given().await;
    for _ in 0..2 {
        given.order().await;
        given.close(&given.table).await;
    }
    given.app.drain().await;

    let mut tablet = given.tablet_again(&given.table, "test-0").await;

    let frames = tablet.events(2).await;
    assert_eq!((frames[1].id(), frames[1].event()), (Some("test-4"), Some("session.completed")));
    assert!(tablet.is_silent().await);
    let mut after = given.tablet_again(&given.table, "test-4").await;
    assert_eq!(after.event().await.id(), Some("test-4"));
    assert!(after.is_silent().await);
}

#[tokio::test]
async fn a_position_that_is_none_makes_the_client_load_again() {
    let given = given().await;
    given.append_cards(2).await;
    for left_at in
        ["", "1", "test", "test-", "-1", "test-x", "test--1", "test-1.0", "test-18446744073709551616", "가-1"]
    {
        given.check_resync(left_at).await;
    }
}

#[tokio::test]
async fn a_parameter_that_is_no_position_makes_the_client_load_again() {
    let given = given().await;
    for left_at in ["", "nonsense", "test-1%0Aevent:%20order.created", "%EA%B0%80-1"] {
        let path = format!("/api/customer/orders/stream?last_event_id={left_at}");
        let tablet = open(given.app.get(path).token(&given.table.token)).await;
        let position = given.position().await;
        check_resync(tablet, &position.to_string(), &given).await;
    }
}

#[tokio::test]
async fn the_last_thousand_events_are_kept() {
    let given = given().await;
    given.append_cards(KEPT + 1).await;

    let mut board = given.board_again("test-1").await;
    assert_eq!(board.event().await.id(), Some("test-1"));
    assert_eq!(ids(&board.events(KEPT).await), positions(1, KEPT));
    assert!(board.is_silent().await);
    given.check_resync("test-0").await;
}

#[tokio::test]
async fn events_are_kept_for_an_hour() {
    let given = given().await;
    given.append_cards(1).await;
    given.app.clock.advance(TimeDelta::minutes(30));
    given.append_cards(1).await;
    given.app.clock.advance(TimeDelta::minutes(30) - TimeDelta::milliseconds(1));

    let mut board = given.board_again("test-0").await;
    assert_eq!(ids(&board.events(3).await), ["test-0", "test-1", "test-2"]);
    given.app.clock.advance(TimeDelta::milliseconds(1));
    let mut board = given.board_again("test-1").await;
    assert_eq!(ids(&board.events(2).await), ["test-1", "test-2"]);
    given.check_resync("test-0").await;
}

#[tokio::test]
async fn a_client_that_missed_nothing_goes_on_however_old_the_feed_is() {
    let given = given().await;
    given.append_cards(2).await;
    given.app.clock.advance(TimeDelta::hours(5));

    let mut board = given.board_again("test-2").await;

    assert_eq!(board.event().await.id(), Some("test-2"));
    assert!(board.is_silent().await);
    given.append_cards(1).await;
    assert_eq!(board.event().await.id(), Some("test-3"));
}

/// Clients come and go all the time while events are appended: put together, each has seen every event once, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_repeated_between_replay_and_live() {
    const EVENTS: usize = 900;

    let clients = come_and_go(&[Arc::new(given().await)], 3, EVENTS).await;

    for seen in clients {
        assert_eq!(ids(&seen), positions(0, EVENTS));
    }
}
