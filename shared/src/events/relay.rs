//! The relay: drains the outbox.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sqlx::{PgConnection, PgPool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::publisher::{Outcome, Publisher, Refused};
use crate::clock::Clock;
use crate::db::{housekeeping, outbox};
use crate::domain::Timestamp;
use crate::error::Result;

/// Events read, published and marked together. A relay that is killed publishes no more than this twice.
const BATCH: i64 = 1_000;
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
    /// One relay at a time: another waits. An event that cannot be published is put off alone, longer each time. While one
    /// batch is on its way, what became of the one before is noted on a second connection, and the next one is read.
    ///
    /// # Errors
    /// When the database, or what is published to, is out of reach. What was published until then is done with.
    pub async fn drain(&self) -> Result<usize> {
        // It has the lock. What it holds is committed with the last batch.
        let mut tx = self.db.begin().await?;
        outbox::lock(&mut tx).await?;
        let mut batch = outbox::waiting(&mut tx, self.clock.now(), 0, BATCH).await?;
        let (mut published, mut last, mut done) = (0, Outcome::default(), Ok(()));
        while let Some(newest) = batch.last() {
            let now = self.clock.now();
            let next = async {
                let is_full = batch.len() == BATCH as usize;
                if is_full { outbox::waiting(&mut tx, now, newest.sequence, BATCH).await } else { Ok(Vec::new()) }
            };
            let before = mem::take(&mut last);
            let (outcome, noted, next) =
                tokio::join!(self.publisher.publish(&batch, now), self.note_apart(before, now), next);
            published += outcome.published.len();
            last = outcome;
            let failure = last.failure.take().map_or(Ok(()), Err);
            match failure.and(noted).and(next) {
                Ok(next) => batch = next,
                Err(error) => {
                    done = Err(error);
                    break;
                }
            }
        }
        note(&mut tx, last, self.clock.now()).await?;
        tx.commit().await?;
        done.map(|()| published)
    }

    /// Note what became of a batch, if there was one, while the connection that holds the lock reads the next.
    async fn note_apart(&self, outcome: Outcome, now: Timestamp) -> Result<()> {
        if outcome.is_empty() { Ok(()) } else { note(&mut *self.db.acquire().await?, outcome, now).await }
    }
}

/// Note what became of events.
async fn note(db: &mut PgConnection, outcome: Outcome, now: Timestamp) -> Result<()> {
    for Refused { id, attempts, error } in outcome.refused {
        tracing::error!(event.id = %id, exception = %error, "an event cannot be published");
        outbox::put_off(db, id, now + put_off(attempts)).await?;
    }
    if !outcome.published.is_empty() {
        outbox::mark_published(db, &outcome.published, now).await?;
    }
    Ok(())
}

/// How long to put an event off that has failed this often before: 1 s, 2 s, 4 s … 10 minutes.
fn put_off(attempts: i32) -> TimeDelta {
    let seconds = 1i64 << attempts.clamp(0, 20);
    TimeDelta::seconds(seconds).min(LONGEST_PUT_OFF)
}
