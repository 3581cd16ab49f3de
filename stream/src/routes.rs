//! `GET /api/{customer,admin}/orders/stream`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Deserialize;
use shared::auth::callers::check_header;
use shared::auth::tokens::Claims;
use shared::domain::account::Role;
use shared::http::request::Params;
use shared::{App, Code, Result};
use tracing::{Span, field};
use utoipa::IntoParams;

use crate::Streams;
use crate::connection;

/// What a browser's `EventSource`, which cannot send headers, says instead.
#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenStream {
    /// A stream ticket, instead of the `Authorization` header. Published as a way to authenticate, not as a parameter.
    #[garde(skip)]
    #[param(ignore)]
    ticket: Option<String>,
    /// Where the client left, instead of the `Last-Event-ID` header.
    #[garde(skip)]
    last_event_id: Option<String>,
}

/// The table's order events and the store's menu changes, live.
///
/// Also the end of the table's own session. What is missed while the connection is down is replayed within the open
/// session.
#[utoipa::path(
    get,
    path = "/api/customer/orders/stream",
    tag = "stream",
    operation_id = "stream_open_for_table",
    security(("bearer" = []), ("ticket" = [])),
    params(OpenStream, ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last frame received.")),
    responses((
        status = 200, description = "The stream, open until the token ends.",
        content_type = "text/event-stream", body = String,
        headers(("Cache-Control" = String, description = "`no-cache`"), ("X-Accel-Buffering" = String, description = "`no`")),
    )),
)]
pub(crate) async fn for_guest(
    State(app): State<App>,
    Extension(streams): Extension<Streams>,
    headers: HeaderMap,
    Params(params): Params<OpenStream>,
) -> Result<Response> {
    streams.check_open()?;
    let claims = caller(&app, &headers, params.ticket, Role::Table).await?;
    open(&app, streams, claims, left_at(&headers, params.last_event_id)).await
}

/// All of the store's events, live: the staff's board.
///
/// Open the stream first, wait for `ready`, then load the dashboard: nothing can be missed in between.
#[utoipa::path(
    get,
    path = "/api/admin/orders/stream",
    tag = "stream",
    operation_id = "stream_open_for_store",
    security(("bearer" = []), ("ticket" = [])),
    params(OpenStream, ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last frame received.")),
    responses((
        status = 200, description = "The stream, open until the token ends.",
        content_type = "text/event-stream", body = String,
        headers(("Cache-Control" = String, description = "`no-cache`"), ("X-Accel-Buffering" = String, description = "`no`")),
    )),
)]
pub(crate) async fn for_store_admin(
    State(app): State<App>,
    Extension(streams): Extension<Streams>,
    headers: HeaderMap,
    Params(params): Params<OpenStream>,
) -> Result<Response> {
    streams.check_open()?;
    let claims = caller(&app, &headers, params.ticket, Role::StoreAdmin).await?;
    open(&app, streams, claims, left_at(&headers, params.last_event_id)).await
}

/// Who opens the stream, by ticket or header. The owner is checked anew: a stream lasts.
async fn caller(app: &App, headers: &HeaderMap, ticket: Option<String>, role: Role) -> Result<Arc<Claims>> {
    let now = app.clock.now();
    let claims = match ticket {
        Some(ticket) => {
            let claims = app.tickets.redeem(&ticket, now).await?;
            // There was no header that would have told the log.
            let span = Span::current();
            span.record("user_id", claims.sub.as_str());
            span.record("store.id", claims.store_id.map(field::display));
            claims
        }
        None => check_header(app, headers)?,
    };
    if claims.is_expired(now) {
        return Err(Code::TokenExpired.into());
    }
    if claims.role != role {
        return Err(Code::InsufficientPermissions.into());
    }
    app.owners.check_now(&app.db, &claims, now).await?;
    Ok(claims)
}

/// Where the client left. A header that is no text is as good as a malformed position: the client must load again.
fn left_at(headers: &HeaderMap, parameter: Option<String>) -> Option<String> {
    let header = headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default().to_owned());
    header.or(parameter)
}

async fn open(app: &App, streams: Streams, claims: Arc<Claims>, left_at: Option<String>) -> Result<Response> {
    let frames = connection::frames(app, streams, claims, left_at).await?;
    let headers = [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}
