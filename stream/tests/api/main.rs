//! The streams, through the router, on a database of their own each, with the parts of the service that feed them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod closing;
mod come_and_go;
mod delivery;
mod draining;
mod events;
mod opening;
mod outbox;
mod process;
mod replay;
mod side_by_side;
mod sockets;
mod tickets;

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use shared::clock::new_uuid;
use shared::db::owners::Owner;
use shared::domain::account::Role;
use shared::domain::event::{Envelope, Event, MenuChanged};
use shared::domain::{CategoryId, EventId, MenuId};
use shared::events::feed::Position;
use shared::http::Routes;
use shared::testing::{Options, TestApp, TestRequest, TestResponse, TestStore, TestTable, check_event};
use stream::Streams;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// After which a test that waits for a frame has failed.
const GUARD: Duration = Duration::from_secs(10);

/// What most tests are given: a store with a table and a menu, and the streams of the process.
struct Given {
    app: TestApp,
    streams: Streams,
    /// Ends every stream.
    stopped: CancellationToken,
    store: TestStore,
    table: TestTable,
    category: CategoryId,
    /// 9,000 won.
    stew: MenuId,
    /// The present life of the store's feed.
    epoch: String,
}

async fn given() -> Given {
    Given::in_process().await
}

/// The streams of a container, beside what makes events.
fn routes(streams: Streams) -> Routes {
    let routes = stream::container::routes(streams).merge(orders::router()).merge(tables::router());
    routes.merge(menus::router()).merge(auth::router())
}

impl Given {
    /// With everything in the one process.
    async fn in_process() -> Self {
        Self::with(Options::default()).await
    }

    /// With what processes share in Redis.
    async fn on_redis() -> Self {
        Self::with(Options::on_redis().await).await
    }

    async fn with(options: Options) -> Self {
        let stopped = CancellationToken::new();
        let mut streams = None;
        let app = TestApp::start_with(options, |_, feed| {
            routes(streams.insert(Streams::new(feed.clone(), stopped.clone())).clone())
        })
        .await;
        let store = app.store().await;
        let table = app.table(&store, "1").await;
        let category = app.category(&store, "식사").await;
        let stew = app.menu(&store, category, "김치찌개", 9_000).await;
        let epoch = position(&app, &store).await.epoch.to_string();
        Self { app, streams: streams.unwrap(), stopped, store, table, category, stew, epoch }
    }

    /// Where the store's feed stands.
    async fn position(&self) -> Position {
        position(&self.app, &self.store).await
    }

    /// The id of the store's event with this number.
    fn at(&self, sequence: usize) -> String {
        format!("{}-{sequence}", self.epoch)
    }

    /// Check that readers have nothing to show before the event with this number, which then happens. Silence alone would
    /// not tell: from Redis an event takes its time.
    async fn check_nothing_more(&self, readers: &mut [EventReader], next: usize) {
        for reader in &mut *readers {
            assert!(reader.is_silent().await);
        }
        self.append_cards(1).await;
        for reader in readers {
            assert_eq!(reader.event().await.id().unwrap(), self.at(next));
        }
    }

    /// The staff's board of the store, past `ready`.
    async fn board(&self) -> EventReader {
        self.board_of(&self.store).await
    }

    /// The staff's board of a store, past `ready`.
    async fn board_of(&self, store: &TestStore) -> EventReader {
        past_ready(self.app.get("/api/admin/orders/stream").token(&store.admin.token)).await
    }

    /// A table's stream, past `ready`.
    async fn tablet(&self, table: &TestTable) -> EventReader {
        past_ready(self.app.get("/api/customer/orders/stream").token(&table.token)).await
    }

    /// A board that was here before, from its `ready` on.
    async fn board_again(&self, left_at: &str) -> EventReader {
        let request = self.app.get("/api/admin/orders/stream").token(&self.store.admin.token);
        open(request.header("last-event-id", left_at)).await
    }

    /// A table's stream that was here before, from its `ready` on.
    async fn tablet_again(&self, table: &TestTable, left_at: &str) -> EventReader {
        let request = self.app.get("/api/customer/orders/stream").token(&table.token);
        open(request.header("last-event-id", left_at)).await
    }

    /// An order of one stew from a table.
    async fn order_from(&self, table: &TestTable) -> Value {
        let body = json!({"items": [{"menu_id": self.stew, "quantity": 1}]});
        self.app.post("/api/customer/orders").token(&table.token).json(body).send().await.expect(201)
    }

    /// An order of one stew from the table.
    async fn order(&self) -> Value {
        self.order_from(&self.table).await
    }

    /// Move an order on.
    async fn change_status(&self, order: &Value, status: &str) -> Value {
        let request = self.app.patch(format!("/api/admin/orders/{}/status", order["id"]));
        self.as_admin(request.json(json!({"status": status}))).await.expect(200)
    }

    /// Delete an order; the query may give a reason.
    async fn delete(&self, order: &Value, query: &str) {
        self.as_admin(self.app.delete(format!("/api/admin/orders/{}{query}", order["id"]))).await.expect(200);
    }

    /// Close a table's session.
    async fn close(&self, table: &TestTable) {
        let path = format!("/api/admin/tables/{}/complete-session", table.id);
        self.as_admin(self.app.post(path)).await.expect(200);
    }

    /// A request by the store's admin.
    async fn as_admin(&self, request: TestRequest<'_>) -> TestResponse {
        request.token(&self.store.admin.token).send().await
    }

    /// An event of the store that happens now.
    fn envelope(&self, event: Event) -> Envelope {
        let now = self.app.clock.now();
        Envelope { event_id: EventId(new_uuid(now)), store_id: self.store.id, timestamp: now, request_id: None, event }
    }

    /// Put an event into the feed. Returns whether it was news.
    async fn append(&self, event: Event) -> bool {
        self.app.feed.append(&[self.envelope(event)], self.app.clock.now()).await.unwrap() == 1
    }

    /// Put so many events into the feed that all of the store's streams show.
    async fn append_cards(&self, count: usize) {
        for _ in 0..count {
            assert!(self.append(Event::MenuChanged(MenuChanged::card())).await);
        }
    }

    /// Who the store's admin is, to a token.
    fn admin_owner(&self) -> Owner {
        Owner { role: Role::StoreAdmin, id: self.store.admin.id.get(), store_id: Some(self.store.id) }
    }

    /// Run SQL that the service knows nothing of.
    async fn sql(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.app.db()).await.unwrap();
    }
}

/// Where a store's feed stands.
async fn position(app: &TestApp, store: &TestStore) -> Position {
    app.feed.subscribe(store.id, None, app.clock.now()).await.unwrap().position
}

/// The payloads in the outbox, in the order they were written.
async fn outbox_payloads(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar("select payload from outbox order by sequence").fetch_all(app.db()).await.unwrap()
}

/// What something gives once the pool has let go of the connections that died with the database.
async fn once_back<T>(attempt: impl AsyncFn() -> shared::Result<T>) -> T {
    for _ in 0..10 {
        if let Ok(value) = attempt().await {
            return value;
        }
    }
    panic!("the database is back, and still it fails");
}

/// The answer to a request that opens no stream.
async fn refused(request: TestRequest<'_>) -> TestResponse {
    tokio::time::timeout(GUARD, request.send()).await.expect("an answer that ends")
}

/// Open a stream, from its `ready` on.
async fn open(request: TestRequest<'_>) -> EventReader {
    let response = request.open().await;
    assert_eq!(response.status().as_u16(), 200);
    EventReader::new(response.into_body())
}

/// Open a stream, past `ready`.
async fn past_ready(request: TestRequest<'_>) -> EventReader {
    let mut reader = open(request).await;
    assert_eq!(reader.event().await.event(), Some("ready"));
    reader
}

/// Reads a stream frame by frame.
struct EventReader {
    body: BodyDataStream,
    read: Vec<u8>,
}

/// One frame: the lines up to a blank one.
#[derive(Debug, PartialEq, Eq)]
struct Frame(String);

impl EventReader {
    fn new(body: Body) -> Self {
        Self { body: body.into_data_stream(), read: Vec::new() }
    }

    /// The next frame, or `None` at the end of the stream.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(end) = self.read.windows(2).position(|bytes| bytes == b"\n\n") {
                let rest = self.read.split_off(end + 2);
                let frame = std::mem::replace(&mut self.read, rest);
                return Some(Frame(String::from_utf8(frame[..end].to_vec()).unwrap()));
            }
            match tokio::time::timeout(GUARD, self.body.next()).await.expect("a frame, or the end") {
                Some(bytes) => self.read.extend(bytes.unwrap()),
                None => {
                    assert!(self.read.is_empty(), "the stream ends within a frame");
                    return None;
                }
            }
        }
    }

    /// The next frame of a stream that goes on.
    async fn event(&mut self) -> Frame {
        self.next().await.expect("the stream goes on")
    }

    /// The next frames of a stream that goes on.
    async fn events(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(count);
        for _ in 0..count {
            frames.push(self.event().await);
        }
        frames
    }

    /// The next frame, if it is there already: for tests that hold time still, which moves on while a test waits.
    async fn waiting(&mut self) -> Option<Frame> {
        // A fresh turn, in which nothing is held back for fairness.
        tokio::task::yield_now().await;
        self.next().now_or_never().flatten()
    }

    /// Whether the stream is open and has nothing to show.
    async fn is_silent(&mut self) -> bool {
        tokio::task::yield_now().await;
        self.read.is_empty() && self.body.next().now_or_never().is_none()
    }
}

/// A client on a real connection.
struct Connected {
    connection: TcpStream,
    read: Vec<u8>,
}

impl Connected {
    async fn to(address: SocketAddr) -> Self {
        Self { connection: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// Send a request, with these header lines.
    async fn ask(&mut self, path: &str, headers: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        self.connection.write_all(request.as_bytes()).await.unwrap();
    }

    /// Read until this has come.
    async fn read_until(&mut self, text: &str) {
        let reading = async {
            while !self.read.windows(text.len()).any(|bytes| bytes == text.as_bytes()) {
                assert_ne!(self.connection.read_buf(&mut self.read).await.unwrap(), 0, "ends without {text}");
            }
        };
        tokio::time::timeout(GUARD, reading).await.expect(text);
    }

    /// All that has come when the connection ends.
    async fn read_to_end(mut self) -> String {
        let reading = self.connection.read_to_end(&mut self.read);
        tokio::time::timeout(GUARD, reading).await.expect("the connection ends").unwrap();
        String::from_utf8(self.read).unwrap()
    }
}

impl Frame {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn id(&self) -> Option<&str> {
        self.field("id")
    }

    fn event(&self) -> Option<&str> {
        self.field("event")
    }

    fn data(&self) -> Value {
        let data = serde_json::from_str(self.field("data").unwrap()).unwrap();
        check_event(self.event().unwrap(), &data);
        data
    }
}

/// The ids of frames.
fn ids(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.id().unwrap()).collect()
}

/// The ids of so many events of the feed, from the one after a position.
fn positions(after: usize, count: usize) -> Vec<String> {
    (after + 1..=after + count).map(|sequence| format!("test-{sequence}")).collect()
}
