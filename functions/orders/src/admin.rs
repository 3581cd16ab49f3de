//! `GET /api/admin/orders` and `GET /api/admin/orders/{id}`.

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use shared::auth::callers::StoreAdmin;
use shared::db::{orders, tables};
use shared::domain::order::{Order, OrderStatus, StatusChange};
use shared::domain::{OrderId, TableId};
use shared::http::request::{Id, Params};
use shared::http::response::Json;
use shared::{App, Code, Result};
use utoipa::{IntoParams, ToSchema};

/// Which orders.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListOrders {
    /// Those of one table.
    #[garde(skip)]
    table_id: Option<TableId>,
    /// Those with this status.
    #[garde(skip)]
    status: Option<OrderStatus>,
}

/// An order with its changes of status.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderWithHistory {
    #[serde(flatten)]
    order: Order,
    /// Its changes of status, oldest first.
    history: Vec<StatusChange>,
}

/// The orders of the store's open sessions, newest first.
#[utoipa::path(
    get,
    path = "/api/admin/orders",
    tag = "orders",
    operation_id = "orders_list_for_store",
    params(ListOrders),
    responses((status = 200, body = Vec<Order>)),
    extensions(("x-errors" = json!([Code::TableNotFound]))),
)]
pub(crate) async fn list(
    State(app): State<App>,
    admin: StoreAdmin,
    Params(params): Params<ListOrders>,
) -> Result<Json<Vec<Order>>> {
    if let Some(table_id) = params.table_id {
        tables::check_exists(&app.db, admin.store_id, table_id).await?;
    }
    Ok(Json(orders::list(&app.db, admin.store_id, params.table_id, params.status).await?))
}

/// One order of the store's open sessions, with its changes of status.
#[utoipa::path(
    get,
    path = "/api/admin/orders/{id}",
    tag = "orders",
    operation_id = "orders_read_for_store",
    params(("id" = OrderId, Path, description = "The order.")),
    responses((status = 200, body = OrderWithHistory)),
    extensions(("x-errors" = json!([Code::OrderNotFound]))),
)]
pub(crate) async fn read(
    State(app): State<App>,
    admin: StoreAdmin,
    Id(id): Id<OrderId>,
) -> Result<Json<OrderWithHistory>> {
    let order = orders::find(&app.db, admin.store_id, id).await?;
    let history = orders::status_changes(&app.db, admin.store_id, id).await?;
    Ok(Json(OrderWithHistory { order, history }))
}
