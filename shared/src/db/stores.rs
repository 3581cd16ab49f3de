//! Stores.

use sqlx::{PgConnection, PgPool};

use crate::domain::page::{Page, PageRequest};
use crate::domain::store::{Store, TimeZone};
use crate::domain::{StoreId, Timestamp};
use crate::error::{Code, Result};
use crate::telemetry::queries::Named;

/// Add a store.
pub async fn create(
    db: &mut PgConnection,
    id: StoreId,
    name: &str,
    timezone: TimeZone,
    now: Timestamp,
) -> Result<Store> {
    let store = sqlx::query_as!(
        Store,
        r#"insert into stores (id, name, timezone, created_at, updated_at)
           values ($1, $2, $3, $4, $4)
           returning id as "id: StoreId", name, timezone as "timezone: TimeZone", is_active,
                     created_at as "created_at: Timestamp", updated_at as "updated_at: Timestamp""#,
        id as StoreId,
        name,
        timezone.name(),
        now as Timestamp,
    )
    .fetch_one(db)
    .named("stores.create")
    .await?;
    Ok(store)
}

/// The store with this id.
pub async fn find(db: &PgPool, id: StoreId) -> Result<Store> {
    let store = sqlx::query_as!(
        Store,
        r#"select id as "id: StoreId", name, timezone as "timezone: TimeZone", is_active,
                  created_at as "created_at: Timestamp", updated_at as "updated_at: Timestamp"
           from stores
           where id = $1"#,
        id as StoreId,
    )
    .fetch_optional(db)
    .named("stores.find")
    .await?;
    store.ok_or(Code::StoreNotFound.into())
}

/// Stores whose name contains `search`, by name.
pub async fn list(db: &PgPool, search: Option<&str>, page: PageRequest) -> Result<Page<Store>> {
    let items = sqlx::query_as!(
        Store,
        r#"select id as "id: StoreId", name, timezone as "timezone: TimeZone", is_active,
                  created_at as "created_at: Timestamp", updated_at as "updated_at: Timestamp"
           from stores
           where $1::text is null or strpos(lower(name), lower($1)) > 0
           order by name, id
           limit $2 offset $3"#,
        search,
        page.size,
        page.offset(),
    )
    .fetch_all(db)
    .named("stores.list")
    .await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from stores where $1::text is null or strpos(lower(name), lower($1)) > 0"#,
        search,
    )
    .fetch_one(db)
    .named("stores.list_count");
    super::page_of(items, page, count).await
}

/// What to change in a store; `None` leaves it as it is.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// A new name.
    pub name: Option<&'a str>,
    /// A new time zone.
    pub timezone: Option<TimeZone>,
    /// Switched on or off.
    pub is_active: Option<bool>,
}

/// Change a store.
pub async fn update(db: &PgPool, id: StoreId, changes: Changes<'_>, now: Timestamp) -> Result<Store> {
    let store = sqlx::query_as!(
        Store,
        r#"update stores
           set name = coalesce($2, name),
               timezone = coalesce($3, timezone),
               is_active = coalesce($4, is_active),
               updated_at = case when num_nonnulls($2, $3, $4) = 0 then updated_at else $5 end
           where id = $1
           returning id as "id: StoreId", name, timezone as "timezone: TimeZone", is_active,
                     created_at as "created_at: Timestamp", updated_at as "updated_at: Timestamp""#,
        id as StoreId,
        changes.name,
        changes.timezone.map(TimeZone::name),
        changes.is_active,
        now as Timestamp,
    )
    .fetch_optional(db)
    .named("stores.update")
    .await?;
    store.ok_or(Code::StoreNotFound.into())
}

/// Remove an empty store; what still belongs to it is a `STORE_NOT_EMPTY`, by the foreign keys.
pub async fn delete(db: &mut PgConnection, id: StoreId) -> Result<Store> {
    let store = sqlx::query_as!(
        Store,
        r#"delete from stores
           where id = $1
           returning id as "id: StoreId", name, timezone as "timezone: TimeZone", is_active,
                     created_at as "created_at: Timestamp", updated_at as "updated_at: Timestamp""#,
        id as StoreId,
    )
    .fetch_optional(db)
    .named("stores.delete")
    .await?;
    store.ok_or(Code::StoreNotFound.into())
}

/// Check that the store is there, and keep it from being deleted until the transaction ends.
pub async fn keep(db: &mut PgConnection, id: StoreId) -> Result<()> {
    let found = sqlx::query!("select id from stores where id = $1 for key share", id as StoreId)
        .fetch_optional(db)
        .named("stores.keep")
        .await?;
    found.map(drop).ok_or(Code::StoreNotFound.into())
}

/// Hold the store's row until the transaction ends, so that changes to the menu card happen one after the other.
///
/// Orders and foreign keys only share-lock the row's key and are not held up.
pub async fn lock(db: &mut PgConnection, id: StoreId) -> Result<()> {
    sqlx::query!("select id from stores where id = $1 for no key update", id as StoreId)
        .fetch_optional(db)
        .named("stores.lock")
        .await?;
    Ok(())
}
