//! The fan-out: takes events from RabbitMQ and puts them into the feed that the streams read.
//!
//! AWS repeats a whole batch after an error, for ever if need be. An error is therefore only what passes by itself: Redis or
//! SQS out of reach. A message that cannot be read is parked, with its reason, and the others of its batch count.

mod read;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use serde_json::{Value, json};
use shared::Result;
use shared::aws::Queue;
use shared::cache::Cache;
use shared::clock::Clock;
use shared::config::Config;
use shared::domain::event::Envelope;
use shared::environment;
use shared::events::fanout;
use shared::events::feed::{Feed, RedisFeed};
use shared::events::parked::Parked;
use shared::lambda;
use shared::redis::{Patience, Redis};

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 2] = [environment::EVERYWHERE, &["REDIS_URL", "PARKED_QUEUE_URL"]];

/// Handles batches of messages.
#[derive(Debug)]
pub struct Handler {
    feed: Feed,
    cache: Cache,
    clock: Clock,
    parked: Queue,
}

impl Handler {
    /// A fan-out into the Redis that the configuration names. It connects when it is first needed.
    ///
    /// # Errors
    /// When Redis, or the queue of parked messages, is not named.
    pub fn new(config: &Config) -> std::result::Result<Self, lambda::Error> {
        let [redis_url, parked_queue_url] = config.required(["REDIS_URL", "PARKED_QUEUE_URL"])?;
        let redis = Redis::open(&redis_url.into(), Patience::WORK)?;
        Ok(Self {
            feed: Feed::Redis(RedisFeed::new(redis.clone())),
            cache: Cache::Redis(redis),
            clock: Clock::system(),
            parked: Queue::new(parked_queue_url.to_owned()),
        })
    }

    /// Apply a batch.
    ///
    /// # Errors
    /// When Redis or SQS is out of reach: then nothing is lost if the batch comes again.
    pub async fn handle(&self, event: Value) -> Result<Value> {
        let read::Batch { events, mut unreadable } = read::batch(event);
        unreadable.extend(self.apply(&events).await?);
        // Only now: a batch that is repeated because of Redis must not park the same message each time.
        for message in &unreadable {
            tracing::error!(
                queue = message.queue, event.id = message.message_id, reason = %message.reason,
                "a message cannot be read; it is parked",
            );
            message.keep(&self.parked).await?;
        }
        Ok(json!({ "applied": events.len(), "parked": unreadable.len() }))
    }

    /// Apply events, all at once; one by one if that panics, to find out which of them does. Returns those that do.
    async fn apply(&self, events: &[Envelope]) -> Result<Vec<Parked>> {
        if let Some(applied) = self.try_to_apply(events).await {
            return applied.map(|()| Vec::new());
        }
        let mut unreadable = Vec::new();
        for envelope in events {
            match self.try_to_apply(std::slice::from_ref(envelope)).await {
                Some(applied) => applied?,
                None => unreadable.push(read::panicked(envelope)),
            }
        }
        Ok(unreadable)
    }

    /// `None` when it panics.
    async fn try_to_apply(&self, events: &[Envelope]) -> Option<Result<()>> {
        let applying = fanout::apply(&self.feed, &self.cache, events, self.clock.now());
        AssertUnwindSafe(applying).catch_unwind().await.ok()
    }
}
