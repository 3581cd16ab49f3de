//! `/api/admin/tables`.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use shared::auth::callers::StoreAdmin;
use shared::db::owners::Owner;
use shared::db::{audit, tables};
use shared::domain::account::Role;
use shared::domain::table::Table;
use shared::domain::text::{Trimmed, given, line, password_bytes};
use shared::domain::{StoreId, TableId};
use shared::http::request::{Id, Valid};
use shared::http::response::{Created, Json, NoContent};
use shared::{App, Code, Result};
use utoipa::ToSchema;

/// A table to add.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateTable {
    /// 1–20 characters, unique in the store.
    #[garde(custom(line::<1, 20>))]
    #[schema(value_type = String, min_length = 1, max_length = 20, format = "line", examples("3"))]
    table_number: Trimmed,
    /// 4–71 bytes of UTF-8: fewer characters, where they take several.
    #[garde(custom(password_bytes::<4>))]
    #[schema(min_length = 1, max_length = 71, format = "plain", examples("1234"))]
    password: String,
}

/// What to change in a table: what is left out stays.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateTable {
    /// 1–20 characters, unique in the store.
    #[garde(inner(custom(line::<1, 20>)))]
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 20, format = "line", examples("3"))]
    table_number: Option<Trimmed>,
    /// 4–71 bytes of UTF-8: fewer characters, where they take several. Logs the table's tablet out.
    #[garde(inner(custom(password_bytes::<4>)))]
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 71, format = "plain", examples("5678"))]
    password: Option<String>,
}

/// The store's tables by number.
#[utoipa::path(
    get,
    path = "/api/admin/tables",
    tag = "tables",
    operation_id = "tables_list",
    responses((status = 200, body = Vec<Table>)),
)]
pub(crate) async fn list(State(app): State<App>, admin: StoreAdmin) -> Result<Json<Vec<Table>>> {
    Ok(Json(tables::list(&app.db, admin.store_id).await?))
}

/// One of the store's tables.
#[utoipa::path(
    get,
    path = "/api/admin/tables/{id}",
    tag = "tables",
    operation_id = "tables_read",
    params(("id" = TableId, Path, description = "The table.")),
    responses((status = 200, body = Table)),
    extensions(("x-errors" = json!([Code::TableNotFound]))),
)]
pub(crate) async fn read(State(app): State<App>, admin: StoreAdmin, Id(id): Id<TableId>) -> Result<Json<Table>> {
    let mut db = app.db.acquire().await?;
    Ok(Json(tables::find(&mut db, admin.store_id, id).await?))
}

/// Add a table.
#[utoipa::path(
    post,
    path = "/api/admin/tables",
    tag = "tables",
    operation_id = "tables_create",
    request_body = CreateTable,
    responses((status = 201, body = Table)),
    extensions(("x-errors" = json!([Code::TableAlreadyExists]))),
)]
pub(crate) async fn create(
    State(app): State<App>,
    admin: StoreAdmin,
    Valid(body): Valid<CreateTable>,
) -> Result<Created<Table>> {
    let password_hash = app.passwords.hash(body.password).await?;
    let mut db = app.db.acquire().await?;
    let number = body.table_number.as_str();
    Ok(Created(tables::create(&mut db, admin.store_id, number, &password_hash, app.clock.now()).await?))
}

/// Change a table's number, its password, or both.
#[utoipa::path(
    patch,
    path = "/api/admin/tables/{id}",
    tag = "tables",
    operation_id = "tables_update",
    params(("id" = TableId, Path, description = "The table.")),
    request_body = UpdateTable,
    responses((status = 200, body = Table)),
    extensions(("x-errors" = json!([Code::TableNotFound, Code::TableAlreadyExists]))),
)]
pub(crate) async fn update(
    State(app): State<App>,
    admin: StoreAdmin,
    Id(id): Id<TableId>,
    Valid(body): Valid<UpdateTable>,
) -> Result<Json<Table>> {
    let now = app.clock.now();
    let number = body.table_number.as_ref().map(Trimmed::as_str);
    let password_hash = match body.password {
        Some(password) => Some(app.passwords.hash(password).await?),
        None => None,
    };
    let mut tx = app.db.begin().await?;
    let table = tables::update(&mut tx, admin.store_id, id, number, password_hash.as_deref(), now).await?;
    if password_hash.is_some() {
        let entry = audit::Entry {
            store_id: Some(admin.store_id),
            admin_id: admin.id,
            action: "table.reset_password",
            entity_id: id.to_string(),
            details: json!({"table_number": table.table_number}),
        };
        audit::record(&mut tx, entry, now).await?;
    }
    tx.commit().await?;

    app.owners.forget(owner(admin.store_id, id));
    Ok(Json(table))
}

/// Delete a table without an open session. Its history stays.
#[utoipa::path(
    delete,
    path = "/api/admin/tables/{id}",
    tag = "tables",
    operation_id = "tables_delete",
    params(("id" = TableId, Path, description = "The table.")),
    responses((status = 204)),
    extensions(("x-errors" = json!([Code::TableNotFound, Code::TableHasActiveSession]))),
)]
pub(crate) async fn delete(State(app): State<App>, admin: StoreAdmin, Id(id): Id<TableId>) -> Result<NoContent> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let table = tables::find(&mut tx, admin.store_id, id).await?;
    tables::delete(&mut tx, admin.store_id, id).await?;
    let entry = audit::Entry {
        store_id: Some(admin.store_id),
        admin_id: admin.id,
        action: "table.delete",
        entity_id: id.to_string(),
        details: json!({"table_number": table.table_number}),
    };
    audit::record(&mut tx, entry, now).await?;
    tx.commit().await?;

    app.owners.forget(owner(admin.store_id, id));
    Ok(NoContent)
}

fn owner(store_id: StoreId, id: TableId) -> Owner {
    Owner { role: Role::Table, id: id.get(), store_id: Some(store_id) }
}
