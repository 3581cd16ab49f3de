//! `DELETE /api/admin/orders/{id}`.

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::auth::callers::StoreAdmin;
use shared::db::{audit, orders, outbox, tables};
use shared::domain::OrderId;
use shared::domain::event::{Event, OrderDeleted};
use shared::domain::text::{Trimmed, lines};
use shared::http::request::{Id, Params};
use shared::http::response::Json;
use shared::{App, Code, Result};
use utoipa::{IntoParams, ToSchema};

/// Why an order is deleted.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteOrder {
    /// Up to 200 characters.
    #[garde(inner(custom(lines::<200>)))]
    #[param(value_type = Option<String>, max_length = 200, format = "lines")]
    reason: Option<Trimmed>,
}

/// What is left after an order was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedOrder {
    /// The order that is gone.
    order_id: OrderId,
    /// What its table's session comes to now, in won.
    #[schema(minimum = 0, examples(16000))]
    table_total: i64,
}

/// Delete an order that is neither served nor cancelled.
#[utoipa::path(
    delete,
    path = "/api/admin/orders/{id}",
    tag = "orders",
    operation_id = "orders_delete",
    params(("id" = OrderId, Path, description = "The order."), DeleteOrder),
    responses((status = 200, body = DeletedOrder)),
    extensions(("x-errors" = json!([Code::OrderCannotDelete, Code::OrderNotFound]))),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    admin: StoreAdmin,
    Id(id): Id<OrderId>,
    Params(params): Params<DeleteOrder>,
) -> Result<Json<DeletedOrder>> {
    let reason = params.reason.and_then(Trimmed::non_empty);
    let mut tx = app.db.begin().await?;
    // The table first: no other order of the session may come or go while the rest is summed up.
    let table_id = orders::find(&mut *tx, admin.store_id, id).await?.table_id;
    tables::lock(&mut tx, admin.store_id, table_id).await?;
    let order = orders::lock(&mut tx, admin.store_id, id).await?;
    let now = app.clock.now();
    order.can_delete()?;
    let table_total = orders::delete(&mut tx, admin.store_id, &order).await?;
    let entry = audit::Entry {
        store_id: Some(admin.store_id),
        admin_id: admin.id,
        action: "order.delete",
        entity_id: order.id.to_string(),
        details: json!({"order": order, "reason": reason}),
    };
    audit::record(&mut tx, entry, now).await?;
    let event = Event::OrderDeleted(OrderDeleted {
        order_id: order.id,
        table_id: order.table_id,
        table_number: order.table_number,
        version: order.version + 1,
        reason,
        table_total,
    });
    outbox::record(&mut tx, admin.store_id, event, now).await?;
    tx.commit().await?;

    app.bus.nudge();
    Ok(Json(DeletedOrder { order_id: order.id, table_total }))
}
