//! The feed: what the streams of a store show, in order, each event once and nothing out of date.
//!
//! A position in it is `<epoch>-<sequence>`. The epoch changes when the feed is lost; whoever then comes back with an old
//! position is told to load again.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use chrono::TimeDelta;
use lru::LruCache;
use tokio::sync::broadcast;

use crate::domain::event::{Envelope, EventType, Subject, Version};
use crate::domain::{EventId, StoreId, TableId, Timestamp};

/// Events kept for replay, per store.
pub const KEPT: usize = 1_000;
/// How long an event is kept for replay.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(1);
/// How far a reader may fall behind, in events, before it is cut off.
pub const MOST_BEHIND: usize = 256;
/// Subjects and event ids remembered per store, against repetition and overtaking.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// A position in a store's feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which life of the feed.
    pub epoch: Arc<str>,
    /// Counts up from 1; 0 is before the first event.
    pub sequence: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.sequence)
    }
}

/// A text is not a position.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAPosition;

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let (epoch, sequence) = text.rsplit_once('-').ok_or(NotAPosition)?;
        let position = Self { epoch: epoch.into(), sequence: sequence.parse().map_err(|_| NotAPosition)? };
        // `+1` and `01` are numbers, but we never wrote them.
        if position.to_string() == text { Ok(position) } else { Err(NotAPosition) }
    }
}

/// An event in the feed, rendered once for all who read it.
#[derive(Debug)]
pub struct Entry {
    /// Its place.
    pub sequence: u64,
    /// Its kind.
    pub event_type: EventType,
    /// The table whose guests may see it; `None` for all of the store's.
    pub table_id: Option<TableId>,
    /// The event as it goes over the wire (`id`, `event` and `data` lines).
    pub frame: Bytes,
    kept_since: Timestamp,
}

/// An event as it goes over the wire, given its position in the feed and its envelope in JSON.
pub(crate) fn frame(position: &Position, event_type: EventType, data: &str) -> String {
    format!("id: {position}\nevent: {}\ndata: {data}\n\n", event_type.routing_key())
}

/// Reads a feed from the moment it was opened: first what was missed, then what comes, without a gap.
#[derive(Debug)]
pub struct Subscription {
    /// Where the feed stands at the end of `missed`.
    pub position: Position,
    /// What came after the position asked for. `Err` if that cannot be told: the reader must load again.
    pub missed: Result<Vec<Arc<Entry>>, CannotReplay>,
    /// What comes from now on.
    pub live: broadcast::Receiver<Arc<Entry>>,
}

/// The position asked for is trimmed, of another epoch, or no position at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotReplay;

/// The feed of every store, kept in this process.
#[derive(Clone, Debug)]
pub struct Feed {
    epoch: Arc<str>,
    stores: Arc<Mutex<HashMap<StoreId, StoreFeed>>>,
}

#[derive(Debug)]
struct StoreFeed {
    sequence: u64,
    kept: VecDeque<Arc<Entry>>,
    seen: LruCache<EventId, ()>,
    newest: LruCache<Subject, Version>,
    live: broadcast::Sender<Arc<Entry>>,
}

impl StoreFeed {
    fn new() -> Self {
        Self {
            sequence: 0,
            kept: VecDeque::new(),
            seen: LruCache::new(REMEMBERED),
            newest: LruCache::new(REMEMBERED),
            live: broadcast::Sender::new(MOST_BEHIND),
        }
    }

    /// Whether the event is news: not seen before, nothing newer applied, its session not over. Remembers it if so.
    fn is_news(&mut self, envelope: &Envelope) -> bool {
        if self.seen.put(envelope.event_id, ()).is_some() {
            return false;
        }
        let session_over = |session| self.newest.peek(&Subject::Session(session)).is_some();
        if envelope.event.session_id().is_some_and(session_over) {
            return false;
        }
        let Some((subject, version)) = envelope.event.subject() else { return true };
        if self.newest.get(&subject).is_some_and(|&newest| version <= newest) {
            return false;
        }
        self.newest.put(subject, version);
        true
    }

    fn trim(&mut self, now: Timestamp) {
        while self.kept.len() > KEPT || self.kept.front().is_some_and(|entry| entry.kept_since + KEPT_FOR <= now) {
            self.kept.pop_front();
        }
    }
}

impl Feed {
    /// An empty feed. The epoch must differ from those of feeds before it and hold no line break.
    pub fn new(epoch: &str) -> Self {
        Self { epoch: epoch.into(), stores: Arc::default() }
    }

    /// Add an event, unless it repeats or is out of date. Returns whether it was added.
    pub async fn append(&self, envelope: &Envelope, now: Timestamp) -> Result<bool, serde_json::Error> {
        let data = serde_json::to_string(envelope)?;
        let mut stores = self.lock();
        let store = stores.entry(envelope.store_id).or_insert_with(StoreFeed::new);
        if !store.is_news(envelope) {
            return Ok(false);
        }
        store.sequence += 1;
        let event_type = envelope.event.event_type();
        let position = Position { epoch: self.epoch.clone(), sequence: store.sequence };
        let frame = frame(&position, event_type, &data);
        let entry = Arc::new(Entry {
            sequence: store.sequence,
            event_type,
            table_id: envelope.event.table_id(),
            frame: frame.into(),
            kept_since: now,
        });
        store.kept.push_back(entry.clone());
        store.trim(now);
        // Nobody may be reading.
        let _ = store.live.send(entry);
        Ok(true)
    }

    /// Read a store's feed from now on and, if the reader was here before, from where it left.
    pub async fn subscribe(&self, store_id: StoreId, left_at: Option<&str>, now: Timestamp) -> Subscription {
        let mut stores = self.lock();
        let store = stores.entry(store_id).or_insert_with(StoreFeed::new);
        store.trim(now);
        let position = Position { epoch: self.epoch.clone(), sequence: store.sequence };
        let missed = match left_at {
            None => Ok(Vec::new()),
            Some(text) => match text.parse::<Position>() {
                Ok(left) if left.epoch == self.epoch && left.sequence <= store.sequence => {
                    let oldest = store.sequence - store.kept.len() as u64;
                    if left.sequence < oldest {
                        Err(CannotReplay)
                    } else {
                        Ok(store.kept.iter().filter(|entry| entry.sequence > left.sequence).cloned().collect())
                    }
                }
                _ => Err(CannotReplay),
            },
        };
        Subscription { position, missed, live: store.live.subscribe() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<StoreId, StoreFeed>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a table's guests may see of these events.
///
/// Nothing of another table, and nothing of a party that has left: what precedes the last close of the table's session.
pub fn for_guest(missed: Vec<Arc<Entry>>, table_id: TableId) -> Vec<Arc<Entry>> {
    let closes =
        |entry: &Arc<Entry>| entry.table_id == Some(table_id) && entry.event_type == EventType::SessionCompleted;
    let last_close = missed.iter().rposition(closes).unwrap_or(0);
    let seen = missed.into_iter().enumerate().filter(|(place, entry)| match entry.table_id {
        None => true,
        Some(table) => table == table_id && *place >= last_close,
    });
    seen.map(|(_, entry)| entry).collect()
}
