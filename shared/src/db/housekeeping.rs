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

/// Rows that go at once. However many there are, a statement then ends long before PostgreSQL would end it.
const AT_ONCE: u64 = 10_000;

/// Delete expired idempotency keys and long-published outbox rows. Returns how many rows went.
pub async fn run(db: &PgPool, now: Timestamp) -> Result<u64> {
    let mut deleted = 0;
    loop {
        let keys = delete_keys(db, now - IDEMPOTENCY_LIFE).await?;
        let events = delete_events(db, now - PUBLISHED_LIFE).await?;
        deleted += keys + events;
        if keys.max(events) < AT_ONCE {
            return Ok(deleted);
        }
    }
}

async fn delete_keys(db: &PgPool, before: Timestamp) -> Result<u64> {
    let deleted = sqlx::query!(
        "delete from idempotency_keys
         where ctid = any(array(select ctid from idempotency_keys where created_at < $1 limit $2))",
        before as Timestamp,
        AT_ONCE.cast_signed(),
    )
    .execute(db)
    .named("housekeeping.delete_keys")
    .await?;
    Ok(deleted.rows_affected())
}

async fn delete_events(db: &PgPool, before: Timestamp) -> Result<u64> {
    let deleted = sqlx::query!(
        "delete from outbox where id = any(array(select id from outbox where published_at < $1 limit $2))",
        before as Timestamp,
        AT_ONCE.cast_signed(),
    )
    .execute(db)
    .named("housekeeping.delete_events")
    .await?;
    Ok(deleted.rows_affected())
}
