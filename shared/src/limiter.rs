//! Limits how many requests a caller makes: a sliding window of 60 seconds. Refused requests do not count.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use lru::LruCache;

use crate::domain::Timestamp;
use crate::error::LimitReached;

/// The window.
pub const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// Callers remembered; the least recently seen is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

/// Counts callers' requests in this process.
#[derive(Clone, Debug)]
pub struct Limiter {
    most: usize,
    callers: Arc<Mutex<LruCache<String, VecDeque<Timestamp>>>>,
}

impl Limiter {
    /// Allows each caller `most` requests in any 60 seconds.
    pub fn new(most: usize) -> Self {
        Self { most, callers: Arc::new(Mutex::new(LruCache::new(REMEMBERED))) }
    }

    /// Count a request, unless the caller has had its share.
    pub async fn check(&self, caller: &str, now: Timestamp) -> Result<(), LimitReached> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let times = callers.get_or_insert_mut_ref(caller, VecDeque::new);
        while times.front().is_some_and(|&time| time + WINDOW <= now) {
            times.pop_front();
        }
        match times.front() {
            Some(&oldest) if times.len() >= self.most => Err(LimitReached { now, until: oldest + WINDOW }),
            _ => {
                times.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    #[tokio::test]
    async fn the_window_slides() {
        let limiter = Limiter::new(3);
        for millis in [0, 30_000, 59_000] {
            limiter.check("a", at(millis)).await.unwrap();
        }
        assert_eq!(limiter.check("a", at(59_999)).await.unwrap_err().until, at(60_000));
        limiter.check("b", at(59_999)).await.unwrap();
        limiter.check("a", at(60_000)).await.unwrap();
        assert_eq!(limiter.check("a", at(60_001)).await.unwrap_err().until, at(90_000));
    }

    #[tokio::test]
    async fn refused_requests_do_not_count() {
        let limiter = Limiter::new(1);
        limiter.check("a", at(0)).await.unwrap();
        for millis in 1..1_000 {
            limiter.check("a", at(millis)).await.unwrap_err();
        }
        limiter.check("a", at(60_000)).await.unwrap();
    }
}
