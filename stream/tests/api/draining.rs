//! The end of a container: its streams go little by little, requests under way end, and nothing outlasts the limit.

use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::future::join_all;
use futures_util::stream::once;
use futures_util::{FutureExt, StreamExt};
use shared::http::layers::READ_TIMEOUT;
use stream::container::LIMIT;
use stream::{RETRY, SPREAD};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::time::{self, Instant};

use crate::{Connected, GUARD, Given, given, refused};

#[tokio::test]
async fn every_stream_ends_at_a_moment_of_its_own_and_says_when_to_come_back() {
    const EACH: usize = 40;
    const STEP: Duration = Duration::from_millis(100);
    let given = given().await;
    let mut open = Vec::new();
    for _ in 0..EACH {
        open.extend([given.board().await, given.tablet(&given.table).await]);
    }
    time::pause();
    let draining = tokio::spawn({
        let streams = given.streams.clone();
        async move { streams.drain().await }
    });

    let (mut ends, mut retries) = (Vec::new(), BTreeSet::new());
    let mut passed = Duration::ZERO;
    while !open.is_empty() {
        assert!(passed <= SPREAD, "{} streams are still open", open.len());
        passed += STEP;
        time::advance(STEP).await;
        let mut lasting = Vec::new();
        for mut reader in open {
            let Some(last) = reader.waiting().await.filter(|frame| !frame.0.starts_with(':')) else {
                lasting.push(reader);
                continue;
            };
            let retry = last.0.strip_prefix("retry: ").expect(&last.0).parse().unwrap();
            assert!(RETRY.contains(&Duration::from_millis(retry)), "{retry}");
            retries.insert(retry);
            ends.push(passed);
            assert_eq!(reader.next().await, None);
        }
        open = lasting;
    }

    time::timeout(GUARD, draining).await.unwrap().unwrap();
    assert_eq!(given.streams.open_count(), 0);
    assert!(retries.len() > EACH, "they come back together: {retries:?}");
    for second in 0..SPREAD.as_secs() {
        let within = ends.iter().filter(|end| end.as_secs() == second).count();
        assert!(within < EACH, "{within} end in second {second}");
    }
}

#[tokio::test]
async fn a_stream_shows_what_happens_until_it_ends() {
    let given = given().await;
    let mut boards = Vec::new();
    for _ in 0..20 {
        boards.push(given.board().await);
    }
    time::pause();
    let mut draining = pin!(given.streams.drain());
    assert!(draining.as_mut().now_or_never().is_none());
    time::advance(SPREAD / 10).await;
    assert!(draining.as_mut().now_or_never().is_none());

    given.append_cards(1).await;

    let mut shown = 0;
    for board in &mut boards {
        shown += usize::from(board.waiting().await.unwrap().id() == Some("test-1"));
    }
    assert!(shown >= boards.len() / 2, "only {shown}");
}

#[tokio::test]
async fn new_streams_are_refused_at_once_and_no_ticket_is_used_up() {
    let given = given().await;
    let _board = given.board().await;
    let ticket = given.app.post("/api/admin/auth/stream-ticket").token(&given.store.admin.token).send().await;
    let ticket = ticket.expect(201)["ticket"].as_str().unwrap().to_owned();
    let mut draining = pin!(given.streams.drain());
    assert!(draining.as_mut().now_or_never().is_none());

    let (board, tablet) = ("/api/admin/orders/stream", "/api/customer/orders/stream");
    for request in [
        given.app.get(board).token(&given.store.admin.token),
        given.app.get(tablet).token(&given.table.token),
        given.app.get(format!("{board}?ticket={ticket}")),
    ] {
        refused(request).await.expect_error(503, "SERVICE_UNAVAILABLE");
    }

    given.app.app.tickets.redeem(&ticket, given.app.clock.now()).await.unwrap();
    given.app.get("/health/live").send().await.expect(200);
    assert_eq!(given.app.get("/metrics").send().await.status, 200);
}

#[tokio::test]
async fn a_stream_that_is_just_being_opened_is_refused_too() {
    let given = given().await;
    let db = given.app.db();
    let connections = join_all((0..db.options().get_max_connections()).map(|_| db.acquire())).await;
    let mut opening = pin!(refused(given.app.get("/api/admin/orders/stream").token(&given.store.admin.token)));
    assert!(opening.as_mut().now_or_never().is_none(), "it waits for the database");

    assert!(given.streams.drain().now_or_never().is_some());
    drop(connections);

    opening.await.expect_error(503, "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn with_no_stream_open_it_is_over_at_once() {
    let empty = given().await;
    assert!(empty.streams.drain().now_or_never().is_some());

    let given = given().await;
    let board = given.board().await;
    let mut draining = pin!(given.streams.drain());
    assert!(draining.as_mut().now_or_never().is_none());
    drop(board);
    assert!(draining.as_mut().now_or_never().is_some());
}

impl Given {
    /// A client of this service over a real port, what tells it to end, and the moment when it has ended.
    async fn serve(&self, service: Router) -> (Connected, oneshot::Sender<()>, tokio::task::JoinHandle<Instant>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Connected::to(listener.local_addr().unwrap()).await;
        let (tell, told) = oneshot::channel();
        let (streams, app) = (self.streams.clone(), self.app.app.clone());
        let serving = tokio::spawn(async move {
            let told = async { told.await.unwrap() };
            stream::container::serve(streams, app, listener, service, told).await.unwrap();
            Instant::now()
        });
        (client, tell, serving)
    }
}

#[tokio::test]
async fn a_request_under_way_ends_and_then_the_container() {
    let given = given().await;
    let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = get({
        let (asked, answer) = (asked.clone(), answer.clone());
        async move || {
            asked.notify_one();
            answer.notified().await;
            "done"
        }
    });
    let (mut client, tell, serving) = given.serve(Router::new().route("/slow", slow)).await;
    client.ask("/slow", "").await;
    time::timeout(GUARD, asked.notified()).await.unwrap();

    tell.send(()).unwrap();
    time::timeout(GUARD, given.stopped.cancelled()).await.unwrap();
    time::pause();
    time::advance(READ_TIMEOUT).await;
    tokio::task::yield_now().await;
    assert!(!serving.is_finished(), "the longest request is not waited for");
    time::resume();
    answer.notify_one();

    client.read_until("done").await;
    time::timeout(GUARD, serving).await.unwrap().unwrap();
}

/// A stream that nobody reads cannot take its last frame, and an answer may be without end. Time is paused: it jumps to the
/// next timer as soon as everybody waits.
#[tokio::test]
async fn what_is_left_at_the_limit_is_cut_off() {
    let given = given().await;
    let unread = given.app.get("/api/admin/orders/stream").token(&given.store.admin.token).open().await;
    let endless = get(async || {
        let begun = once(ready(Ok::<_, std::io::Error>(Bytes::from_static(b"begun"))));
        Body::from_stream(begun.chain(once(pending())))
    });
    let (mut client, tell, serving) = given.serve(Router::new().route("/endless", endless)).await;
    client.ask("/endless", "").await;
    client.read_until("begun").await;
    time::pause();
    let begun = Instant::now();

    tell.send(()).unwrap();

    let took = serving.await.unwrap() - begun;
    assert!(took <= LIMIT && took > LIMIT / 2, "{took:?}");
    drop(unread);
}
