//! A look at how much there is, and how new.

use serde::Serialize;
use sqlx::PgPool;

use crate::domain::Timestamp;
use crate::error::Result;
use crate::telemetry::queries::Named;

/// What a database holds.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// The last migration.
    pub migration: Option<i64>,
    /// Stores.
    pub stores: i64,
    /// Orders of open sessions.
    pub orders: i64,
    /// Orders of closed ones.
    pub archived_orders: i64,
    /// When the newest event happened.
    pub newest_event: Option<Timestamp>,
}

/// Look into a database.
pub async fn inspect(db: &PgPool) -> Result<Inspection> {
    let found = sqlx::query!(
        r#"select (select count(*) from stores) as "stores!",
                  (select count(*) from orders) as "orders!",
                  (select count(*) from order_history) as "archived_orders!",
                  (select max(created_at) from outbox) as "newest_event: Timestamp""#
    )
    .fetch_one(db)
    .named("inspection.inspect")
    .await?;
    Ok(Inspection {
        migration: super::last_migration(&mut *db.acquire().await?).await?,
        stores: found.stores,
        orders: found.orders,
        archived_orders: found.archived_orders,
        newest_event: found.newest_event,
    })
}
