//! `PATCH /api/admin/orders/{id}/status`.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use shared::auth::callers::StoreAdmin;
use shared::db::orders;
use shared::db::outbox::NewRow;
use shared::domain::OrderId;
use shared::domain::event::Event;
use shared::domain::order::{Order, OrderStatus};
use shared::http::request::{Id, Valid};
use shared::http::response::Json;
use shared::{App, Code, Error, Result};
use utoipa::ToSchema;

/// Where an order goes.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeStatus {
    /// The new status.
    #[garde(skip)]
    status: OrderStatus,
    /// The version the change was decided on.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1, maximum = 2147483647, examples(1))]
    version: Option<i32>,
}

/// Move an order on.
#[utoipa::path(
    patch,
    path = "/api/admin/orders/{id}/status",
    tag = "orders",
    operation_id = "orders_change_status",
    params(("id" = OrderId, Path, description = "The order.")),
    request_body = ChangeStatus,
    responses((status = 200, body = Order)),
    extensions(("x-errors" = json!([Code::InvalidStatusTransition, Code::OrderNotFound, Code::VersionConflict]))),
)]
pub(crate) async fn change_status(
    State(app): State<App>,
    admin: StoreAdmin,
    Id(id): Id<OrderId>,
    Valid(body): Valid<ChangeStatus>,
) -> Result<Json<Order>> {
    let mut tx = app.db.begin().await?;
    let mut order = orders::lock(&mut tx, admin.store_id, id).await?;
    let now = app.clock.now();
    if body.version.is_some_and(|version| version != order.version) {
        return Err(Error::with_details(Code::VersionConflict, json!({"current": order})));
    }
    let old_status = order.status;
    order.change_status(body.status, now)?;
    let event = Event::OrderStatusChanged { order: order.clone(), old_status, new_status: order.status };
    let event = NewRow::new(admin.store_id, event, now)?;
    orders::record_status_change(&mut tx, admin.store_id, &order, old_status, admin.id, event).await?;
    tx.commit().await?;

    app.bus.nudge();
    Ok(Json(order))
}
