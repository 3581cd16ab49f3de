//! Containers side by side, over one database and one Redis: to a client they are one.

use std::sync::Arc;

use stream::Streams;
use tokio_util::sync::CancellationToken;

use crate::come_and_go::come_and_go;
use crate::{Given, ids, past_ready, refused, routes};

impl Given {
    /// Another container beside this one, for the same store.
    fn another(&self) -> Self {
        let stopped = CancellationToken::new();
        let mut streams = None;
        let app =
            self.app.another(|_, feed| routes(streams.insert(Streams::new(feed.clone(), stopped.clone())).clone()));
        let (store, table, epoch) = (self.store.clone(), self.table.clone(), self.epoch.clone());
        let (category, stew) = (self.category, self.stew);
        Self { app, streams: streams.unwrap(), stopped, store, table, category, stew, epoch }
    }
}

#[tokio::test]
async fn both_show_what_happens_at_either() {
    let one = Given::on_redis().await;
    let other = one.another();
    let mut boards = [one.board().await, other.board().await];
    let mut tablets = [one.tablet(&one.table).await, other.tablet(&one.table).await];

    for place in [&one, &other, &one] {
        let order = place.order().await;
        assert_eq!(place.app.drain().await, 1);

        let [here, there] = &mut boards;
        let frame = here.event().await;
        assert_eq!(frame.data()["order"], order);
        assert_eq!(there.event().await, frame);
        for tablet in &mut tablets {
            assert_eq!(tablet.event().await, frame);
        }
    }
}

#[tokio::test]
async fn an_event_that_both_publish_is_shown_once() {
    let one = Given::on_redis().await;
    let other = one.another();
    let mut boards = [one.board().await, other.board().await];
    one.order().await;
    assert_eq!(one.app.drain().await, 1);
    one.sql("update outbox set published_at = null").await;
    assert_eq!(other.app.drain().await, 1, "published again");

    for board in &mut boards {
        assert_eq!(board.event().await.id().unwrap(), one.at(1));
    }
    one.check_nothing_more(&mut boards, 2).await;
}

#[tokio::test]
async fn a_ticket_of_one_is_used_up_at_the_other() {
    let one = Given::on_redis().await;
    let other = one.another();
    let ticket = one.app.post("/api/admin/auth/stream-ticket").token(&one.store.admin.token).send().await.expect(201);
    let path = format!("/api/admin/orders/stream?ticket={}", ticket["ticket"].as_str().unwrap());

    past_ready(other.app.get(&path)).await;

    for container in [&one, &other] {
        refused(container.app.get(&path)).await.expect_error(401, "INVALID_TOKEN");
    }
}

/// Clients go from one container to the other all the time while events happen at both: put together, each has seen every
/// event once, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_from_one_to_the_other_misses_nothing_and_gets_nothing_twice() {
    const EVENTS: usize = 300;
    let one = Arc::new(Given::on_redis().await);
    let containers = [one.clone(), Arc::new(one.another())];

    let clients = come_and_go(&containers, 2, EVENTS).await;

    let expected: Vec<_> = (1..=EVENTS).map(|sequence| one.at(sequence)).collect();
    for seen in clients {
        assert_eq!(ids(&seen), expected);
    }
}
