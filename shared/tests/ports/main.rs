//! What has two implementations, in this process and in Redis: one test for both.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod bus;
mod cache;
mod feed;
mod limits;
mod logins;
mod outage;
mod tickets;

use chrono::TimeDelta;
use shared::domain::{StoreId, Timestamp};
use shared::redis::Redis;
use shared::testing::{TestRedis, moment};

/// Where a test runs, and what time it is there.
struct World {
    now: Timestamp,
    /// Without it everything is in this process.
    redis: Option<TestRedis>,
}

impl World {
    fn local() -> Self {
        Self { now: moment("2026-02-09T03:00:00.000Z"), redis: None }
    }

    async fn in_process() -> Self {
        Self::local()
    }

    async fn on_redis() -> Self {
        Self { redis: Some(TestRedis::create().await), ..Self::local() }
    }

    /// A process's connection to Redis, if there is one.
    fn connect(&self) -> Option<Redis> {
        self.redis.as_ref().map(TestRedis::connect)
    }

    /// Let time pass. Redis has its own clock, which goes on meanwhile.
    async fn pass(&mut self, by: TimeDelta) {
        self.now = self.now + by;
        if let Some(redis) = &self.redis {
            redis.age(by).await;
        }
    }
}

/// A store of its own for each call.
fn store() -> StoreId {
    StoreId(shared::clock::new_uuid(moment("2026-02-09T03:00:00.000Z")))
}

/// What is expected of a wait, but for the time that a test takes.
fn about(wait: TimeDelta, seconds: i64) -> bool {
    let expected = TimeDelta::seconds(seconds);
    wait <= expected && wait > expected - TimeDelta::seconds(20)
}
