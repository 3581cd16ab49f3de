//! Opening a stream with a ticket, as a browser's `EventSource` does.

use chrono::TimeDelta;
use shared::testing::{TestResponse, in_both_worlds};

use crate::{Given, given, ids, past_ready, refused};

impl Given {
    async fn board_ticket(&self) -> String {
        self.ticket("/api/admin/auth/stream-ticket", &self.store.admin.token).await
    }

    async fn tablet_ticket(&self) -> String {
        self.ticket("/api/customer/auth/stream-ticket", &self.table.token).await
    }

    async fn ticket(&self, path: &str, token: &str) -> String {
        let answer = self.app.post(path).token(token).send().await.expect(201);
        assert_eq!(answer["expires_in"], 30);
        answer["ticket"].as_str().unwrap().to_owned()
    }

    /// What a stream that is refused to a ticket answers.
    async fn refused_to(&self, role: &str, ticket: &str) -> TestResponse {
        refused(self.app.get(format!("/api/{role}/orders/stream?ticket={ticket}"))).await
    }
}

in_both_worlds! {
    async fn a_ticket_opens_one_stream(given: Given) {
        let (for_board, for_tablet) = (given.board_ticket().await, given.tablet_ticket().await);

        let board = past_ready(given.app.get(format!("/api/admin/orders/stream?ticket={for_board}"))).await;
        let tablet = past_ready(given.app.get(format!("/api/customer/orders/stream?ticket={for_tablet}"))).await;

        given.refused_to("admin", &for_board).await.expect_error(401, "INVALID_TOKEN");
        given.refused_to("customer", &for_tablet).await.expect_error(401, "INVALID_TOKEN");
        given.check_nothing_more(&mut [board, tablet], 1).await;
    }

    async fn a_ticket_shows_what_its_holder_may_see(given: Given) {
        let other = given.app.table(&given.store, "2").await;
        let ticket = given.tablet_ticket().await;
        let mut tablet = past_ready(given.app.get(format!("/api/customer/orders/stream?ticket={ticket}"))).await;

        given.order_from(&other).await;
        let own = given.order().await;
        given.app.drain().await;

        assert_eq!(tablet.event().await.data()["order"], own);
    }

    async fn a_ticket_of_the_other_role_is_refused(given: Given) {
        let (for_board, for_tablet) = (given.board_ticket().await, given.tablet_ticket().await);

        given.refused_to("customer", &for_board).await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        given.refused_to("admin", &for_tablet).await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        assert_eq!(given.streams.open_count(), 0);
    }
}

#[tokio::test]
async fn a_ticket_is_good_for_30_seconds() {
    let given = given().await;
    let (in_time, late) = (given.board_ticket().await, given.board_ticket().await);

    given.app.clock.advance(TimeDelta::milliseconds(29_999));
    past_ready(given.app.get(format!("/api/admin/orders/stream?ticket={in_time}"))).await;
    given.app.clock.advance(TimeDelta::milliseconds(1));

    given.refused_to("admin", &late).await.expect_error(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn what_is_no_ticket_is_refused() {
    let given = given().await;
    for ticket in ["", "nonsense", &given.store.admin.token] {
        given.refused_to("admin", ticket).await.expect_error(401, "INVALID_TOKEN");
    }
}

#[tokio::test]
async fn a_ticket_of_an_admin_who_was_switched_off_meanwhile_is_refused() {
    let given = given().await;
    let ticket = given.board_ticket().await;
    given.sql("update admins set is_active = false").await;

    given.refused_to("admin", &ticket).await.expect_error(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_browser_comes_back_with_a_new_ticket_and_where_it_left() {
    let given = given().await;
    given.append_cards(3).await;
    let ticket = given.board_ticket().await;

    let path = format!("/api/admin/orders/stream?ticket={ticket}&last_event_id=test-1");
    let mut board = past_ready(given.app.get(path)).await;

    assert_eq!(ids(&board.events(2).await), ["test-2", "test-3"]);
}
