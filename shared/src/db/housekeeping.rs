//! Removes what has served its time.

use chrono::TimeDelta;
use sqlx::PgPool;

use crate::domain::Timestamp;
use crate::error::Result;
use crate::telemetry::queries::Named;

/// How long an idempotency key is good for.
pub const IDEMPOTENCY_LIFE: TimeDelta = TimeDelta::hours(24);
/// How long a published event stays in the outbox.
pub const PUBLISHED_LIFE: TimeDelta = TimeDelta::days(7);

/// Delete expired idempotency keys and long-published outbox rows. Returns how many rows went.
pub async fn run(db: &PgPool, now: Timestamp) -> Result<u64> {
    let keys =
        sqlx::query!("delete from idempotency_keys where created_at < $1", (now - IDEMPOTENCY_LIFE) as Timestamp,)
            .execute(db)
            .named("housekeeping.run_keys")
            .await?;
    let events = sqlx::query!("delete from outbox where published_at < $1", (now - PUBLISHED_LIFE) as Timestamp)
        .execute(db)
        .named("housekeeping.run_outbox")
        .await?;
    Ok(keys.rows_affected() + events.rows_affected())
}
