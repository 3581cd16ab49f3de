//! What wraps every route, from the outside in: request id and log, errors' bodies, CORS, panics, time-out, token, limit,
//! body size.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tracing::{Instrument, field};

use super::address::client_address;
use super::{Routes, error};
use crate::app::App;
use crate::auth::callers::{Authentication, authenticate};
use crate::clock;
use crate::error::{Code, Error};
use crate::telemetry::metrics;

/// The header that names a request, in its answer and its log lines.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header that makes an order safe to send again.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The largest request body, in bytes.
pub const LARGEST_BODY: usize = 256 * 1024;
/// Longest time for a request that changes nothing.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a request that changes something.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The service made of these routes.
pub fn service(routes: Routes, app: App) -> Router {
    let (router, _) = routes.split_for_parts();
    router
        .fallback(async || Code::NotFound)
        .method_not_allowed_fallback(async || Code::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(app.clone(), limit))
        .layer(from_fn_with_state(app.clone(), authenticate))
        .layer(from_fn(time_out))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(cors(&app))
        .layer(from_fn(error::render))
        .layer(from_fn_with_state(app.clone(), trace))
        .with_state(app)
}

/// Give the request an id, put it on the answer and on every log line, and log, count and time the answer.
async fn trace(State(app): State<App>, request: Request, next: Next) -> Response {
    let request_id = clock::new_uuid(app.clock.now()).to_string();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    // Of the highest level, so that no LOG_LEVEL takes the request's id off the lines that are left.
    let span = tracing::error_span!("request", %request_id, user_id = field::Empty);
    let begun = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status(), begun.elapsed());
    metrics::answered(&method, matched.as_ref(), status, took);
    span.in_scope(|| {
        let endpoint = matched.as_ref().map_or("", MatchedPath::as_str);
        let (status, duration_ms) = (status.as_u16(), took.as_millis() as u64);
        tracing::info!(http.method = %method, http.endpoint = endpoint, http.status = status, duration_ms, "answered");
    });
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn cors(app: &App) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(app.config.cors_origins.clone())
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IDEMPOTENCY_KEY,
            ACCEPT_LANGUAGE,
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([REQUEST_ID, RETRY_AFTER])
        .max_age(Duration::from_secs(60 * 60))
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Error::internal(format!("panicked: {}", message.unwrap_or("without a message"))).into_response()
}

/// Streams are not cut off: only the time until an answer begins is measured.
async fn time_out(request: Request, next: Next) -> Response {
    let longest = if request.method().is_safe() { READ_TIMEOUT } else { WRITE_TIMEOUT };
    match tokio::time::timeout(longest, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Code::Timeout.into_response(),
    }
}

/// What monitors ask for.
pub(super) fn is_unlimited(path: &str) -> bool {
    path == "/metrics" || path == "/health" || path.starts_with("/health/")
}

/// Limit the caller: whoever the token names, else the address. What monitors ask for is exempt.
async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    if is_unlimited(request.uri().path()) {
        return next.run(request).await;
    }
    let caller = match request.extensions().get::<Authentication>() {
        Some(Authentication(Ok(claims))) => claims.sub.clone(),
        _ => match client_address(request.headers(), request.extensions(), &app.config) {
            Some(address) => address.to_string(),
            None => "unknown".to_owned(),
        },
    };
    match app.limiter.check(&caller, app.clock.now()).await {
        Ok(()) => next.run(request).await,
        Err(reached) => Error::from(reached).into_response(),
    }
}
