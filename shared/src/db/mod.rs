//! Data access: the pool, and one file of free functions per entity.
//!
//! A function takes a connection (or the pool, when it needs nothing else), the caller's store id wherever rows belong to
//! a store, and the moment where it writes one. Handlers own the transactions.

pub mod admins;
pub mod audit;
pub mod broker_contact;
pub mod categories;
pub mod history;
pub mod housekeeping;
pub mod images;
pub mod inspection;
pub mod login;
pub mod menus;
pub mod orders;
pub mod outbox;
pub mod owners;
pub mod placing;
mod pool;
pub mod service_role;
pub mod sessions;
pub mod stores;
pub mod tables;

pub use pool::{ACQUIRE_TIMEOUT, CLOSING, Check, PoolSize, RequestStart, at_rest, close, connect, connect_options};
use sqlx::PgPool;

use crate::domain::page::{Page, PageRequest};
use crate::telemetry::queries::Named;

/// The migrations in `migrations/`, embedded.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Ask for nothing, to see whether the database answers.
pub async fn ping(db: &PgPool) -> crate::Result<()> {
    sqlx::query!("select 1 as one").fetch_one(db).named("ping").await?;
    Ok(())
}

/// The version of the last migration that was applied, if any was.
pub async fn last_migration(db: &mut sqlx::PgConnection) -> crate::Result<Option<i64>> {
    // Not checked at compile time: the table is sqlx's own, and may not be there yet.
    let there: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *db)
        .named("last_migration.there")
        .await?;
    if !there {
        return Ok(None);
    }
    Ok(sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(db).named("last_migration").await?)
}

/// A page of a list. The whole list is counted only when the page does not tell how long it is.
async fn page_of<T>(
    items: Vec<T>,
    request: PageRequest,
    count: impl Future<Output = sqlx::Result<i64>>,
) -> crate::Result<Page<T>> {
    let total = match request.total_after(items.len()) {
        Some(total) => total,
        None => count.await?,
    };
    Ok(Page::new(items, request, total))
}
