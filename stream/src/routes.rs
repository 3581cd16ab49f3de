//! `GET /api/{customer,admin}/orders/stream`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Deserialize;
use shared::auth::callers::check_header;
use shared::auth::tokens::Claims;
use shared::domain::account::Role;
use shared::http::address::Peer;
use shared::http::connection::Connection;
use shared::http::request::Params;
use shared::{App, Code, Result};
use tracing::{Span, field};
use utoipa::IntoParams;

use crate::{Streams, body, connection};

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
    Client(client): Client,
    headers: HeaderMap,
    Params(params): Params<OpenStream>,
) -> Result<Response> {
    streams.check_open()?;
    let claims = caller(&app, &headers, params.ticket, Role::Table).await?;
    open(&app, streams, client, claims, left_at(&headers, params.last_event_id)).await
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
    Client(client): Client,
    headers: HeaderMap,
    Params(params): Params<OpenStream>,
) -> Result<Response> {
    streams.check_open()?;
    let claims = caller(&app, &headers, params.ticket, Role::StoreAdmin).await?;
    open(&app, streams, client, claims, left_at(&headers, params.last_event_id)).await
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

/// The caller's connection, if the stream may take it over: not where there is none, as in tests, nor from a client that does
/// not know chunks.
pub(crate) struct Client(Option<Connection>);

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Infallible> {
        let takes_chunks = parts.version == Version::HTTP_11 && parts.method == Method::GET;
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().filter(|_| takes_chunks);
        Ok(Self(peer.and_then(|ConnectInfo(peer)| peer.connection.clone())))
    }
}

async fn open(
    app: &App,
    streams: Streams,
    client: Option<Connection>,
    claims: Arc<Claims>,
    left_at: Option<String>,
) -> Result<Response> {
    let stream = connection::open(app, streams, claims, left_at).await?;
    let headers = [
        (CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let taken_over = client.is_some();
    let mut response = (headers, body::body(stream, client)).into_response();
    if taken_over {
        // The connection ends with the stream.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
