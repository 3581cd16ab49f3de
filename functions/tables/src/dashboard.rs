//! `GET /api/admin/dashboard`.

use axum::extract::State;
use shared::auth::callers::StoreAdmin;
use shared::db::tables;
use shared::domain::table::DashboardEntry;
use shared::http::response::Json;
use shared::{App, Result};

/// The staff's board: every table with its latest three orders and its sum.
#[utoipa::path(
    get,
    path = "/api/admin/dashboard",
    tag = "tables",
    operation_id = "tables_dashboard",
    responses((status = 200, body = Vec<DashboardEntry>)),
)]
pub(crate) async fn dashboard(State(app): State<App>, admin: StoreAdmin) -> Result<Json<Vec<DashboardEntry>>> {
    Ok(Json(tables::dashboard(&app.db, admin.store_id).await?))
}
