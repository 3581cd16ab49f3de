//! The feed that all processes share: the fan-out appends, the stream containers read.
//!
//! Redis keeps a list of a store's last events and publishes each to those who listen to that store, so that an event costs
//! the same however many stores there are. What a listener misses while its connection is down it reads from the list.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::StreamExt;
use redis::aio::{PubSub, PubSubSink};
use redis::{RedisResult, Script};
use serde::Deserialize;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::{CannotReplay, Entry, KEPT, KEPT_FOR, Live, MOST_BEHIND, Position, Signal, Subscription};
use crate::clock;
use crate::domain::event::{Envelope, EventType, Subject, Version};
use crate::domain::{StoreId, TableId};
use crate::error::Result;
use crate::http::layers::READ_TIMEOUT;
use crate::redis::{Patience, Redis, Unavailable};

/// How long a position, and what is remembered of events against repetition and overtaking, is kept, in seconds.
const REMEMBERED_FOR: u64 = 24 * 60 * 60;
/// How often a connection that messages are received on is tried, and stores are left that nobody reads.
const LOOK_AFTER: Duration = Duration::from_secs(5);
/// How long the connection may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
// A stream is opened by listening, and then reading.
const _: () = assert!(PATIENCE.as_secs() + Patience::STREAM.answer.as_secs() < READ_TIMEOUT.as_secs());
/// Pauses between tries to connect: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];
/// Streams that may wait for their store to be listened to.
const WAITING: usize = 1_024;

static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(include_str!("../../redis/position.lua"), include_str!("../../redis/append.lua")))
});
static READ: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(include_str!("../../redis/position.lua"), include_str!("../../redis/read.lua")))
});

/// The feed of every store, kept in Redis.
#[derive(Clone, Debug)]
pub struct RedisFeed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    redis: Redis,
    /// The stores that streams of this process read.
    tails: Tails,
    /// Asks the listener for another store. It starts with the first.
    listener: OnceLock<mpsc::Sender<Listen>>,
}

type Tails = Arc<Mutex<HashMap<StoreId, Tail>>>;

/// A store's feed as this process has seen it.
#[derive(Debug)]
struct Tail {
    live: broadcast::Sender<Signal>,
    /// The last position passed on.
    position: Option<Position>,
}

/// Listen to this store, and say when that is so.
type Listen = (StoreId, oneshot::Sender<()>);

impl RedisFeed {
    /// The feed in this Redis. Nothing is listened to before the first subscription.
    pub fn new(redis: Redis) -> Self {
        Self(Arc::new(Shared { redis, tails: Tails::default(), listener: OnceLock::new() }))
    }

    pub(super) async fn append(&self, events: &[Envelope]) -> Result<usize> {
        let mut stores = BTreeMap::<StoreId, Vec<&Envelope>>::new();
        for envelope in events {
            stores.entry(envelope.store_id).or_default().push(envelope);
        }
        let mut added = 0;
        for (store_id, events) in stores {
            let keys = Keys::of(store_id);
            let mut append = APPEND.key(&keys.position);
            append.key(&keys.entries).key(&keys.channel).arg(new_epoch()).arg(REMEMBERED_FOR);
            append.arg(KEPT).arg(KEPT_FOR.num_seconds());
            for envelope in events {
                let event = &envelope.event;
                let (seen, subject, version) = match event.subject() {
                    Some((subject, version)) => (String::new(), keys.subject(subject), number(version)),
                    None => (keys.seen(envelope), String::new(), 0),
                };
                let session = event.session_id().map(|id| keys.subject(Subject::Session(id))).unwrap_or_default();
                let table = event.table_id().map(|id| id.to_string()).unwrap_or_default();
                let entry = format!("{}\n{table}\n{}", event.event_type().name(), serde_json::to_string(envelope)?);
                append.arg(seen).arg(subject).arg(version).arg(session).arg(entry);
            }
            added += self.0.redis.ask(async |redis| append.invoke_async::<usize>(redis).await).await?;
        }
        Ok(added)
    }

    pub(super) async fn subscribe(&self, store_id: StoreId, left_at: Option<&str>) -> Result<Subscription> {
        // In this order, so that nothing falls between: listen, then read.
        let signals = {
            let mut tails = lock(&self.0.tails);
            let tail = tails
                .entry(store_id)
                .or_insert_with(|| Tail { live: broadcast::Sender::new(MOST_BEHIND), position: None });
            tail.live.subscribe()
        };
        let (listened, listening) = oneshot::channel();
        let listener = self.0.listener.get_or_init(|| Listener::start(self.0.redis.clone(), self.0.tails.clone()));
        let asked = timeout(PATIENCE, async {
            listener.send((store_id, listened)).await.map_err(|_| Unavailable)?;
            listening.await.map_err(|_| Unavailable)
        });
        asked.await.unwrap_or(Err(Unavailable))?;

        let left = left_at.map(str::parse::<Position>);
        let after = left.as_ref().and_then(|left| left.as_ref().ok());
        let (position, missed) = read(&self.0.redis, store_id, after).await?;
        // What is no position is as good as one of another epoch.
        let missed = if matches!(left, Some(Err(_))) { Err(CannotReplay) } else { missed };
        if let Some(tail) = lock(&self.0.tails).get_mut(&store_id) {
            tail.position.get_or_insert_with(|| position.clone());
        }
        Ok(Subscription { live: Live { signals, after: position.clone() }, position, missed })
    }
}

/// Where a store's feed stands, and what came after a position.
async fn read(
    redis: &Redis,
    store_id: StoreId,
    after: Option<&Position>,
) -> Result<(Position, std::result::Result<Vec<Arc<Entry>>, CannotReplay>), Unavailable> {
    let keys = Keys::of(store_id);
    let mut read = READ.key(&keys.position);
    read.key(&keys.entries).arg(new_epoch()).arg(REMEMBERED_FOR).arg(KEPT_FOR.num_seconds());
    match after {
        Some(position) => read.arg(&*position.epoch).arg(position.sequence),
        None => read.arg("").arg(""),
    };
    let answer = redis.ask(async |redis| read.invoke_async::<(String, u64, bool, Vec<String>)>(redis).await);
    let (epoch, sequence, told, entries) = answer.await?;
    let missed = if told { Ok(entries.iter().filter_map(|text| parse(text)).collect()) } else { Err(CannotReplay) };
    Ok((Position { epoch: epoch.into(), sequence }, missed))
}

/// An entry as it is kept and published: epoch, sequence, time, type, table and event, a line each.
fn parse(text: &str) -> Option<Arc<Entry>> {
    let mut lines = text.splitn(6, '\n');
    let (epoch, sequence) = (lines.next()?, lines.next()?.parse().ok()?);
    let _time = lines.next()?;
    let name = lines.next()?;
    let event_type = *EventType::ALL.iter().find(|event_type| event_type.name() == name)?;
    let table_id = lines.next()?.parse().ok().and_then(TableId::new);
    let position = Position { epoch: epoch.into(), sequence };
    Some(Arc::new(Entry::new(position, event_type, table_id, lines.next()?)))
}

/// Receives what is published of the stores that streams read, and passes it on.
struct Listener {
    redis: Redis,
    tails: Tails,
    /// The stores that the present connection listens to.
    listened: HashSet<StoreId>,
}

impl Listener {
    /// Listen in a task of its own, until nobody can ask any more.
    fn start(redis: Redis, tails: Tails) -> mpsc::Sender<Listen> {
        let (sender, asked) = mpsc::channel(WAITING);
        tokio::spawn(Self { redis, tails, listened: HashSet::new() }.run(asked));
        sender
    }

    async fn run(mut self, mut asked: mpsc::Receiver<Listen>) {
        let mut pause = PAUSES[0];
        loop {
            let why = match self.redis.listen().await {
                Ok(connection) => {
                    pause = PAUSES[0];
                    match self.listen(connection, &mut asked).await {
                        Ok(()) => return,
                        Err(error) => error.to_string(),
                    }
                }
                Err(error) => error.to_string(),
            };
            tracing::warn!(exception = %why, "streams receive nothing from Redis; connecting again");
            self.redis.renew();
            // Whoever waits is told now.
            while asked.try_recv().is_ok() {}
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    /// Pass on what comes until the connection fails. `Ok` when nobody can ask any more.
    async fn listen(&mut self, connection: PubSub, asked: &mut mpsc::Receiver<Listen>) -> RedisResult<()> {
        let (mut sink, mut messages) = connection.split();
        self.listened.clear();
        let stores: Vec<_> = lock(&self.tails).keys().copied().collect();
        for store_id in stores {
            self.begin(&mut sink, store_id).await?;
            // What was published while nobody listened.
            self.catch_up(store_id).await?;
        }
        let mut look_after = interval(LOOK_AFTER);
        look_after.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let message = message.ok_or((redis::ErrorKind::Io, "the connection has ended"))?;
                    let payload: String = message.get_payload()?;
                    if let Some(store_id) = Keys::store_of(message.get_channel_name()) {
                        self.pass_on(store_id, &payload).await?;
                    }
                }
                request = asked.recv() => {
                    let Some((store_id, listened)) = request else { return Ok(()) };
                    self.begin(&mut sink, store_id).await?;
                    // Whoever asked may be gone.
                    let _ = listened.send(());
                }
                _ = look_after.tick() => {
                    in_time(sink.ping::<redis::Value>()).await?;
                    self.leave(&mut sink).await?;
                }
            }
        }
    }

    async fn begin(&mut self, sink: &mut PubSubSink, store_id: StoreId) -> RedisResult<()> {
        if self.listened.insert(store_id) {
            in_time(sink.subscribe(Keys::of(store_id).channel)).await?;
        }
        Ok(())
    }

    /// Leave the stores that nobody reads any more.
    async fn leave(&mut self, sink: &mut PubSubSink) -> RedisResult<()> {
        let mut left = Vec::new();
        lock(&self.tails).retain(|store_id, tail| {
            let read = tail.live.receiver_count() > 0;
            if !read {
                left.push(*store_id);
            }
            read
        });
        for store_id in left {
            self.listened.remove(&store_id);
            in_time(sink.unsubscribe(Keys::of(store_id).channel)).await?;
        }
        Ok(())
    }

    /// Pass on an entry that was published.
    async fn pass_on(&self, store_id: StoreId, text: &str) -> RedisResult<()> {
        let Some(entry) = parse(text) else {
            tracing::error!(store.id = %store_id, "Redis published what is no event");
            return Ok(());
        };
        let next = {
            let mut tails = lock(&self.tails);
            let Some(tail) = tails.get_mut(&store_id) else { return Ok(()) };
            let next = match &tail.position {
                None => Next::IsThis,
                Some(last) if last.epoch != entry.position.epoch => Next::Unknown,
                Some(last) if entry.position.sequence <= last.sequence => Next::Known,
                Some(last) if entry.position.sequence == last.sequence + 1 => Next::IsThis,
                Some(_) => Next::Unknown,
            };
            if next == Next::IsThis {
                tail.pass_on(entry);
            }
            next
        };
        if next == Next::Unknown { self.catch_up(store_id).await } else { Ok(()) }
    }

    /// Pass on what came after the last position, or the order to load again.
    async fn catch_up(&self, store_id: StoreId) -> RedisResult<()> {
        let last = lock(&self.tails).get(&store_id).and_then(|tail| tail.position.clone());
        // Without one, whoever subscribes has yet to read where the feed stands.
        let Some(last) = last else { return Ok(()) };
        let answer = read(&self.redis, store_id, Some(&last)).await;
        let (position, missed) = answer.map_err(|_| (redis::ErrorKind::Io, "Redis does not answer"))?;
        let mut tails = lock(&self.tails);
        let Some(tail) = tails.get_mut(&store_id) else { return Ok(()) };
        match missed {
            // More at once would cut off every reader as too slow.
            Ok(missed) if missed.len() <= MOST_BEHIND => missed.into_iter().for_each(|entry| tail.pass_on(entry)),
            _ => {
                tail.position = Some(position.clone());
                // Nobody may be reading.
                let _ = tail.live.send(Signal::Resync(position));
            }
        }
        Ok(())
    }
}

/// How a published entry goes with the last one passed on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// It follows.
    IsThis,
    /// It is not newer.
    Known,
    /// Something is missing in between, or the feed has begun anew.
    Unknown,
}

impl Tail {
    fn pass_on(&mut self, entry: Arc<Entry>) {
        self.position = Some(entry.position.clone());
        // Nobody may be reading.
        let _ = self.live.send(Signal::Event(entry));
    }
}

/// What a store's feed is called in Redis.
struct Keys {
    store_id: StoreId,
    position: String,
    entries: String,
    channel: String,
}

impl Keys {
    fn of(store_id: StoreId) -> Self {
        let key = |name: &str| format!("{{{store_id}}}:feed:{name}");
        Self { store_id, position: key("position"), entries: key("entries"), channel: key("live") }
    }

    /// The store that a channel belongs to.
    fn store_of(channel: &str) -> Option<StoreId> {
        let id = channel.strip_prefix('{')?.strip_suffix("}:feed:live")?;
        StoreId::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(id)).ok()
    }

    /// The newest version of a subject.
    fn subject(&self, subject: Subject) -> String {
        let (kind, id) = match subject {
            Subject::Order(id) => ("order", id.get()),
            Subject::Session(id) => ("session", id.get()),
            Subject::Menu(id) => ("menu", id.get()),
        };
        format!("{{{}}}:feed:newest:{kind}:{id}", self.store_id)
    }

    /// Whether an event has been seen that tells of no version.
    fn seen(&self, envelope: &Envelope) -> String {
        format!("{{{}}}:feed:seen:{}", self.store_id, envelope.event_id)
    }
}

/// A version as a number. The end is above all others.
fn number(version: Version) -> i64 {
    match version {
        Version::At(version) => version.into(),
        Version::End => i64::from(i32::MAX) + 1,
    }
}

fn new_epoch() -> String {
    URL_SAFE_NO_PAD.encode(clock::random::<12>()).replace('-', "_")
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err((redis::ErrorKind::Io, "no answer within 2 s").into()))
}

fn lock(tails: &Tails) -> std::sync::MutexGuard<'_, HashMap<StoreId, Tail>> {
    tails.lock().unwrap_or_else(PoisonError::into_inner)
}
