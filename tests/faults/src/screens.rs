//! Screens: boards that watch a store's stream as a client should, and find fault with what they are shown.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lambda_emulator::Lambda;
use shared::clock::Clock;
use shared::domain::event::{Envelope, Event, Subject, Version};
use shared::domain::order::{Order, OrderStatus};
use shared::domain::{EventId, OrderId, SessionId, StoreId, Timestamp};
use shared::events::feed::Position;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::gateway::Request;

/// Pause before a stream is opened again.
const PAUSE: Duration = Duration::from_millis(100);
/// A stream that says nothing for so long, not even that it lives, is dead: heartbeats come every 15 s.
const SILENCE: Duration = Duration::from_secs(20);
/// The most complaints that are kept: one is too many already.
const COMPLAINTS: usize = 20;

/// A board of one store.
pub struct Screen {
    /// Its store.
    pub store_id: StoreId,
    token: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last position shown.
    at: Option<Position>,
    /// `ready` named another position than the last: only a `resync` may follow.
    must_resync: bool,
    counts: Counts,
    complaints: Vec<String>,
    /// What a screen remembers that is held against the database.
    record: Option<Record>,
}

/// What a screen has come through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Events shown.
    pub events: u64,
    /// Streams opened.
    pub streams: u64,
    /// Times it was told to load again.
    pub resyncs: u64,
}

/// All that a screen was shown, and what it shows.
#[derive(Default)]
struct Record {
    /// Events of the feed's present epoch, and the newest version of what they tell of.
    shown: HashSet<EventId>,
    newest: HashMap<Subject, Version>,
    /// When each event was first shown.
    first_shown: HashMap<EventId, Instant>,
    newest_ever: HashMap<Subject, Version>,
    /// What was committed before this is known from a load.
    loaded: Option<Timestamp>,
    /// Orders that are open.
    orders: HashMap<OrderId, Known>,
    gone: HashSet<OrderId>,
    over: HashSet<SessionId>,
}

struct Known {
    version: i32,
    status: OrderStatus,
    session_id: SessionId,
    /// When it was heard of last.
    heard: Instant,
}

impl Screen {
    /// A screen that is off. One that records is held against the database; the others see to it that nothing is missing.
    pub fn new(store_id: StoreId, token: String, records: bool) -> Arc<Self> {
        let state = State { record: records.then(Record::default), ..State::default() };
        Arc::new(Self { store_id, token, state: Mutex::new(state) })
    }

    /// Watch until stopped, at one of these addresses first and after an error at the next.
    pub async fn watch(
        self: Arc<Self>,
        addresses: [SocketAddr; 2],
        first: usize,
        lambda: Lambda,
        stopped: CancellationToken,
    ) {
        // A connection of its own each time, as another device's would be.
        let client = reqwest::Client::new();
        for turn in first.. {
            // However it ends, it is opened again.
            let _ = stopped.run_until_cancelled(self.read(&client, addresses[turn % addresses.len()], &lambda)).await;
            if stopped.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                return;
            }
        }
    }

    /// Open a stream and read it until it ends.
    async fn read(self: &Arc<Self>, client: &reqwest::Client, address: SocketAddr, lambda: &Lambda) -> Option<()> {
        let mut request = client.get(format!("http://{address}/api/admin/orders/stream")).bearer_auth(&self.token);
        if let Some(at) = &lock(&self.state).at {
            request = request.header("last-event-id", at.to_string());
        }
        let mut answer = request.send().await.ok()?.error_for_status().ok()?;
        lock(&self.state).counts.streams += 1;
        let mut text = Vec::new();
        loop {
            text.extend_from_slice(&tokio::time::timeout(SILENCE, answer.chunk()).await.ok()?.ok()??);
            while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                let frame: Vec<u8> = text.drain(..end + 2).collect();
                if self.take(&String::from_utf8_lossy(&frame)) {
                    tokio::spawn(self.clone().load(lambda.clone()));
                }
            }
        }
    }

    /// Take a frame. True if the state must be loaded.
    fn take(&self, frame: &str) -> bool {
        let field = |name| frame.lines().find_map(|line| line.strip_prefix(name));
        let (Some(id), Some(event)) = (field("id: "), field("event: ")) else { return false };
        let mut state = lock(&self.state);
        let Ok(position) = id.parse::<Position>() else {
            state.complain(format!("{id} is no position"));
            return false;
        };
        match event {
            "ready" => {
                let first = state.at.is_none();
                state.must_resync = state.at.as_ref().is_some_and(|at| *at != position);
                if first {
                    state.at = Some(position);
                }
                first && state.record.is_some()
            }
            "resync" => {
                state.counts.resyncs += 1;
                state.must_resync = false;
                let same = state.at.as_ref().is_some_and(|at| at.epoch == position.epoch);
                state.at = Some(position);
                if let Some(record) = &mut state.record
                    && !same
                {
                    record.shown.clear();
                    record.newest.clear();
                }
                state.record.is_some()
            }
            _ => {
                state.event(position, field("data: ").unwrap_or_default(), self.store_id);
                false
            }
        }
    }

    /// Load the open orders, until that succeeds.
    async fn load(self: Arc<Self>, lambda: Lambda) {
        loop {
            let (began, now) = (Instant::now(), Clock::system().now());
            let path = "/api/admin/orders";
            let request =
                Request { function: "orders", method: "GET", path, token: &self.token, key: None, body: None };
            let answer = request.send(&lambda).await;
            if answer.status == 200
                && let Ok(orders) = serde_json::from_value::<Vec<Order>>(answer.body)
            {
                if let Some(record) = &mut lock(&self.state).record {
                    record.load(orders, began, now);
                }
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether it knows of this event: it was shown it, or something newer, or has loaded since.
    pub fn knows(&self, event: &Envelope) -> bool {
        lock(&self.state).record.as_ref().is_some_and(|record| record.knows(event))
    }

    /// How long after a moment an event was shown. `None` while it was not.
    pub fn shown_after(&self, event_id: EventId, moment: Instant) -> Option<Duration> {
        let state = lock(&self.state);
        let shown = state.record.as_ref()?.first_shown.get(&event_id)?;
        Some(shown.saturating_duration_since(moment))
    }

    /// The open orders it shows, with version and status.
    pub fn orders(&self) -> HashSet<(i64, i32, OrderStatus)> {
        let state = lock(&self.state);
        let orders = state.record.iter().flat_map(|record| &record.orders);
        orders.map(|(id, known)| (id.get(), known.version, known.status)).collect()
    }

    /// What it has come through, and what it complains of.
    pub fn report(&self) -> (Counts, Vec<String>) {
        let state = lock(&self.state);
        (state.counts, state.complaints.clone())
    }

    /// The last position it was shown. `None` before its first stream.
    pub fn place(&self) -> Option<Position> {
        lock(&self.state).at.clone()
    }
}

impl State {
    fn complain(&mut self, complaint: String) {
        if self.complaints.len() < COMPLAINTS {
            self.complaints.push(complaint);
        }
    }

    fn event(&mut self, position: Position, data: &str, store_id: StoreId) {
        self.counts.events += 1;
        if self.must_resync {
            self.must_resync = false;
            self.complain(format!("{position} came where only a resync may"));
        }
        match &self.at {
            Some(at) if at.epoch == position.epoch && at.sequence + 1 == position.sequence => {}
            at => self.complain(format!("a gap or a repetition: {position} after {at:?}")),
        }
        self.at = Some(position.clone());
        let Some(record) = &mut self.record else { return };
        let complaint = match serde_json::from_str::<Envelope>(data) {
            Ok(event) if event.store_id != store_id => Some(format!("{position} belongs to another store")),
            Ok(event) => record.event(&event).err().map(|why| format!("{position}: {why}")),
            Err(error) => Some(format!("{position} is no event: {error}")),
        };
        if let Some(complaint) = complaint {
            self.complain(complaint);
        }
    }
}

impl Record {
    /// Take an event. An error if it may not be shown.
    fn event(&mut self, envelope: &Envelope) -> Result<(), String> {
        let now = Instant::now();
        self.first_shown.entry(envelope.event_id).or_insert(now);
        let once = self.shown.insert(envelope.event_id);
        let mut newer = true;
        if let Some((subject, version)) = envelope.event.subject() {
            newer = self.newest.get(&subject).is_none_or(|newest| version > *newest);
            self.newest.insert(subject, version);
            let newest = self.newest_ever.entry(subject).or_insert(version);
            *newest = version.max(*newest);
        }
        match &envelope.event {
            Event::OrderCreated { order } | Event::OrderStatusChanged { order, .. } => self.order(order, now),
            Event::OrderDeleted(deleted) => {
                self.gone.insert(deleted.order_id);
                self.orders.remove(&deleted.order_id);
            }
            Event::SessionCompleted(completed) => {
                self.over.insert(completed.session_id);
                self.orders.retain(|_, known| known.session_id != completed.session_id);
            }
            Event::MenuChanged(_) => {}
        }
        match (once, newer) {
            (false, _) => Err(format!("{} was shown twice", envelope.event_id.0)),
            (true, false) => Err(format!("{} is older than what was shown", envelope.event_id.0)),
            (true, true) => Ok(()),
        }
    }

    /// Of each order the greater version counts.
    fn order(&mut self, order: &Order, heard: Instant) {
        let known = self.orders.get(&order.id).is_some_and(|known| known.version >= order.version);
        if !known && !self.gone.contains(&order.id) && !self.over.contains(&order.session_id) {
            let (version, status, session_id) = (order.version, order.status, order.session_id);
            self.orders.insert(order.id, Known { version, status, session_id, heard });
        }
    }

    /// Take what was loaded. What was known before and is not there is gone.
    fn load(&mut self, orders: Vec<Order>, began: Instant, now: Timestamp) {
        let loaded: HashSet<_> = orders.iter().map(|order| order.id).collect();
        orders.iter().for_each(|order| self.order(order, began));
        self.orders.retain(|id, known| loaded.contains(id) || known.heard > began);
        self.loaded = Some(now);
    }

    fn knows(&self, envelope: &Envelope) -> bool {
        let over = envelope.event.session_id().is_some_and(|session| self.over.contains(&session));
        let newer = envelope
            .event
            .subject()
            .is_some_and(|(subject, version)| self.newest_ever.get(&subject).is_some_and(|newest| *newest >= version));
        let loaded = self.loaded.is_some_and(|loaded| envelope.timestamp < loaded);
        self.first_shown.contains_key(&envelope.event_id) || newer || over || loaded
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
