//! Menus. Changes to their set or order happen under `stores::lock`, so that `display_order` has no gaps.

use sqlx::{PgConnection, PgPool};

use crate::domain::menu::Menu;
use crate::domain::page::{Page, PageRequest};
use crate::domain::{CategoryId, ImageId, MenuId, StoreId, Timestamp};
use crate::error::{Code, Result};
use crate::telemetry::queries::Named;

/// Selects whole menus; `$1` is the store and `$2` the base URL of pictures, the tail the rest after `from`.
macro_rules! select_menus {
    ($tail:literal, $store_id:expr, $image_base_url:expr $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Menu,
            r#"select m.id as "id: MenuId", m.category_id as "category_id: CategoryId", m.name, m.description, m.price,
                      m.is_available, m.display_order, $2 || '/' || i.image_key as image_url,
                      $2 || '/' || i.thumbnail_key as thumbnail_url, m.version,
                      m.created_at as "created_at: Timestamp", m.updated_at as "updated_at: Timestamp"
               from menus m
               join menu_categories c on c.id = m.category_id
               left join images i on i.id = m.image_id
               where m.store_id = $1 "# + $tail,
            $store_id as StoreId,
            $image_base_url as &str
            $(, $argument)*
        )
    };
}

/// The store's menus by category and display order, of one category if asked for.
pub async fn list(
    db: &PgPool,
    store_id: StoreId,
    image_base_url: &str,
    category_id: Option<CategoryId>,
) -> Result<Vec<Menu>> {
    let menus = select_menus!(
        "and ($3::bigint is null or m.category_id = $3) order by c.display_order, m.display_order",
        store_id,
        image_base_url,
        category_id as Option<CategoryId>,
    )
    .fetch_all(db)
    .named("menus.list")
    .await?;
    Ok(menus)
}

/// One page of the store's menus by category and display order, of one category if asked for.
pub async fn page(
    db: &PgPool,
    store_id: StoreId,
    image_base_url: &str,
    category_id: Option<CategoryId>,
    page: PageRequest,
) -> Result<Page<Menu>> {
    let menus = select_menus!(
        "and ($3::bigint is null or m.category_id = $3)
         order by c.display_order, m.display_order
         limit $4 offset $5",
        store_id,
        image_base_url,
        category_id as Option<CategoryId>,
        page.size,
        page.offset(),
    )
    .fetch_all(db)
    .named("menus.page")
    .await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from menus where store_id = $1 and ($2::bigint is null or category_id = $2)"#,
        store_id as StoreId,
        category_id as Option<CategoryId>,
    )
    .fetch_one(db)
    .named("menus.page_count");
    super::page_of(menus, page, count).await
}

/// One of the store's menus.
pub async fn find(db: &mut PgConnection, store_id: StoreId, image_base_url: &str, id: MenuId) -> Result<Menu> {
    let menu = select_menus!("and m.id = $3", store_id, image_base_url, id as MenuId)
        .fetch_optional(db)
        .named("menus.find")
        .await?;
    menu.ok_or(Code::MenuNotFound.into())
}

/// A menu to add.
#[derive(Debug)]
pub struct NewMenu<'a> {
    /// The category it goes into, as the last.
    pub category_id: CategoryId,
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub description: Option<&'a str>,
    /// In won.
    pub price: i64,
    /// False while it is sold out.
    pub is_available: bool,
    /// Its picture.
    pub image_id: Option<ImageId>,
}

/// Add a menu as the last of its category. Returns its id.
pub async fn create(db: &mut PgConnection, store_id: StoreId, new: NewMenu<'_>, now: Timestamp) -> Result<MenuId> {
    let id = sqlx::query_scalar!(
        r#"insert into menus (
               store_id, category_id, name, description, price, is_available, image_id, display_order, created_at,
               updated_at
           )
           select $1, $2, $3, $4, $5, $6, $7, count(*) + 1, $8, $8
           from menus
           where store_id = $1 and category_id = $2
           returning id as "id: MenuId""#,
        store_id as StoreId,
        new.category_id as CategoryId,
        new.name,
        new.description,
        new.price,
        new.is_available,
        new.image_id as Option<ImageId>,
        now as Timestamp,
    )
    .fetch_one(db)
    .named("menus.create")
    .await?;
    Ok(id)
}

/// What to change in a menu; `None` leaves it as it is, `Some(None)` takes it away.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// A new name.
    pub name: Option<&'a str>,
    /// A new description.
    pub description: Option<Option<&'a str>>,
    /// A new price in won.
    pub price: Option<i64>,
    /// Sold out or not.
    pub is_available: Option<bool>,
    /// Another picture.
    pub image_id: Option<Option<ImageId>>,
}

/// Change a menu in place, as a new version.
pub async fn update(
    db: &mut PgConnection,
    store_id: StoreId,
    id: MenuId,
    changes: Changes<'_>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "update menus
         set name = coalesce($3, name),
             description = case when $4 then $5 else description end,
             price = coalesce($6, price),
             is_available = coalesce($7, is_available),
             image_id = case when $8 then $9 else image_id end,
             version = version + 1,
             updated_at = $10
         where store_id = $1 and id = $2",
        store_id as StoreId,
        id as MenuId,
        changes.name,
        changes.description.is_some(),
        changes.description.flatten(),
        changes.price,
        changes.is_available,
        changes.image_id.is_some(),
        changes.image_id.flatten() as Option<ImageId>,
        now as Timestamp,
    )
    .execute(db)
    .named("menus.update")
    .await?;
    Ok(())
}

/// A picture has become ready: a new version of every menu that uses it. Returns these menus.
pub async fn show_picture(
    db: &mut PgConnection,
    store_id: StoreId,
    image_base_url: &str,
    image_id: ImageId,
    now: Timestamp,
) -> Result<Vec<Menu>> {
    sqlx::query!(
        "update menus set version = version + 1, updated_at = $3 where store_id = $1 and image_id = $2",
        store_id as StoreId,
        image_id as ImageId,
        now as Timestamp,
    )
    .execute(&mut *db)
    .named("menus.show_picture")
    .await?;
    let menus = select_menus!("and m.image_id = $3 order by m.id", store_id, image_base_url, image_id as ImageId)
        .fetch_all(db)
        .named("menus.show_picture_list")
        .await?;
    Ok(menus)
}

/// Move a menu to another category, as its last, and close the gap it leaves.
pub async fn move_to(db: &mut PgConnection, store_id: StoreId, menu: &Menu, to: CategoryId) -> Result<()> {
    sqlx::query!(
        "update menus
         set category_id = $3,
             display_order = (select count(*) + 1 from menus where store_id = $1 and category_id = $3)
         where store_id = $1 and id = $2",
        store_id as StoreId,
        menu.id as MenuId,
        to as CategoryId,
    )
    .execute(&mut *db)
    .named("menus.move_to")
    .await?;
    close_gap(db, store_id, menu).await
}

/// Delete a menu and close the gap. In an open order it is a `MENU_IN_USE`, by the foreign key.
pub async fn delete(db: &mut PgConnection, store_id: StoreId, menu: &Menu) -> Result<()> {
    sqlx::query!("delete from menus where store_id = $1 and id = $2", store_id as StoreId, menu.id as MenuId)
        .execute(&mut *db)
        .named("menus.delete")
        .await?;
    close_gap(db, store_id, menu).await
}

async fn close_gap(db: &mut PgConnection, store_id: StoreId, gone: &Menu) -> Result<()> {
    sqlx::query!(
        "update menus
         set display_order = display_order - 1
         where store_id = $1 and category_id = $2 and display_order > $3",
        store_id as StoreId,
        gone.category_id as CategoryId,
        gone.display_order,
    )
    .execute(db)
    .named("menus.close_gap")
    .await?;
    Ok(())
}

/// The ids of a category's menus.
pub async fn ids(db: &mut PgConnection, store_id: StoreId, category_id: CategoryId) -> Result<Vec<MenuId>> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id: MenuId" from menus where store_id = $1 and category_id = $2"#,
        store_id as StoreId,
        category_id as CategoryId,
    )
    .fetch_all(db)
    .named("menus.ids")
    .await?;
    Ok(ids)
}

/// Put a category's menus in this order.
pub async fn reorder(db: &mut PgConnection, store_id: StoreId, ids: &[MenuId], now: Timestamp) -> Result<()> {
    sqlx::query!(
        "update menus m
         set display_order = wanted.place, updated_at = $3
         from unnest($2::bigint[]) with ordinality as wanted (id, place)
         where m.store_id = $1 and m.id = wanted.id",
        store_id as StoreId,
        ids as &[MenuId],
        now as Timestamp,
    )
    .execute(db)
    .named("menus.reorder")
    .await?;
    Ok(())
}
