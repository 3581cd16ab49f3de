//! `/api/admin/menus`.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use shared::auth::callers::StoreAdmin;
use shared::cache::Entity;
use shared::db::menus::{Changes, NewMenu};
use shared::db::{audit, categories, images, menus, outbox, stores};
use shared::domain::event::{Event, MenuChanged};
use shared::domain::menu::{HIGHEST_PRICE, Menu, check_reordering};
use shared::domain::page::{Page, PageRequest};
use shared::domain::text::{Trimmed, given, line, lines};
use shared::domain::{CategoryId, ImageId, MenuId};
use shared::http::request::{self, Id, Params, Valid};
use shared::http::response::{Created, Json, NoContent};
use shared::{App, Code, Error, Result};
use utoipa::{IntoParams, ToSchema};

use crate::card_changed;

/// Which menus.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListMenus {
    /// Those of one category.
    #[garde(skip)]
    category_id: Option<CategoryId>,
    /// From 1.
    #[garde(custom(request::page_number))]
    #[param(minimum = 1, maximum = 2147483647, default = 1)]
    page: Option<i64>,
    /// 1 to 100; 50 by default.
    #[garde(custom(request::page_size))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<i64>,
}

/// A menu to add.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateMenu {
    /// The category it goes into, as the last.
    #[garde(skip)]
    category_id: CategoryId,
    /// 1–100 characters.
    #[garde(custom(line::<1, 100>))]
    #[schema(value_type = String, min_length = 1, max_length = 100, format = "line", examples("김치찌개"))]
    name: Trimmed,
    /// Up to 1,000 characters.
    #[garde(inner(custom(lines::<1000>)))]
    #[schema(value_type = Option<String>, max_length = 1000, format = "lines", examples("묵은지와 돼지고기를 푹 끓인 찌개."))]
    description: Option<Trimmed>,
    /// In won.
    #[garde(range(min = 1, max = HIGHEST_PRICE))]
    #[schema(minimum = 1, maximum = 10000000, examples(9000))]
    price: i64,
    /// False while it is sold out.
    #[garde(skip)]
    #[serde(default = "yes")]
    #[schema(default = true)]
    is_available: bool,
    /// Its picture, ready or still being made ready.
    #[garde(skip)]
    image_id: Option<ImageId>,
}

fn yes() -> bool {
    true
}

/// What to change in a menu: what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMenu {
    /// Move it to another category, as the last.
    #[garde(skip)]
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    category_id: Option<CategoryId>,
    /// 1–100 characters.
    #[garde(inner(custom(line::<1, 100>)))]
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100, format = "line", examples("돼지김치찌개"))]
    name: Option<Trimmed>,
    /// Up to 1,000 characters; null takes it away.
    #[garde(inner(inner(custom(lines::<1000>))))]
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 1000, format = "lines", examples("묵은지와 돼지고기를 푹 끓인 찌개."))]
    description: Option<Option<Trimmed>>,
    /// In won.
    #[garde(inner(range(min = 1, max = HIGHEST_PRICE)))]
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 10000000, examples(9500))]
    price: Option<i64>,
    /// False while it is sold out.
    #[garde(skip)]
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, examples(true))]
    is_available: Option<bool>,
    /// Another picture; null takes it away.
    #[garde(skip)]
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ImageId>)]
    image_id: Option<Option<ImageId>>,
}

/// A category's menus in their new order.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReorderMenus {
    /// The category.
    #[garde(skip)]
    category_id: CategoryId,
    /// All of its menus, each once.
    #[garde(skip)]
    menu_ids: Vec<MenuId>,
}

/// The store's menus by category and display order.
#[utoipa::path(
    get,
    path = "/api/admin/menus",
    tag = "menus",
    operation_id = "menus_list_for_store",
    params(ListMenus),
    responses((status = 200, body = Page<Menu>)),
    extensions(("x-errors" = json!([Code::CategoryNotFound]))),
)]
pub(crate) async fn list(
    State(app): State<App>,
    admin: StoreAdmin,
    Params(params): Params<ListMenus>,
) -> Result<Json<Page<Menu>>> {
    if let Some(category_id) = params.category_id {
        let mut db = app.db.acquire().await?;
        categories::check_exists(&mut db, admin.store_id, category_id).await?;
    }
    let page = PageRequest::new(params.page, params.page_size);
    let base_url = &app.config.image_base_url;
    Ok(Json(menus::page(&app.db, admin.store_id, base_url, params.category_id, page).await?))
}

/// One of the store's menus.
#[utoipa::path(
    get,
    path = "/api/admin/menus/{id}",
    tag = "menus",
    operation_id = "menus_read_for_store",
    params(("id" = MenuId, Path, description = "The menu.")),
    responses((status = 200, body = Menu)),
    extensions(("x-errors" = json!([Code::MenuNotFound]))),
)]
pub(crate) async fn read(State(app): State<App>, admin: StoreAdmin, Id(id): Id<MenuId>) -> Result<Json<Menu>> {
    let mut db = app.db.acquire().await?;
    Ok(Json(menus::find(&mut db, admin.store_id, &app.config.image_base_url, id).await?))
}

/// Add a menu as the last of its category.
#[utoipa::path(
    post,
    path = "/api/admin/menus",
    tag = "menus",
    operation_id = "menus_create",
    request_body = CreateMenu,
    responses((status = 201, body = Menu)),
    extensions(("x-errors" = json!([Code::CategoryNotFound, Code::ImageNotFound]))),
)]
pub(crate) async fn create(
    State(app): State<App>,
    admin: StoreAdmin,
    Valid(body): Valid<CreateMenu>,
) -> Result<Created<Menu>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    stores::lock(&mut tx, admin.store_id).await?;
    categories::check_exists(&mut tx, admin.store_id, body.category_id).await?;
    if let Some(image_id) = body.image_id {
        images::take(&mut tx, admin.store_id, image_id, now).await?;
    }
    let description = body.description.and_then(Trimmed::non_empty);
    let new = NewMenu {
        category_id: body.category_id,
        name: body.name.as_str(),
        description: description.as_deref(),
        price: body.price,
        is_available: body.is_available,
        image_id: body.image_id,
    };
    let id = menus::create(&mut tx, admin.store_id, new, now).await?;
    let menu = menus::find(&mut tx, admin.store_id, &app.config.image_base_url, id).await?;
    outbox::record(&mut tx, admin.store_id, Event::MenuChanged(MenuChanged::menu(&menu)), now).await?;
    tx.commit().await?;

    card_changed(&app, admin.store_id).await;
    Ok(Created(menu))
}

/// Change a menu.
#[utoipa::path(
    patch,
    path = "/api/admin/menus/{id}",
    tag = "menus",
    operation_id = "menus_update",
    params(("id" = MenuId, Path, description = "The menu.")),
    request_body = UpdateMenu,
    responses((status = 200, body = Menu)),
    extensions(("x-errors" = json!([Code::MenuNotFound, Code::CategoryNotFound, Code::ImageNotFound]))),
)]
pub(crate) async fn update(
    State(app): State<App>,
    admin: StoreAdmin,
    Id(id): Id<MenuId>,
    Valid(body): Valid<UpdateMenu>,
) -> Result<Json<Menu>> {
    let now = app.clock.now();
    let base_url = &app.config.image_base_url;
    let mut tx = app.db.begin().await?;
    stores::lock(&mut tx, admin.store_id).await?;
    let before = menus::find(&mut tx, admin.store_id, base_url, id).await?;
    if let Some(image_id) = body.image_id {
        images::let_go(&mut tx, admin.store_id, id, now).await?;
        if let Some(image_id) = image_id {
            images::take(&mut tx, admin.store_id, image_id, now).await?;
        }
    }
    if let Some(category_id) = body.category_id.filter(|&category_id| category_id != before.category_id) {
        categories::check_exists(&mut tx, admin.store_id, category_id).await?;
        menus::move_to(&mut tx, admin.store_id, &before, category_id).await?;
        outbox::record(&mut tx, admin.store_id, Event::MenuChanged(MenuChanged::card()), now).await?;
    }
    let description = body.description.map(|description| description.and_then(Trimmed::non_empty));
    let changes = Changes {
        name: body.name.as_ref().map(Trimmed::as_str),
        description: description.as_ref().map(Option::as_deref),
        price: body.price,
        is_available: body.is_available,
        image_id: body.image_id,
    };
    if changes == Changes::default() && body.category_id.is_none() {
        return Ok(Json(before));
    }
    menus::update(&mut tx, admin.store_id, id, changes, now).await?;
    let menu = menus::find(&mut tx, admin.store_id, base_url, id).await?;
    if menu.price != before.price {
        let entry = audit::Entry {
            store_id: Some(admin.store_id),
            admin_id: admin.id,
            action: "menu.change_price",
            entity_id: id.to_string(),
            details: json!({"name": menu.name, "from": before.price, "to": menu.price}),
        };
        audit::record(&mut tx, entry, now).await?;
    }
    outbox::record(&mut tx, admin.store_id, Event::MenuChanged(MenuChanged::menu(&menu)), now).await?;
    tx.commit().await?;

    card_changed(&app, admin.store_id).await;
    Ok(Json(menu))
}

/// Delete a menu that no open order uses.
#[utoipa::path(
    delete,
    path = "/api/admin/menus/{id}",
    tag = "menus",
    operation_id = "menus_delete",
    params(("id" = MenuId, Path, description = "The menu.")),
    responses((status = 204)),
    extensions(("x-errors" = json!([Code::MenuNotFound, Code::MenuInUse]))),
)]
pub(crate) async fn delete(State(app): State<App>, admin: StoreAdmin, Id(id): Id<MenuId>) -> Result<NoContent> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    stores::lock(&mut tx, admin.store_id).await?;
    let menu = menus::find(&mut tx, admin.store_id, &app.config.image_base_url, id).await?;
    images::let_go(&mut tx, admin.store_id, id, now).await?;
    menus::delete(&mut tx, admin.store_id, &menu).await?;
    let entry = audit::Entry {
        store_id: Some(admin.store_id),
        admin_id: admin.id,
        action: "menu.delete",
        entity_id: id.to_string(),
        details: json!({"menu": menu}),
    };
    audit::record(&mut tx, entry, now).await?;
    outbox::record(&mut tx, admin.store_id, Event::MenuChanged(MenuChanged::deleted(id)), now).await?;
    tx.commit().await?;

    // Archived orders lose the menu's id.
    // The event makes good for a drop that fails.
    let _ = app.cache.drop_all(admin.store_id, &[Entity::OrderHistory]).await;
    card_changed(&app, admin.store_id).await;
    Ok(NoContent)
}

/// Put a category's menus in another order.
#[utoipa::path(
    put,
    path = "/api/admin/menus/order",
    tag = "menus",
    operation_id = "menus_reorder",
    request_body = ReorderMenus,
    responses((status = 200, body = Vec<Menu>)),
    extensions(("x-errors" = json!([Code::CategoryNotFound]))),
)]
pub(crate) async fn reorder(
    State(app): State<App>,
    admin: StoreAdmin,
    Valid(body): Valid<ReorderMenus>,
) -> Result<Json<Vec<Menu>>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    stores::lock(&mut tx, admin.store_id).await?;
    categories::check_exists(&mut tx, admin.store_id, body.category_id).await?;
    let present = menus::ids(&mut tx, admin.store_id, body.category_id).await?;
    check_reordering(&present, &body.menu_ids)
        .map_err(|_| Error::field("menu_ids", "must name all menus of the category, each once"))?;
    menus::reorder(&mut tx, admin.store_id, &body.menu_ids, now).await?;
    outbox::record(&mut tx, admin.store_id, Event::MenuChanged(MenuChanged::card()), now).await?;
    tx.commit().await?;

    card_changed(&app, admin.store_id).await;
    let menus = menus::list(&app.db, admin.store_id, &app.config.image_base_url, Some(body.category_id)).await?;
    Ok(Json(menus))
}
