//! The transactional outbox: events wait here until they are published.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::domain::event::{Envelope, Event};
use crate::domain::{EventId, StoreId, Timestamp};
use crate::error::Result;
use crate::telemetry::queries::Named;
use crate::telemetry::request_id;

/// An event on its way out.
#[derive(Debug)]
pub struct NewRow {
    /// The event's id.
    pub id: EventId,
    /// Its kind.
    pub event_type: &'static str,
    /// The event as it is published.
    pub payload: String,
}

impl NewRow {
    /// The row for an event that happens now.
    pub fn new(store_id: StoreId, event: Event, now: Timestamp) -> Result<Self> {
        let id = EventId(crate::clock::new_uuid(now));
        let event_type = event.event_type().name();
        let request_id = request_id::current().map(|id| id.to_string());
        let envelope = Envelope { event_id: id, store_id, timestamp: now, request_id, event };
        let payload = serde_json::to_string(&envelope)?;
        Ok(Self { id, event_type, payload })
    }
}

/// Record an event, in the transaction of the change it tells of.
pub async fn record(db: &mut PgConnection, store_id: StoreId, event: Event, now: Timestamp) -> Result<()> {
    let row = NewRow::new(store_id, event, now)?;
    sqlx::query!(
        "insert into outbox (id, store_id, event_type, payload, created_at, next_attempt_at)
         values ($1, $2, $3, $4, $5, $5)",
        row.id as EventId,
        store_id as StoreId,
        row.event_type,
        row.payload,
        now as Timestamp,
    )
    .execute(db)
    .named("outbox.record")
    .await?;
    Ok(())
}

/// An event that waits to be published.
#[derive(Debug)]
pub struct WaitingRow {
    /// The event's id.
    pub id: Uuid,
    /// Its place in the outbox.
    pub sequence: i64,
    /// Its kind.
    pub event_type: String,
    /// The event as it is published.
    pub payload: String,
    /// How often it failed.
    pub attempts: i32,
}

/// The oldest events after a place in the outbox that may be published now, up to `limit`. Places count from 1.
pub async fn waiting(db: &mut PgConnection, now: Timestamp, after: i64, limit: i64) -> Result<Vec<WaitingRow>> {
    let rows = sqlx::query_as!(
        WaitingRow,
        "select id, sequence, event_type, payload, attempts
         from outbox
         where published_at is null and next_attempt_at <= $1 and sequence > $2
         order by sequence
         limit $3",
        now as Timestamp,
        after,
        limit,
    )
    .fetch_all(db)
    .named("outbox.waiting")
    .await?;
    Ok(rows)
}

/// How long the oldest event has waited to be published; zero when none waits.
pub async fn oldest_age(db: &PgPool, now: Timestamp) -> Result<Duration> {
    let oldest = sqlx::query_scalar!(
        r#"select created_at as "created_at: Timestamp" from outbox where published_at is null order by sequence limit 1"#,
    )
    .fetch_optional(db)
    .named("outbox.oldest_age")
    .await?;
    // The clock of another machine may be ahead.
    Ok(oldest.and_then(|oldest| (now - oldest).to_std().ok()).unwrap_or_default())
}

/// Mark events as published.
pub async fn mark_published(db: &mut PgConnection, ids: &[Uuid], now: Timestamp) -> Result<()> {
    sqlx::query!("update outbox set published_at = $2 where id = any($1)", ids, now as Timestamp)
        .execute(db)
        .named("outbox.mark_published")
        .await?;
    Ok(())
}

/// Put one event off that could not be published.
pub async fn put_off(db: &mut PgConnection, id: Uuid, until: Timestamp) -> Result<()> {
    sqlx::query!(
        "update outbox set attempts = attempts + 1, next_attempt_at = $2 where id = $1",
        id,
        until as Timestamp,
    )
    .execute(db)
    .named("outbox.put_off")
    .await?;
    Ok(())
}

/// Wait for the right to publish, at most 5 s; it lasts until the transaction ends.
pub async fn lock(db: &mut PgConnection) -> Result<()> {
    // An arbitrary number that nothing else in this database locks. The columns are evaluated from left to right.
    sqlx::query!("select set_config('lock_timeout', '5s', true), pg_advisory_xact_lock(7461626571)")
        .fetch_one(db)
        .named("outbox.lock")
        .await?;
    Ok(())
}
