//! When the relay last reached the broker.

use sqlx::PgPool;

use crate::domain::Timestamp;
use crate::error::Result;
use crate::telemetry::queries::Named;

/// Note that the broker was reached.
pub async fn record(db: &PgPool, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into broker_contact (reached_at) values ($1)
         on conflict (only_row) do update set reached_at = excluded.reached_at",
        now as Timestamp,
    )
    .execute(db)
    .named("broker_contact.record")
    .await?;
    Ok(())
}

/// When the broker was last reached, if it ever was.
pub async fn last(db: &PgPool) -> Result<Option<Timestamp>> {
    let last = sqlx::query_scalar!(r#"select reached_at as "reached_at: Timestamp" from broker_contact"#)
        .fetch_optional(db)
        .named("broker_contact.last")
        .await?;
    Ok(last)
}
