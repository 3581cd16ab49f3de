//! Menu categories. Changes to their set or order happen under `stores::lock`, so that `display_order` has no gaps.

use sqlx::{PgConnection, PgPool};

use crate::domain::menu::Category;
use crate::domain::{CategoryId, StoreId, Timestamp};
use crate::error::{Code, Result};
use crate::telemetry::queries::Named;

/// The store's categories in their order of display.
pub async fn list(db: &PgPool, store_id: StoreId) -> Result<Vec<Category>> {
    let categories = sqlx::query_as!(
        Category,
        r#"select id as "id: CategoryId", name, display_order
           from menu_categories
           where store_id = $1
           order by display_order"#,
        store_id as StoreId,
    )
    .fetch_all(db)
    .named("categories.list")
    .await?;
    Ok(categories)
}

/// Check that the store has this category.
pub async fn check_exists(db: &mut PgConnection, store_id: StoreId, id: CategoryId) -> Result<()> {
    let exists = sqlx::query_scalar!(
        r#"select exists (select from menu_categories where store_id = $1 and id = $2) as "exists!""#,
        store_id as StoreId,
        id as CategoryId,
    )
    .fetch_one(db)
    .named("categories.check_exists")
    .await?;
    if exists { Ok(()) } else { Err(Code::CategoryNotFound.into()) }
}

/// Add a category as the last.
pub async fn create(db: &mut PgConnection, store_id: StoreId, name: &str, now: Timestamp) -> Result<Category> {
    let category = sqlx::query_as!(
        Category,
        r#"insert into menu_categories (store_id, name, display_order, created_at, updated_at)
           select $1, $2, count(*) + 1, $3, $3
           from menu_categories
           where store_id = $1
           returning id as "id: CategoryId", name, display_order"#,
        store_id as StoreId,
        name,
        now as Timestamp,
    )
    .fetch_one(db)
    .named("categories.create")
    .await?;
    Ok(category)
}

/// Rename a category.
pub async fn rename(
    db: &mut PgConnection,
    store_id: StoreId,
    id: CategoryId,
    name: &str,
    now: Timestamp,
) -> Result<Category> {
    let category = sqlx::query_as!(
        Category,
        r#"update menu_categories
           set name = $3, updated_at = $4
           where store_id = $1 and id = $2
           returning id as "id: CategoryId", name, display_order"#,
        store_id as StoreId,
        id as CategoryId,
        name,
        now as Timestamp,
    )
    .fetch_optional(db)
    .named("categories.rename")
    .await?;
    category.ok_or(Code::CategoryNotFound.into())
}

/// Delete an empty category and close the gap. With menus it is a `CATEGORY_NOT_EMPTY`, by the foreign key.
pub async fn delete(db: &mut PgConnection, store_id: StoreId, id: CategoryId) -> Result<Category> {
    let category = sqlx::query_as!(
        Category,
        r#"delete from menu_categories
           where store_id = $1 and id = $2
           returning id as "id: CategoryId", name, display_order"#,
        store_id as StoreId,
        id as CategoryId,
    )
    .fetch_optional(&mut *db)
    .named("categories.delete")
    .await?
    .ok_or(Code::CategoryNotFound)?;
    sqlx::query!(
        "update menu_categories set display_order = display_order - 1 where store_id = $1 and display_order > $2",
        store_id as StoreId,
        category.display_order,
    )
    .execute(db)
    .named("categories.delete_gap")
    .await?;
    Ok(category)
}

/// The ids of the store's categories.
pub async fn ids(db: &mut PgConnection, store_id: StoreId) -> Result<Vec<CategoryId>> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id: CategoryId" from menu_categories where store_id = $1"#,
        store_id as StoreId,
    )
    .fetch_all(db)
    .named("categories.ids")
    .await?;
    Ok(ids)
}

/// Put the store's categories in this order.
pub async fn reorder(db: &mut PgConnection, store_id: StoreId, ids: &[CategoryId], now: Timestamp) -> Result<()> {
    sqlx::query!(
        "update menu_categories c
         set display_order = wanted.place, updated_at = $3
         from unnest($2::bigint[]) with ordinality as wanted (id, place)
         where c.store_id = $1 and c.id = wanted.id",
        store_id as StoreId,
        ids as &[CategoryId],
        now as Timestamp,
    )
    .execute(db)
    .named("categories.reorder")
    .await?;
    Ok(())
}
