//! The feed of a process that is the only one.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokio::sync::broadcast;

use super::{CannotReplay, Entry, KEPT, KEPT_FOR, Live, MOST_BEHIND, Position, Signal, Subscription};
use crate::bounded::bounded;
use crate::domain::event::{Envelope, Subject, Version};
use crate::domain::{EventId, StoreId, Timestamp};
use crate::error::Result;

/// Subjects and event ids remembered per store, against repetition and overtaking.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// The feed of every store, kept in this process.
#[derive(Clone, Debug)]
pub struct LocalFeed {
    epoch: Arc<str>,
    stores: Arc<Mutex<HashMap<StoreId, StoreFeed>>>,
}

#[derive(Debug)]
struct StoreFeed {
    sequence: u64,
    /// Each with the time it came.
    kept: VecDeque<(Timestamp, Arc<Entry>)>,
    seen: LruCache<EventId, ()>,
    newest: LruCache<Subject, Version>,
    live: broadcast::Sender<Signal>,
}

impl StoreFeed {
    fn new() -> Self {
        Self {
            sequence: 0,
            kept: VecDeque::new(),
            seen: bounded(REMEMBERED),
            newest: bounded(REMEMBERED),
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
        while self.kept.len() > KEPT || self.kept.front().is_some_and(|(since, _)| *since + KEPT_FOR <= now) {
            self.kept.pop_front();
        }
    }
}

impl LocalFeed {
    pub(super) fn new(epoch: &str) -> Self {
        Self { epoch: epoch.into(), stores: Arc::default() }
    }

    pub(super) fn append(&self, events: &[Envelope], now: Timestamp) -> Result<usize> {
        let mut added = 0;
        for envelope in events {
            let data = serde_json::to_string(envelope)?;
            let mut stores = self.lock();
            let store = stores.entry(envelope.store_id).or_insert_with(StoreFeed::new);
            if !store.is_news(envelope) {
                continue;
            }
            store.sequence += 1;
            let position = Position { epoch: self.epoch.clone(), sequence: store.sequence };
            let event = &envelope.event;
            let entry = Arc::new(Entry::new(position, event.event_type(), event.table_id(), &data));
            store.kept.push_back((now, entry.clone()));
            store.trim(now);
            // Nobody may be reading.
            let _ = store.live.send(Signal::Event(entry));
            added += 1;
        }
        Ok(added)
    }

    pub(super) fn subscribe(&self, store_id: StoreId, left_at: Option<&str>, now: Timestamp) -> Subscription {
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
                        let kept = store.kept.iter().map(|(_, entry)| entry);
                        Ok(kept.filter(|entry| entry.position.sequence > left.sequence).cloned().collect())
                    }
                }
                _ => Err(CannotReplay),
            },
        };
        let live = Live { signals: store.live.subscribe(), after: position.clone() };
        Subscription { position, missed, live }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<StoreId, StoreFeed>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
