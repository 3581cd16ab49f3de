//! What wraps every route, from the outside in: request id, token, log and errors' bodies; CORS; panics, time-out and
//! limit; body size.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER, VARY};
use axum::http::{Extensions, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, MapOk};
use futures_util::{FutureExt, TryFutureExt};
use lambda_http::request::RequestContext;
use tower::layer::layer_fn;
use tower::{Layer, Service};
use tower_http::cors::{Cors, CorsLayer};
use tracing::{Instrument, field};
use uuid::Uuid;

use super::address::{client_address, is_let_in};
use super::{Routes, error};
use crate::app::App;
use crate::auth::callers::{Authentication, authenticate};
use crate::clock;
use crate::error::{Code, Error};
use crate::telemetry::metrics::Answers;
use crate::telemetry::request_id;

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
///
/// The layers are one to axum: each of its own would cost every request another copy of all that is inside it.
pub fn service(routes: Routes, app: App) -> Router {
    let (answering, admitting, cors) = (app.clone(), app.clone(), Arc::new(cors(&app)));
    let answers = Arc::new(Answers::default());
    let layers = (
        layer_fn(move |inner| Answering { app: answering.clone(), answers: answers.clone(), inner }),
        layer_fn(move |inner| CrossOrigin { cors: cors.clone(), inner }),
        layer_fn(move |inner| Admitting { app: admitting.clone(), inner }),
        DefaultBodyLimit::max(LARGEST_BODY),
    );
    routes
        .into_router()
        .fallback(async || Code::NotFound)
        .method_not_allowed_fallback(async || Code::MethodNotAllowed)
        .layer(layers)
        .with_state(app)
}

/// Gives the request an id, checks its token, puts both on every log line and the id on the answer, writes an error's body,
/// and logs, counts and times the answer.
///
/// A service of its own, because axum's `from_fn` would copy what is inside for every request.
#[derive(Clone)]
struct Answering<S> {
    app: App,
    answers: Arc<Answers>,
    inner: S,
}

impl<S> Service<Request> for Answering<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let begun = Instant::now();
        let request_id: Arc<str> = match gateway_request_id(request.extensions()) {
            Some(id) => id.into(),
            None => {
                (*clock::new_uuid(self.app.clock.now()).hyphenated().encode_lower(&mut Uuid::encode_buffer())).into()
            }
        };
        let matched = request.extensions().get::<MatchedPath>().cloned();
        let method = request.method().clone();
        let languages = request.headers().get(ACCEPT_LANGUAGE).cloned();
        let claims = authenticate(&self.app, &mut request);
        let answers = self.answers.clone();
        // Of the highest level, so that no LOG_LEVEL takes the request's id off the lines that are left.
        let span = tracing::error_span!(
            "request",
            %request_id,
            user_id = claims.as_ref().map(|claims| claims.sub.as_str()),
            store.id = claims.as_ref().and_then(|claims| claims.store_id).map(field::display),
            http.method = %method,
            // Whatever belongs to no route may be as long as the client likes.
            http.path = matched.as_ref().map(|_| request.uri().path()),
        );
        let answer = span.in_scope(|| self.inner.call(request)).instrument(span.clone());
        let answer = request_id::scope(request_id.clone(), answer);
        Box::pin(async move {
            let Ok(mut response) = answer.await;
            let _entered = span.enter();
            error::render(&mut response, languages.as_ref());
            let (status, took) = (response.status(), begun.elapsed());
            answers.count(&method, matched.as_ref(), status, took);
            let endpoint = matched.as_ref().map_or("", MatchedPath::as_str);
            let (status, duration_ms) = (status.as_u16(), took.as_millis() as u64);
            tracing::info!(http.endpoint = endpoint, http.status = status, duration_ms, "answered");
            if let Ok(value) = HeaderValue::try_from(&*request_id) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
            Ok(response)
        })
    }
}

/// Tells browsers which other sites may read the answer.
///
/// A request without `Origin` comes from no other site: caches learn that the answer would differ, and the rest is spared.
#[derive(Clone)]
struct CrossOrigin<S> {
    cors: Arc<CorsLayer>,
    inner: S,
}

impl<S> Service<Request> for CrossOrigin<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
{
    type Response = Response;
    type Error = Infallible;
    /// What other sites need is boxed, or every request would carry the room it takes.
    type Future = Either<MapOk<S::Future, fn(Response) -> Response>, Pin<Box<<Cors<S> as Service<Request>>::Future>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match request.headers().get(ORIGIN) {
            Some(_) => Either::Right(Box::pin(self.cors.layer(self.inner.clone()).call(request))),
            None => Either::Left(self.inner.call(request).map_ok(vary_by_origin)),
        }
    }
}

fn vary_by_origin(mut response: Response) -> Response {
    response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    response
}

/// Lets the request in if its caller is within its limit, and sees that there is an answer in time, also when the handler
/// panics. Streams are not cut off: only the time until an answer begins is measured.
#[derive(Clone)]
struct Admitting<S> {
    app: App,
    inner: S,
}

impl<S> Service<Request> for Admitting<S>
where
    S: Service<Request, Response: IntoResponse, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let longest = if request.method().is_safe() { READ_TIMEOUT } else { WRITE_TIMEOUT };
        let path = request.uri().path();
        if !is_unlimited(path) && !is_let_in(request.headers(), &self.app.config) {
            return Box::pin(async { Ok(Code::InsufficientPermissions.into_response()) });
        }
        let caller = limited_caller(&self.app, &request);
        let (limiter, now) = (self.app.limiter.clone(), self.app.clock.now());
        // Nothing happens before it is polled.
        let answer = self.inner.call(request);
        let admitted = async move {
            match caller {
                Some(caller) => limiter.check(&caller, now).await.map_err(Error::from),
                None => Ok(()),
            }
        };
        // Not in async blocks: each keeps the room of a future that it awaits twice.
        let answer = admitted.and_then(|()| answer.map_err(|never| match never {}));
        let answer = AssertUnwindSafe(tokio::time::timeout(longest, answer)).catch_unwind();
        Box::pin(answer.map(|answer| {
            Ok(match answer {
                Ok(Ok(answer)) => answer.into_response(),
                Ok(Err(_)) => Code::Timeout.into_response(),
                Err(panic) => panicked(&*panic).into_response(),
            })
        }))
    }
}

/// The id that API Gateway gave the request, under which its own log has it, too.
fn gateway_request_id(extensions: &Extensions) -> Option<&str> {
    match extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV2(context) => context.request_id.as_deref(),
        _ => None,
    }
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

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Error::internal(format!("panicked: {}", message.unwrap_or("without a message")))
}

/// What monitors ask for.
pub(super) fn is_unlimited(path: &str) -> bool {
    path == "/metrics" || path == "/health" || path.starts_with("/health/")
}

/// Who a request counts for: whoever the token names, else the address. Nobody for what monitors ask for.
fn limited_caller(app: &App, request: &Request) -> Option<String> {
    if is_unlimited(request.uri().path()) {
        return None;
    }
    match request.extensions().get::<Authentication>() {
        Some(Authentication(Ok(claims))) => Some(claims.sub.clone()),
        _ => match client_address(request.headers(), request.extensions(), &app.config) {
            Some(address) => Some(address.to_string()),
            None => Some("unknown".to_owned()),
        },
    }
}
