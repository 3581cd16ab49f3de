//! The feed: what the streams of a store show, in order, each event once and nothing out of date.
//!
//! A position in it is `<epoch>-<sequence>`. The epoch changes when the feed is lost; whoever then comes back with an old
//! position is told to load again.

mod local;
mod redis;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Bytes;
use chrono::TimeDelta;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

pub use self::local::LocalFeed;
pub use self::redis::RedisFeed;
use crate::domain::event::{Envelope, EventType};
use crate::domain::{StoreId, TableId, Timestamp};
use crate::error::Result;

/// Events kept for replay, per store.
pub const KEPT: usize = 1_000;
/// How long an event is kept for replay.
pub const KEPT_FOR: TimeDelta = TimeDelta::hours(1);
/// How far a reader may fall behind, in events, before it is cut off.
pub const MOST_BEHIND: usize = 256;

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

    fn from_str(text: &str) -> std::result::Result<Self, NotAPosition> {
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
    pub position: Position,
    /// Its kind.
    pub event_type: EventType,
    /// The table whose guests may see it; `None` for all of the store's.
    pub table_id: Option<TableId>,
    /// The event as it goes over the wire (`id`, `event` and `data` lines).
    pub frame: Bytes,
}

impl Entry {
    /// An event at a position, given its envelope in JSON.
    fn new(position: Position, event_type: EventType, table_id: Option<TableId>, data: &str) -> Self {
        let frame = frame(&position, event_type, data).into();
        Self { position, event_type, table_id, frame }
    }
}

/// An event as it goes over the wire, given its position in the feed and its envelope in JSON.
pub(crate) fn frame(position: &Position, event_type: EventType, data: &str) -> String {
    format!("id: {position}\nevent: {}\ndata: {data}\n\n", event_type.routing_key())
}

/// What a reader of a feed gets.
#[derive(Clone, Debug)]
pub enum Signal {
    /// An event happened.
    Event(Arc<Entry>),
    /// Events may have been missed: load again. The feed goes on from here.
    Resync(Position),
}

/// Reads a feed from the moment it was opened: first what was missed, then what comes, without a gap.
#[derive(Debug)]
pub struct Subscription {
    /// Where the feed stands at the end of `missed`.
    pub position: Position,
    /// What came after the position asked for. `Err` if that cannot be told: the reader must load again.
    pub missed: std::result::Result<Vec<Arc<Entry>>, CannotReplay>,
    /// What comes from now on.
    pub live: Live,
}

/// The position asked for is trimmed, of another epoch, or no position at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotReplay;

/// What comes after a position.
#[derive(Debug)]
pub struct Live {
    signals: broadcast::Receiver<Signal>,
    after: Position,
}

impl Live {
    /// The next event, or the order to load again.
    ///
    /// # Errors
    /// When this reader has fallen too far behind, or nothing more can come.
    pub async fn next(&mut self) -> std::result::Result<Signal, RecvError> {
        loop {
            let signal = self.signals.recv().await?;
            match &signal {
                Signal::Resync(position) => self.after = position.clone(),
                // What the subscription began with, or what came before.
                Signal::Event(entry) if entry.position.sequence <= self.after.sequence => continue,
                Signal::Event(_) => {}
            }
            return Ok(signal);
        }
    }

    /// How far this reader is behind, in events.
    pub fn behind(&self) -> usize {
        self.signals.len()
    }
}

/// The feed of every store.
#[derive(Clone, Debug)]
pub enum Feed {
    /// Kept in this process, which is then the only one.
    Local(LocalFeed),
    /// Kept in Redis, for all processes.
    Redis(RedisFeed),
}

impl Feed {
    /// An empty feed in this process. The epoch must differ from those of feeds before it and hold no line break.
    pub fn local(epoch: &str) -> Self {
        Self::Local(LocalFeed::new(epoch))
    }

    /// Add events, but for those that repeat or are out of date. Returns how many were added.
    ///
    /// # Errors
    /// When Redis does not answer: whoever has the events tries again.
    pub async fn append(&self, events: &[Envelope], now: Timestamp) -> Result<usize> {
        match self {
            Self::Local(feed) => feed.append(events, now),
            Self::Redis(feed) => feed.append(events).await,
        }
    }

    /// Read a store's feed from now on and, if the reader was here before, from where it left.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn subscribe(&self, store_id: StoreId, left_at: Option<&str>, now: Timestamp) -> Result<Subscription> {
        match self {
            Self::Local(feed) => Ok(feed.subscribe(store_id, left_at, now)),
            Self::Redis(feed) => feed.subscribe(store_id, left_at).await,
        }
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
