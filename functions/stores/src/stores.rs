//! `/api/superadmin/stores`.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use shared::auth::callers::SuperAdmin;
use shared::db::stores::Changes;
use shared::db::{audit, stores};
use shared::domain::StoreId;
use shared::domain::page::{Page, PageRequest};
use shared::domain::store::{Store, TimeZone};
use shared::domain::text::{Trimmed, given, line, trimmed_lookup};
use shared::http::request::{self, Id, Params, Valid};
use shared::http::response::{Created, Json, NoContent};
use shared::{App, Code, Result, clock};
use utoipa::{IntoParams, ToSchema};

/// Which stores.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListStores {
    /// Those whose name contains this.
    #[garde(inner(custom(trimmed_lookup)))]
    #[param(value_type = Option<String>, max_length = 255, format = "plain")]
    q: Option<Trimmed>,
    /// From 1.
    #[garde(custom(request::page_number))]
    #[param(minimum = 1, maximum = 2147483647, default = 1)]
    page: Option<i64>,
    /// 1 to 100; 50 by default.
    #[garde(custom(request::page_size))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<i64>,
}

/// A store to add.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateStore {
    /// 1–100 characters.
    #[garde(custom(line::<1, 100>))]
    #[schema(value_type = String, min_length = 1, max_length = 100, format = "line", examples("한빛식당"))]
    name: Trimmed,
    /// Where its calendar day turns; `Asia/Seoul` by default.
    #[garde(skip)]
    #[serde(default)]
    #[schema(default = json!("Asia/Seoul"))]
    timezone: TimeZone,
}

/// What to change in a store: what is left out stays.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateStore {
    /// 1–100 characters.
    #[garde(inner(custom(line::<1, 100>)))]
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100, format = "line", examples("한빛식당 2호점"))]
    name: Option<Trimmed>,
    /// Where its calendar day turns.
    #[garde(skip)]
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    timezone: Option<TimeZone>,
    /// While false, nobody of this store gets in.
    #[garde(skip)]
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, examples(true))]
    is_active: Option<bool>,
}

/// Stores by name.
#[utoipa::path(
    get,
    path = "/api/superadmin/stores",
    tag = "stores",
    operation_id = "stores_list",
    params(ListStores),
    responses((status = 200, body = Page<Store>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    _: SuperAdmin,
    Params(params): Params<ListStores>,
) -> Result<Json<Page<Store>>> {
    let page = PageRequest::new(params.page, params.page_size);
    Ok(Json(stores::list(&app.db, params.q.as_ref().map(Trimmed::as_str), page).await?))
}

/// One store.
#[utoipa::path(
    get,
    path = "/api/superadmin/stores/{id}",
    tag = "stores",
    operation_id = "stores_read",
    params(("id" = StoreId, Path, description = "The store.")),
    responses((status = 200, body = Store)),
    extensions(("x-errors" = json!([Code::StoreNotFound]))),
)]
pub(crate) async fn read(State(app): State<App>, _: SuperAdmin, Id(id): Id<StoreId>) -> Result<Json<Store>> {
    Ok(Json(stores::find(&app.db, id).await?))
}

/// Add a store.
#[utoipa::path(
    post,
    path = "/api/superadmin/stores",
    tag = "stores",
    operation_id = "stores_create",
    request_body = CreateStore,
    responses((status = 201, body = Store)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    _: SuperAdmin,
    Valid(body): Valid<CreateStore>,
) -> Result<Created<Store>> {
    let now = app.clock.now();
    let id = StoreId(clock::new_uuid(now));
    let mut db = app.db.acquire().await?;
    Ok(Created(stores::create(&mut db, id, body.name.as_str(), body.timezone, now).await?))
}

/// Change a store, or switch it on or off.
#[utoipa::path(
    patch,
    path = "/api/superadmin/stores/{id}",
    tag = "stores",
    operation_id = "stores_update",
    params(("id" = StoreId, Path, description = "The store.")),
    request_body = UpdateStore,
    responses((status = 200, body = Store)),
    extensions(("x-errors" = json!([Code::StoreNotFound]))),
)]
pub(crate) async fn update(
    State(app): State<App>,
    _: SuperAdmin,
    Id(id): Id<StoreId>,
    Valid(body): Valid<UpdateStore>,
) -> Result<Json<Store>> {
    let changes =
        Changes { name: body.name.as_ref().map(Trimmed::as_str), timezone: body.timezone, is_active: body.is_active };
    Ok(Json(stores::update(&app.db, id, changes, app.clock.now()).await?))
}

/// Delete a store that has no tables, admins, menus or history.
#[utoipa::path(
    delete,
    path = "/api/superadmin/stores/{id}",
    tag = "stores",
    operation_id = "stores_delete",
    params(("id" = StoreId, Path, description = "The store.")),
    responses((status = 204)),
    extensions(("x-errors" = json!([Code::StoreNotFound, Code::StoreNotEmpty]))),
)]
pub(crate) async fn delete(State(app): State<App>, admin: SuperAdmin, Id(id): Id<StoreId>) -> Result<NoContent> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let store = stores::delete(&mut tx, id).await?;
    let entry = audit::Entry {
        store_id: None,
        admin_id: admin.id,
        action: "store.delete",
        entity_id: id.to_string(),
        details: json!({"store": store}),
    };
    audit::record(&mut tx, entry, now).await?;
    tx.commit().await?;
    Ok(NoContent)
}
