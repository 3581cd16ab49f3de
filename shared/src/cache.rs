//! Cache-aside for what is read far more often than it changes: JSON bodies, for five minutes, dropped after a change.
//!
//! A slow reader cannot put an old value back: each entity of a store has a generation that every drop raises, and a
//! value counts only under the generation that was current before it was read.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use chrono::TimeDelta;
use lru::LruCache;
use serde::Serialize;

use crate::domain::{StoreId, Timestamp};
use crate::error::Result;

/// How long a value is good for.
pub const LIFE: TimeDelta = TimeDelta::minutes(5);
/// Values kept by one process; the least recently used is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

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

/// The cache.
#[derive(Clone, Debug)]
pub enum Cache {
    /// In this process, which is then the only one.
    Local(LocalCache),
    /// Nothing is cached: every read goes to the database.
    Off,
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
    /// What to fill a missing value under.
    pub generation: u64,
}

impl Default for LocalCache {
    fn default() -> Self {
        let values = Values { kept: LruCache::new(REMEMBERED), generations: HashMap::new() };
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
        self.fill(store_id, entity, id, found.generation, body.clone(), now).await;
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
                Found { body: good.map(|kept| kept.body.clone()), generation }
            }
            Self::Off => Found { body: None, generation: 0 },
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
            Self::Off => {}
        }
    }

    /// Drop everything cached of an entity of a store, after its change was committed.
    pub async fn drop_all(&self, store_id: StoreId, entity: Entity) {
        match self {
            Self::Local(cache) => *cache.lock().generations.entry((store_id, entity)).or_default() += 1,
            Self::Off => {}
        }
    }
}

impl LocalCache {
    fn lock(&self) -> std::sync::MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId(uuid::Uuid::nil());

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000).unwrap()
    }

    #[tokio::test]
    async fn a_value_is_good_for_five_minutes() {
        let cache = Cache::Local(LocalCache::default());
        let read =
            async |value: u32, now| cache.body((STORE, Entity::Menus, "all"), now, async || Ok(value)).await.unwrap();
        assert_eq!(read(1, at(0)).await, "1");
        assert_eq!(read(2, at(299)).await, "1");
        assert_eq!(read(3, at(300)).await, "3");
    }

    #[tokio::test]
    async fn a_slow_reader_cannot_put_an_old_value_back() {
        let cache = Cache::Local(LocalCache::default());
        let slow = cache.look_up(STORE, Entity::Menus, "all", at(0)).await;
        cache.drop_all(STORE, Entity::Menus).await;
        cache.fill(STORE, Entity::Menus, "all", slow.generation, "old".into(), at(0)).await;
        assert_eq!(cache.look_up(STORE, Entity::Menus, "all", at(0)).await.body, None);
    }

    #[tokio::test]
    async fn a_drop_leaves_other_stores_and_entities_alone() {
        let cache = Cache::Local(LocalCache::default());
        let other = StoreId(uuid::Uuid::max());
        for (store, entity) in [(STORE, Entity::Menus), (STORE, Entity::Categories), (other, Entity::Menus)] {
            cache.fill(store, entity, "all", 0, "x".into(), at(0)).await;
        }
        cache.drop_all(STORE, Entity::Menus).await;
        assert!(cache.look_up(STORE, Entity::Menus, "all", at(0)).await.body.is_none());
        assert!(cache.look_up(STORE, Entity::Categories, "all", at(0)).await.body.is_some());
        assert!(cache.look_up(other, Entity::Menus, "all", at(0)).await.body.is_some());
    }
}
