//! `GET /api/customer/orders` and `GET /api/customer/orders/{id}`.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use shared::auth::callers::Guest;
use shared::db::orders;
use shared::domain::OrderId;
use shared::domain::order::Order;
use shared::domain::page::{Page, PageRequest};
use shared::http::request::{self, Id, Params};
use shared::http::response::Json;
use shared::{App, Code, Result};
use utoipa::IntoParams;

/// Which page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListOrders {
    /// From 1.
    #[garde(custom(request::page_number))]
    #[param(minimum = 1, maximum = 2147483647, default = 1)]
    page: Option<i64>,
    /// 1 to 100; 50 by default.
    #[garde(custom(request::page_size))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<i64>,
}

/// The orders of the table's open session, newest first.
#[utoipa::path(
    get,
    path = "/api/customer/orders",
    tag = "orders",
    operation_id = "orders_list",
    params(ListOrders),
    responses((status = 200, body = Page<Order>)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    guest: Guest,
    Params(params): Params<ListOrders>,
) -> Result<Json<Page<Order>>> {
    let page = PageRequest::new(params.page, params.page_size);
    Ok(Json(orders::list_for_table(&app.db, guest.store_id, guest.table_id, page).await?))
}

/// One order of the table's open session.
#[utoipa::path(
    get,
    path = "/api/customer/orders/{id}",
    tag = "orders",
    operation_id = "orders_read",
    params(("id" = OrderId, Path, description = "The order.")),
    responses((status = 200, body = Order)),
    extensions(("x-errors" = json!([Code::OrderNotFound]))),
)]
pub(crate) async fn read(State(app): State<App>, guest: Guest, Id(id): Id<OrderId>) -> Result<Json<Order>> {
    Ok(Json(orders::find_for_table(&app.db, guest.store_id, guest.table_id, id).await?))
}
