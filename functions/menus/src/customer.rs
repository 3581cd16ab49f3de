//! The menu card as guests read it, from the cache.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use shared::auth::callers::Guest;
use shared::cache::Entity;
use shared::db::{categories, menus};
use shared::domain::menu::{Category, Menu};
use shared::domain::{CategoryId, MenuId};
use shared::http::request::{Id, Params};
use shared::http::response::WrittenJson;
use shared::{App, Code, Result};
use utoipa::IntoParams;

/// Which menus.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListMenus {
    /// Those of one category.
    #[garde(skip)]
    category_id: Option<CategoryId>,
}

/// The store's categories in their order of display.
#[utoipa::path(
    get,
    path = "/api/customer/categories",
    tag = "menus",
    operation_id = "categories_list",
    responses((status = 200, body = Vec<Category>)),
)]
pub(crate) async fn categories(State(app): State<App>, guest: Guest) -> Result<WrittenJson> {
    let key = (guest.store_id, Entity::Categories, "all");
    let body = app.cache.body(key, app.clock.now(), async || categories::list(&app.db, guest.store_id).await).await?;
    Ok(WrittenJson(body))
}

/// The store's menus by category and display order, sold-out ones included.
#[utoipa::path(
    get,
    path = "/api/customer/menus",
    tag = "menus",
    operation_id = "menus_list",
    params(ListMenus),
    responses((status = 200, body = Vec<Menu>)),
    extensions(("x-errors" = json!([Code::CategoryNotFound]))),
)]
pub(crate) async fn menus(
    State(app): State<App>,
    guest: Guest,
    Params(params): Params<ListMenus>,
) -> Result<WrittenJson> {
    let id = match params.category_id {
        Some(category_id) => format!("category:{category_id}"),
        None => "all".to_owned(),
    };
    let load = async || {
        if let Some(category_id) = params.category_id {
            let mut db = app.db.acquire().await?;
            categories::check_exists(&mut db, guest.store_id, category_id).await?;
        }
        menus::list(&app.db, guest.store_id, &app.config.image_base_url, params.category_id).await
    };
    let body = app.cache.body((guest.store_id, Entity::Menus, &id), app.clock.now(), load).await?;
    Ok(WrittenJson(body))
}

/// One of the store's menus.
#[utoipa::path(
    get,
    path = "/api/customer/menus/{id}",
    tag = "menus",
    operation_id = "menus_read",
    params(("id" = MenuId, Path, description = "The menu.")),
    responses((status = 200, body = Menu)),
    extensions(("x-errors" = json!([Code::MenuNotFound]))),
)]
pub(crate) async fn menu(State(app): State<App>, guest: Guest, Id(id): Id<MenuId>) -> Result<WrittenJson> {
    let load = async || {
        let mut db = app.db.acquire().await?;
        menus::find(&mut db, guest.store_id, &app.config.image_base_url, id).await
    };
    let key = format!("menu:{id}");
    let body = app.cache.body((guest.store_id, Entity::Menus, &key), app.clock.now(), load).await?;
    Ok(WrittenJson(body))
}
