//! `POST /api/{customer,admin}/auth/stream-ticket`.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use shared::auth::callers::{Guest, StoreAdmin};
use shared::auth::tickets;
use shared::auth::tokens::Claims;
use shared::http::response::Created;
use shared::{App, Result};
use utoipa::ToSchema;

/// A ticket for one stream.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamTicket {
    /// To be sent as `?ticket=`, once.
    #[schema(examples("3vVWJ0qkVSqEJ1PnNVFHu1aEvVlTY3tV0kJm4p5M2bE"))]
    ticket: String,
    /// Its life in seconds.
    #[schema(minimum = 1, examples(30))]
    expires_in: i64,
}

/// A ticket for a table's stream.
#[utoipa::path(
    post,
    path = "/api/customer/auth/stream-ticket",
    tag = "auth",
    operation_id = "auth_stream_ticket_table",
    responses((status = 201, body = StreamTicket)),
)]
pub(crate) async fn for_guest(State(app): State<App>, guest: Guest) -> Result<Created<StreamTicket>> {
    issue(&app, guest.claims).await
}

/// A ticket for a store's stream.
#[utoipa::path(
    post,
    path = "/api/admin/auth/stream-ticket",
    tag = "auth",
    operation_id = "auth_stream_ticket_store_admin",
    responses((status = 201, body = StreamTicket)),
)]
pub(crate) async fn for_store_admin(State(app): State<App>, admin: StoreAdmin) -> Result<Created<StreamTicket>> {
    issue(&app, admin.claims).await
}

async fn issue(app: &App, claims: Arc<Claims>) -> Result<Created<StreamTicket>> {
    let ticket = app.tickets.issue(claims, app.clock.now()).await?;
    Ok(Created(StreamTicket { ticket, expires_in: tickets::LIFE.num_seconds() }))
}
