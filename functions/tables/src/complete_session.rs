//! `POST /api/admin/tables/{id}/complete-session`.

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::auth::callers::StoreAdmin;
use shared::cache::Entity;
use shared::db::{outbox, sessions, tables};
use shared::domain::TableId;
use shared::domain::event::{Event, SessionCompleted};
use shared::domain::table::ClosedSession;
use shared::http::request::{Id, Valid};
use shared::http::response::Json;
use shared::{App, Code, Error, Result};
use utoipa::ToSchema;

/// How to close a session.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompleteSession {
    /// Refuse while an order is neither served nor cancelled.
    #[garde(skip)]
    #[serde(default)]
    #[schema(default = false)]
    require_finished: bool,
}

/// A session that has been closed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompletedSession {
    /// The session.
    session: ClosedSession,
    /// Orders moved to the history.
    #[schema(minimum = 0, examples(3))]
    archived_orders_count: i64,
    /// How many of them were neither served nor cancelled.
    #[schema(minimum = 0, examples(0))]
    unfinished_count: i64,
    /// Their sum in won, cancelled ones left out.
    #[schema(minimum = 0, examples(54000))]
    total_amount: i64,
}

/// Close a table's session: the party has left, and its orders move to the history.
#[utoipa::path(
    post,
    path = "/api/admin/tables/{id}/complete-session",
    tag = "tables",
    operation_id = "tables_complete_session",
    params(("id" = TableId, Path, description = "The table.")),
    request_body = Option<CompleteSession>,
    responses((status = 200, body = CompletedSession)),
    extensions(("x-errors" = json!([Code::TableNotFound, Code::SessionNotFound, Code::SessionHasUnfinishedOrders]))),
)]
pub(crate) async fn complete_session(
    State(app): State<App>,
    admin: StoreAdmin,
    Id(id): Id<TableId>,
    body: Option<Valid<CompleteSession>>,
) -> Result<Json<CompletedSession>> {
    let body = body.map(|Valid(body)| body).unwrap_or_default();
    let mut tx = app.db.begin().await?;
    let table_number = tables::lock(&mut tx, admin.store_id, id).await?;
    let open = sessions::find_open(&mut tx, admin.store_id, id).await?.ok_or(Code::SessionNotFound)?;
    // The session may have been opened while we waited, by a process whose clock is ahead of ours.
    let now = app.clock.now().max(open.started_at);
    let archived = sessions::lock_orders(&mut tx, admin.store_id, open.id).await?;
    if body.require_finished && archived.unfinished_count > 0 {
        let details = json!({"unfinished_count": archived.unfinished_count});
        return Err(Error::with_details(Code::SessionHasUnfinishedOrders, details));
    }
    sessions::close(&mut tx, admin.store_id, open.id, now).await?;
    let event = Event::SessionCompleted(SessionCompleted {
        session_id: open.id,
        table_id: id,
        table_number,
        archived_orders_count: archived.orders_count,
        unfinished_count: archived.unfinished_count,
    });
    outbox::record(&mut tx, admin.store_id, event, now).await?;
    tx.commit().await?;

    // The event makes good for a drop that fails.
    let _ = app.cache.drop_all(admin.store_id, &[Entity::OrderHistory]).await;
    app.bus.nudge();
    Ok(Json(CompletedSession {
        session: ClosedSession { id: open.id, started_at: open.started_at, ended_at: now },
        archived_orders_count: archived.orders_count,
        unfinished_count: archived.unfinished_count,
        total_amount: archived.total_amount,
    }))
}
