//! Limits how many requests a caller makes: a sliding window of 60 seconds. Refused requests do not count.
//!
//! With Redis all processes count together, on its clock. While it does not answer, each counts for itself.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use chrono::TimeDelta;
use lru::LruCache;
use redis::Script;

use crate::bounded::bounded;
use crate::domain::Timestamp;
use crate::error::LimitReached;
use crate::redis::{Redis, Unavailable};
use crate::window::Window;

/// The window.
pub const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// Callers remembered; the least recently seen is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

static LIMIT: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("redis/window.lua"), include_str!("redis/limit.lua"))));

/// Counts callers' requests.
#[derive(Clone, Debug)]
pub struct Limiter {
    most: usize,
    /// Where processes count together; without it this one counts alone.
    redis: Option<Redis>,
    callers: Arc<Mutex<LruCache<String, Window>>>,
}

impl Limiter {
    /// Allows each caller `most` requests in any 60 seconds.
    pub fn new(most: usize, redis: Option<Redis>) -> Self {
        Self { most, redis, callers: Arc::new(Mutex::new(bounded(REMEMBERED))) }
    }

    /// Count a request, unless the caller has had its share.
    pub async fn check(&self, caller: &str, now: Timestamp) -> Result<(), LimitReached> {
        if let Some(redis) = &self.redis
            && let Ok(micros) = self.ask(redis, caller).await
        {
            return LimitReached::unless_zero(micros, now);
        }
        self.check_here(caller, now)
    }

    /// How many microseconds the caller must wait; 0 if the request was counted.
    async fn ask(&self, redis: &Redis, caller: &str) -> Result<i64, Unavailable> {
        let mut limit = LIMIT.key(format!("limit:{caller}"));
        limit.arg(self.most).arg(WINDOW.num_microseconds());
        redis.ask(async |connection| limit.invoke_async(connection).await).await
    }

    fn check_here(&self, caller: &str, now: Timestamp) -> Result<(), LimitReached> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = callers.get_or_insert_mut_ref(caller, Window::default);
        requests.check(self.most, WINDOW, now)?;
        requests.add(now);
        Ok(())
    }
}
