//! Who changed a price, deleted something or reset a password, and when.

use serde_json::Value;
use sqlx::PgConnection;

use crate::domain::{AdminId, StoreId, Timestamp};
use crate::error::Result;
use crate::telemetry::queries::Named;

/// What is kept of a change.
#[derive(Debug)]
pub struct Entry {
    /// The store it happened in; `None` for what the super admin does to accounts and stores.
    pub store_id: Option<StoreId>,
    /// Who.
    pub admin_id: AdminId,
    /// What, as `<entity>.<verb>`.
    pub action: &'static str,
    /// Which entity.
    pub entity_id: String,
    /// What it was before and after, as far as that matters. Never a password.
    pub details: Value,
}

/// Keep an entry, in the transaction of the change.
pub async fn record(db: &mut PgConnection, entry: Entry, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into audit_entries (store_id, admin_id, action, entity_id, details, created_at)
         values ($1, $2, $3, $4, $5, $6)",
        entry.store_id as Option<StoreId>,
        entry.admin_id as AdminId,
        entry.action,
        entry.entity_id,
        entry.details,
        now as Timestamp,
    )
    .execute(db)
    .named("audit.record")
    .await?;
    Ok(())
}
