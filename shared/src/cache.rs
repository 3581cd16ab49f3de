//! Cache-aside for what is read far more often than it changes: JSON bodies, for five minutes, dropped after a change.
//!
//! A slow reader cannot put an old value back: each entity of a store has a generation that every drop changes, and a
//! value counts only under the generation that was current before it was read.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::body::Bytes;
use chrono::TimeDelta;
use lru::LruCache;
use redis::{AsyncCommands, Script};
use serde::Serialize;

use crate::bounded::bounded;
use crate::clock;
use crate::domain::{StoreId, Timestamp};
use crate::error::Result;
use crate::redis::{Redis, Unavailable};

/// How long a value is good for.
pub const LIFE: TimeDelta = TimeDelta::minutes(5);
/// Values kept by one process; the least recently used is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// How long Redis remembers a generation, in seconds: longer than any value lives.
const GENERATION_LIFE: u64 = 24 * 60 * 60;

static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/fill.lua")));

/// What is cached, each dropped as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entity {
    /// The store's categories.
    Categories,
    /// The store's menus.
    Menus,
    /// The store's archived orders.
    OrderHistory,
}

impl Entity {
    /// Its part of a key.
    fn as_str(self) -> &'static str {
        match self {
            Self::Categories => "categories",
            Self::Menus => "menus",
            Self::OrderHistory => "order_history",
        }
    }
}

/// The cache.
#[derive(Clone, Debug)]
pub enum Cache {
    /// In this process, which is then the only one.
    Local(LocalCache),
    /// In Redis, for all processes. While it does not answer, every read goes to the database.
    Redis(Redis),
}

/// Values kept in this process.
#[derive(Clone, Debug)]
pub struct LocalCache(Arc<Mutex<Values>>);

#[derive(Debug)]
struct Values {
    kept: LruCache<(StoreId, Entity, String), Kept>,
    generations: HashMap<(StoreId, Entity), u64>,
}

#[derive(Debug)]
struct Kept {
    body: Bytes,
    generation: u64,
    until: Timestamp,
}

/// What a look-up found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The value, if it is there and still good.
    pub body: Option<Bytes>,
    /// What to fill a missing value under. `None` when that cannot be told: it is not to be filled.
    pub generation: Option<u64>,
}

impl Default for LocalCache {
    fn default() -> Self {
        let values = Values { kept: bounded(REMEMBERED), generations: HashMap::new() };
        Self(Arc::new(Mutex::new(values)))
    }
}

impl Cache {
    /// The JSON of what `load` gives, from the cache if it is there.
    pub async fn body<T: Serialize>(
        &self,
        (store_id, entity, id): (StoreId, Entity, &str),
        now: Timestamp,
        load: impl AsyncFnOnce() -> Result<T>,
    ) -> Result<Bytes> {
        let found = self.look_up(store_id, entity, id, now).await;
        if let Some(body) = found.body {
            return Ok(body);
        }
        // Boxed, or every request would carry the room it takes.
        let body = Bytes::from(serde_json::to_vec(&Box::pin(load()).await?)?);
        if let Some(generation) = found.generation {
            self.fill(store_id, entity, id, generation, body.clone(), now).await;
        }
        Ok(body)
    }

    /// What is cached, and the generation it would have to be filled under.
    pub async fn look_up(&self, store_id: StoreId, entity: Entity, id: &str, now: Timestamp) -> Found {
        match self {
            Self::Local(cache) => {
                let mut values = cache.lock();
                let generation = values.generations.get(&(store_id, entity)).copied().unwrap_or(0);
                let kept = values.kept.get(&(store_id, entity, id.to_owned()));
                let good = kept.filter(|kept| kept.generation == generation && now < kept.until);
                Found { body: good.map(|kept| kept.body.clone()), generation: Some(generation) }
            }
            Self::Redis(redis) => {
                let keys = [generation_key(store_id, entity), value_key(store_id, entity, id)];
                let found = redis.glance(|redis| async move {
                    redis.ask(async |redis| redis.mget::<_, (Option<u64>, Option<Bytes>)>(&keys).await).await
                });
                let Some(Ok((generation, value))) = found.await else { return Found { body: None, generation: None } };
                let body = generation.zip(value).and_then(|(generation, value)| value_of(generation, value));
                Found { body, generation: Some(generation.unwrap_or(0)) }
            }
        }
    }

    /// Keep a value that was read after [`Self::look_up`] gave this generation. Without effect if it has been dropped
    /// since.
    pub async fn fill(
        &self,
        store_id: StoreId,
        entity: Entity,
        id: &str,
        generation: u64,
        body: Bytes,
        now: Timestamp,
    ) {
        match self {
            Self::Local(cache) => {
                let kept = Kept { body, generation, until: now + LIFE };
                cache.lock().kept.put((store_id, entity, id.to_owned()), kept);
            }
            Self::Redis(redis) => {
                let mut fill = FILL.key(generation_key(store_id, entity));
                fill.key(value_key(store_id, entity, id)).arg(generation).arg(&*body).arg(LIFE.num_seconds());
                fill.arg(new_generation()).arg(GENERATION_LIFE);
                // The next reader tries again.
                let _ = redis.ask(async |redis| fill.invoke_async::<()>(redis).await).await;
            }
        }
    }

    /// Drop everything cached of these entities of a store, after their change was committed. One question to Redis.
    ///
    /// # Errors
    /// When Redis does not answer. The change's event makes good for it when it arrives.
    pub async fn drop_all(&self, store_id: StoreId, entities: &[Entity]) -> Result<(), Unavailable> {
        match self {
            Self::Local(cache) => {
                let mut values = cache.lock();
                for &entity in entities {
                    *values.generations.entry((store_id, entity)).or_default() += 1;
                }
                Ok(())
            }
            Self::Redis(_) if entities.is_empty() => Ok(()),
            Self::Redis(redis) => {
                let mut drop = redis::pipe();
                for &entity in entities {
                    drop.set_ex(generation_key(store_id, entity), new_generation(), GENERATION_LIFE);
                }
                redis.ask(async |redis| drop.exec_async(redis).await).await
            }
        }
    }
}

fn generation_key(store_id: StoreId, entity: Entity) -> String {
    format!("{{{store_id}}}:{}:generation", entity.as_str())
}

fn value_key(store_id: StoreId, entity: Entity, id: &str) -> String {
    format!("{{{store_id}}}:{}:{id}", entity.as_str())
}

/// A generation that has not been before. Never 0, which stands for none.
fn new_generation() -> u64 {
    u64::from_ne_bytes(clock::random()) | 1
}

/// The body in what Redis keeps, `<generation>\n<body>`, if it is of this generation.
fn value_of(generation: u64, value: Bytes) -> Option<Bytes> {
    let end = value.iter().position(|&byte| byte == b'\n')?;
    (value[..end] == *generation.to_string().as_bytes()).then(|| value.slice(end + 1..))
}

impl LocalCache {
    fn lock(&self) -> std::sync::MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
