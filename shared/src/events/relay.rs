//! The relay: drains the outbox.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::publisher::Publisher;
use crate::clock::Clock;
use crate::db::{housekeeping, outbox};
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

/// Publishes what waits in the outbox.
#[derive(Debug)]
pub struct Relay {
    /// Where the outbox is.
    pub db: PgPool,
    /// Where events go.
    pub publisher: Publisher,
    /// What the time is.
    pub clock: Clock,
}

impl Relay {
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
                tracing::warn!(exception = %error, "the relay could not publish; trying again");
            }
        }
    }

    /// Publish what waits in the outbox, oldest first. Returns how many events were published.
    ///
    /// One relay at a time: another waits. An event that cannot be published is put off alone, longer each time.
    ///
    /// # Errors
    /// When the database, or what is published to, is out of reach. What was published until then is done with.
    pub async fn drain(&self) -> Result<usize> {
        let mut published = 0;
        loop {
            let now = self.clock.now();
            let mut tx = self.db.begin().await?;
            outbox::lock(&mut tx).await?;
            let rows = outbox::waiting(&mut tx, now, BATCH).await?;
            if rows.is_empty() {
                return Ok(published);
            }
            let outcome = self.publisher.publish(&rows, now).await;
            for (id, error) in outcome.refused {
                tracing::error!(event.id = %id, exception = %error, "an event cannot be published");
                let attempts = rows.iter().find(|row| row.id == id).map_or(0, |row| row.attempts);
                outbox::put_off(&mut tx, id, now + put_off(attempts)).await?;
            }
            outbox::mark_published(&mut tx, &outcome.published, now).await?;
            tx.commit().await?;
            published += outcome.published.len();
            if let Some(failure) = outcome.failure {
                return Err(failure);
            }
            if rows.len() < BATCH as usize {
                return Ok(published);
            }
        }
    }
}

/// How long to put an event off that has failed this often before: 1 s, 2 s, 4 s … 10 minutes.
fn put_off(attempts: i32) -> TimeDelta {
    let seconds = 1i64 << attempts.clamp(0, 20);
    TimeDelta::seconds(seconds).min(LONGEST_PUT_OFF)
}
