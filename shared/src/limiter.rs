//! Limits how many requests a caller makes: a sliding window of 60 seconds. Refused requests do not count.
//!
//! With Redis all processes count together, on its clock. While it does not answer, each counts for itself. Nobody waits long for
//! an answer: a request that Redis would have refused, but too late, is let in, and the caller's next one here is refused.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

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
    callers: Arc<Mutex<LruCache<String, Caller>>>,
}

/// What this process knows of a caller by itself.
#[derive(Debug, Default)]
struct Caller {
    /// The requests that were let in without a word of Redis.
    requests: Window,
    /// Until when it was refused by Redis.
    until: Option<Timestamp>,
}

impl Limiter {
    /// Allows each caller `most` requests in any 60 seconds.
    pub fn new(most: usize, redis: Option<Redis>) -> Self {
        Self { most, redis, callers: Arc::new(Mutex::new(bounded(REMEMBERED))) }
    }

    /// Count a request, unless the caller has had its share.
    pub async fn check(&self, caller: &str, now: Timestamp) -> Result<(), LimitReached> {
        if let Some(redis) = &self.redis
            && let Some(Ok(answer)) = redis.glance(|redis| self.clone().ask(redis, caller.to_owned(), now)).await
        {
            return answer;
        }
        self.check_here(caller, now)
    }

    /// Count it in Redis, and remember here if it is refused: nobody may be waiting for the answer any more.
    async fn ask(self, redis: Redis, caller: String, now: Timestamp) -> Result<Result<(), LimitReached>, Unavailable> {
        let mut limit = LIMIT.key(format!("limit:{caller}"));
        limit.arg(self.most).arg(WINDOW.num_microseconds());
        let micros = redis.ask(async |connection| limit.invoke_async(connection).await).await?;
        let answer = LimitReached::unless_zero(micros, now);
        if let Err(limit) = &answer {
            self.callers().get_or_insert_mut(caller, Caller::default).until = Some(limit.until);
        }
        Ok(answer)
    }

    fn check_here(&self, caller: &str, now: Timestamp) -> Result<(), LimitReached> {
        let mut callers = self.callers();
        let Caller { requests, until } = callers.get_or_insert_mut_ref(caller, Caller::default);
        if let Some(until) = until.filter(|&until| now < until) {
            return Err(LimitReached { now, until });
        }
        requests.check(self.most, WINDOW, now)?;
        requests.add(now);
        Ok(())
    }

    fn callers(&self) -> MutexGuard<'_, LruCache<String, Caller>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
