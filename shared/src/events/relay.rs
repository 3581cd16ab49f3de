//! The relay: drains the outbox.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::fanout;
use super::feed::Feed;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::db::{housekeeping, outbox};
use crate::domain::event::Envelope;
use crate::error::Result;

/// Events published under one lock.
const BATCH: i64 = 500;
/// A pause after a drain that was asked for: what comes meanwhile is published together, with a fraction of the queries.
/// Screens may be half a second behind; this is a twentieth of that.
const PAUSE: Duration = Duration::from_millis(25);
/// How often the outbox is looked at without a nudge.
const SWEEP: Duration = Duration::from_secs(1);
/// How often housekeeping runs.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// The longest an event is put off that cannot be published.
const LONGEST_PUT_OFF: TimeDelta = TimeDelta::minutes(10);

/// Tells the relay that the outbox has something, after a commit.
#[derive(Clone, Debug)]
pub enum Bus {
    /// The relay runs in this process.
    Local(Arc<Notify>),
    /// Nothing is told: the relay's own schedule finds the event.
    Off,
}

impl Bus {
    /// Tell the relay. Never fails: a lost nudge delays an event and loses none.
    pub async fn nudge(&self) {
        match self {
            Self::Local(notify) => notify.notify_one(),
            Self::Off => {}
        }
    }
}

/// Drains the outbox into the feed of the same process.
#[derive(Clone, Debug)]
pub struct LocalRelay {
    /// Where the outbox is.
    pub db: PgPool,
    /// Where events go.
    pub feed: Feed,
    /// What events outdate.
    pub cache: Cache,
    /// What the time is.
    pub clock: Clock,
}

impl LocalRelay {
    /// Drain at every nudge and every second, until stopped. A failure is logged and tried again.
    pub async fn run(self, nudged: Arc<Notify>, stopped: CancellationToken) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        housekeeping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                () = stopped.cancelled() => return,
                () = nudged.notified() => {
                    let done = self.drain().await.map(drop);
                    stopped.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
                    done
                }
                _ = sweep.tick() => self.drain().await.map(drop),
                _ = housekeeping.tick() => housekeeping::run(&self.db, self.clock.now()).await.map(drop),
            };
            if let Err(error) = done {
                tracing::warn!(exception = %error, "the relay could not reach the database; trying again");
            }
        }
    }

    /// Publish what waits in the outbox, oldest first. Returns how many events were published.
    ///
    /// One relay at a time: another waits. An event that cannot be published is put off alone, longer each time.
    pub async fn drain(&self) -> Result<usize> {
        let mut published = 0;
        loop {
            let now = self.clock.now();
            let mut tx = self.db.begin().await?;
            outbox::lock(&mut tx).await?;
            let rows = outbox::waiting(&mut tx, now, BATCH).await?;
            let taken = rows.len();
            let mut done = Vec::with_capacity(taken);
            for row in rows {
                match self.publish(&row.payload).await {
                    Ok(()) => done.push(row.id),
                    Err(error) => {
                        tracing::error!(event.id = %row.id, exception = %error, "an event cannot be published");
                        outbox::put_off(&mut tx, row.id, now + put_off(row.attempts)).await?;
                    }
                }
            }
            if taken > 0 {
                outbox::mark_published(&mut tx, &done, now).await?;
            }
            tx.commit().await?;
            published += done.len();
            if taken < BATCH as usize {
                return Ok(published);
            }
        }
    }

    async fn publish(&self, payload: &str) -> Result<()> {
        let envelope: Envelope = serde_json::from_str(payload)?;
        fanout::apply(&self.feed, &self.cache, envelope, self.clock.now()).await
    }
}

/// How long to put an event off that has failed this often before: 1 s, 2 s, 4 s … 10 minutes.
fn put_off(attempts: i32) -> TimeDelta {
    let seconds = 1i64 << attempts.clamp(0, 20);
    TimeDelta::seconds(seconds).min(LONGEST_PUT_OFF)
}
