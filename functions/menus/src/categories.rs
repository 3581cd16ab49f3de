//! `/api/admin/categories`.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use shared::auth::callers::StoreAdmin;
use shared::db::{audit, categories, outbox, stores};
use shared::domain::CategoryId;
use shared::domain::event::{Event, MenuChanged};
use shared::domain::menu::{Category, check_reordering};
use shared::domain::text::{Trimmed, line};
use shared::http::request::{Id, Valid};
use shared::http::response::{Created, Json, NoContent};
use shared::{App, Code, Error, Result};
use utoipa::ToSchema;

use crate::card_changed;

/// A category's name.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameCategory {
    /// 1–50 characters, unique in the store.
    #[garde(custom(line::<1, 50>))]
    #[schema(value_type = String, min_length = 1, max_length = 50, format = "line", examples("식사"))]
    name: Trimmed,
}

/// The categories in their new order.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReorderCategories {
    /// All of the store's categories, each once.
    #[garde(skip)]
    category_ids: Vec<CategoryId>,
}

/// The store's categories in their order of display.
#[utoipa::path(
    get,
    path = "/api/admin/categories",
    tag = "menus",
    operation_id = "categories_list_for_store",
    responses((status = 200, body = Vec<Category>)),
)]
pub(crate) async fn list(State(app): State<App>, admin: StoreAdmin) -> Result<Json<Vec<Category>>> {
    Ok(Json(categories::list(&app.db, admin.store_id).await?))
}

/// Add a category as the last.
#[utoipa::path(
    post,
    path = "/api/admin/categories",
    tag = "menus",
    operation_id = "categories_create",
    request_body = NameCategory,
    responses((status = 201, body = Category)),
    extensions(("x-errors" = json!([Code::CategoryAlreadyExists]))),
)]
pub(crate) async fn create(
    State(app): State<App>,
    admin: StoreAdmin,
    Valid(body): Valid<NameCategory>,
) -> Result<Created<Category>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    stores::lock(&mut tx, admin.store_id).await?;
    let category = categories::create(&mut tx, admin.store_id, body.name.as_str(), now).await?;
    outbox::record(&mut tx, admin.store_id, Event::MenuChanged(MenuChanged::card()), now).await?;
    tx.commit().await?;

    card_changed(&app, admin.store_id).await;
    Ok(Created(category))
}

/// Rename a category.
#[utoipa::path(
    patch,
    path = "/api/admin/categories/{id}",
    tag = "menus",
    operation_id = "categories_rename",
    params(("id" = CategoryId, Path, description = "The category.")),
    request_body = NameCategory,
    responses((status = 200, body = Category)),
    extensions(("x-errors" = json!([Code::CategoryNotFound, Code::CategoryAlreadyExists]))),
)]
pub(crate) async fn rename(
    State(app): State<App>,
    admin: StoreAdmin,
    Id(id): Id<CategoryId>,
    Valid(body): Valid<NameCategory>,
) -> Result<Json<Category>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let category = categories::rename(&mut tx, admin.store_id, id, body.name.as_str(), now).await?;
    outbox::record(&mut tx, admin.store_id, Event::MenuChanged(MenuChanged::card()), now).await?;
    tx.commit().await?;

    card_changed(&app, admin.store_id).await;
    Ok(Json(category))
}

/// Delete an empty category.
#[utoipa::path(
    delete,
    path = "/api/admin/categories/{id}",
    tag = "menus",
    operation_id = "categories_delete",
    params(("id" = CategoryId, Path, description = "The category.")),
    responses((status = 204)),
    extensions(("x-errors" = json!([Code::CategoryNotFound, Code::CategoryNotEmpty]))),
)]
pub(crate) async fn delete(State(app): State<App>, admin: StoreAdmin, Id(id): Id<CategoryId>) -> Result<NoContent> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    stores::lock(&mut tx, admin.store_id).await?;
    let category = categories::delete(&mut tx, admin.store_id, id).await?;
    let entry = audit::Entry {
        store_id: Some(admin.store_id),
        admin_id: admin.id,
        action: "category.delete",
        entity_id: id.to_string(),
        details: json!({"category": category}),
    };
    audit::record(&mut tx, entry, now).await?;
    outbox::record(&mut tx, admin.store_id, Event::MenuChanged(MenuChanged::card()), now).await?;
    tx.commit().await?;

    card_changed(&app, admin.store_id).await;
    Ok(NoContent)
}

/// Put the store's categories in another order.
#[utoipa::path(
    put,
    path = "/api/admin/categories/order",
    tag = "menus",
    operation_id = "categories_reorder",
    request_body = ReorderCategories,
    responses((status = 200, body = Vec<Category>)),
)]
pub(crate) async fn reorder(
    State(app): State<App>,
    admin: StoreAdmin,
    Valid(body): Valid<ReorderCategories>,
) -> Result<Json<Vec<Category>>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    stores::lock(&mut tx, admin.store_id).await?;
    let present = categories::ids(&mut tx, admin.store_id).await?;
    check_reordering(&present, &body.category_ids)
        .map_err(|_| Error::field("category_ids", "must name all categories of the store, each once"))?;
    categories::reorder(&mut tx, admin.store_id, &body.category_ids, now).await?;
    outbox::record(&mut tx, admin.store_id, Event::MenuChanged(MenuChanged::card()), now).await?;
    tx.commit().await?;

    card_changed(&app, admin.store_id).await;
    Ok(Json(categories::list(&app.db, admin.store_id).await?))
}
