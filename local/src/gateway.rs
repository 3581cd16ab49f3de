//! One address for what runs as several programs, as CloudFront and API Gateway are on AWS.
//!
//! It says who the viewer is, as CloudFront does, and times out, refuses and counts what goes to the API, as API Gateway does.
//! Bodies pass through as they come, in both directions. It also counts what was laid aside in SQS, as CloudWatch does.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    ACCEPT_LANGUAGE, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures_util::StreamExt;
use http_body_util::{LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use metrics::gauge;
use secrecy::{ExposeSecret, SecretString};
use shared::aws::Queue;
use shared::clock::{self, Clock};
use shared::events::feed::Feed;
use shared::http::address::Peer;
use shared::http::layers::REQUEST_ID;
use shared::http::{error, server};
use shared::telemetry::metrics::{
    Answers, HTTP_ERRORS_TOTAL, HTTP_REQUEST_DURATION_SECONDS, HTTP_REQUESTS_TOTAL, LAID_ASIDE_MESSAGES, Metrics,
    PROCESS_RESIDENT_MEMORY_BYTES, resident_memory,
};
use shared::{Code, Error};
use stream::Streams;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::laid_aside;

/// The largest request body in bytes, as for API Gateway.
pub const LARGEST_BODY: usize = 10 * 1024 * 1024;
/// How long an answer may take to begin, as for API Gateway.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests under way may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says who the viewer is; believed by the service when the secret is right.
const VIEWER_ADDRESS: HeaderName = HeaderName::from_static("cloudfront-viewer-address");
/// Proves that it is the gateway that says so.
const ORIGIN_SECRET: HeaderName = HeaderName::from_static("x-origin-secret");
/// What concerns one connection and not the next.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What the gateway counts and measures itself.
pub const METRICS: [&str; 5] = [
    HTTP_REQUESTS_TOTAL,
    HTTP_REQUEST_DURATION_SECONDS,
    HTTP_ERRORS_TOTAL,
    PROCESS_RESIDENT_MEMORY_BYTES,
    LAID_ASIDE_MESSAGES,
];

/// What stands behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The functions.
    Api,
    /// The container that serves the live streams.
    Stream,
    /// Where pictures are kept.
    Pictures,
}

/// Which path goes where; the first that fits. `*` is any text, as in CloudFront's path patterns.
pub const PATHS: [(&str, Origin); 3] =
    [("/api/*/orders/stream", Origin::Stream), ("/images/*", Origin::Pictures), ("*", Origin::Api)];

/// Where a path goes.
pub fn origin(path: &str) -> Origin {
    PATHS.iter().find(|(pattern, _)| fits(pattern, path)).map_or(Origin::Api, |(_, origin)| *origin)
}

/// Whether a path fits a pattern with at most one `*`.
fn fits(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => path.strip_prefix(before).is_some_and(|rest| rest.ends_with(after)),
        None => pattern == path,
    }
}

/// The address of an origin: `http://host:port`, and a path that all of its paths begin with.
#[derive(Clone, Debug)]
pub struct Upstream {
    authority: Authority,
    prefix: String,
}

impl FromStr for Upstream {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "must be an address like http://127.0.0.1:9000";
        let uri: Uri = text.parse().map_err(|_| RULE)?;
        if uri.scheme() != Some(&Scheme::HTTP) || uri.query().is_some() {
            return Err(RULE);
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { authority: uri.authority().ok_or(RULE)?.clone(), prefix })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

impl Upstream {
    /// The same path and query, there.
    fn uri(&self, asked: &Uri) -> Result<Uri, axum::http::Error> {
        let path = asked.path_and_query().map_or("/", |path| path.as_str());
        let path = format!("{}{path}", self.prefix);
        Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone()).path_and_query(path).build()
    }
}

/// Where the origins are.
#[derive(Clone, Debug)]
pub struct Upstreams {
    /// The functions.
    pub api: Upstream,
    /// The live streams.
    pub stream: Upstream,
    /// The pictures; without it there are none.
    pub pictures: Option<Upstream>,
}

/// What the gateway does besides passing on.
#[derive(Debug)]
pub struct Options {
    /// What the services behind believe the viewer's address by.
    pub origin_secret: Option<SecretString>,
    /// The demo page, where there is one.
    pub demo_page: Option<Router>,
    /// How long an answer may take to begin.
    pub timeout: Duration,
    /// Queues of SQS whose messages were laid aside, to be counted.
    pub laid_aside: Vec<Queue>,
    /// Who keeps what is counted.
    pub metrics: Metrics,
}

#[derive(Debug)]
struct Gateway {
    upstreams: Upstreams,
    origin_secret: Option<HeaderValue>,
    timeout: Duration,
    laid_aside: Vec<Queue>,
    metrics: Metrics,
    answers: Answers,
    client: Client<HttpConnector, Body>,
    stopped: CancellationToken,
}

/// Serve until `stopped`: then streams end at once, and requests under way have a few seconds.
pub async fn serve(
    listener: TcpListener,
    upstreams: Upstreams,
    options: Options,
    stopped: CancellationToken,
) -> Result<(), Box<dyn StdError>> {
    let keeping_up = tokio::spawn(options.metrics.clone().keep_up(stopped.clone()));
    let served = server::serve(listener, router(upstreams, options, stopped.clone())?, stopped.clone(), PATIENCE).await;
    // Also when serving failed.
    stopped.cancel();
    keeping_up.await?;
    Ok(served?)
}

fn router(
    upstreams: Upstreams,
    options: Options,
    stopped: CancellationToken,
) -> Result<Router, axum::http::header::InvalidHeaderValue> {
    let secret = |secret: SecretString| {
        let mut value = HeaderValue::from_str(secret.expose_secret())?;
        value.set_sensitive(true);
        Ok(value)
    };
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let gateway = Gateway {
        upstreams,
        origin_secret: options.origin_secret.map(secret).transpose()?,
        timeout: options.timeout,
        laid_aside: options.laid_aside,
        metrics: options.metrics,
        answers: Answers::default(),
        client: Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector),
        stopped,
    };
    // Only so that a request's route is known by name.
    let named = endpoints().into_iter().fold(Router::new(), |router, path| router.route(&path, any(forward)));
    let router = named.route("/metrics", get(scrape)).fallback(forward).with_state(Arc::new(gateway));
    Ok(options.demo_page.into_iter().fold(router, Router::merge))
}

/// The paths of the API's description, but for the gateway's own.
fn endpoints() -> Vec<String> {
    let routes = crate::routes(Streams::new(Feed::local("nobody"), CancellationToken::new()));
    routes.openapi().paths.paths.into_keys().filter(|path| path != "/metrics").collect()
}

/// Its own metrics, for the network inside: those of the services behind are never passed on.
async fn scrape(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    if let Some(bytes) = resident_memory() {
        gauge!(PROCESS_RESIDENT_MEMORY_BYTES).set(bytes as f64);
    }
    laid_aside::measure(&gateway.laid_aside).await;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], gateway.metrics.render())
}

/// Pass a request on, and count it when it was for the functions, which nobody can ask for metrics. Streams are counted where
/// they are served.
async fn forward(
    State(gateway): State<Arc<Gateway>>,
    endpoint: Option<MatchedPath>,
    ConnectInfo(Peer { address: viewer, .. }): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let begun = Instant::now();
    let origin = origin(request.uri().path());
    let method = request.method().clone();
    let languages = request.headers().get(ACCEPT_LANGUAGE).cloned();
    let response = match gateway.pass_on(origin, viewer, request).await {
        Ok(response) => response,
        Err(error) => refuse(error, languages.as_ref(), origin),
    };
    if origin == Origin::Api {
        gateway.answers.count(&method, endpoint.as_ref(), response.status(), begun.elapsed());
    }
    response
}

/// An answer of the gateway itself, as the service would write it.
fn refuse(error: Error, languages: Option<&HeaderValue>, origin: Origin) -> Response {
    let request_id = clock::new_uuid(Clock::system().now()).to_string();
    let _entered = tracing::error_span!("request", %request_id, ?origin).entered();
    let mut response = error.into_response();
    error::render(&mut response, languages);
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

impl Gateway {
    async fn pass_on(&self, origin: Origin, viewer: SocketAddr, request: Request) -> Result<Response, Error> {
        let upstream = match origin {
            Origin::Api => &self.upstreams.api,
            Origin::Stream => &self.upstreams.stream,
            Origin::Pictures => self.upstreams.pictures.as_ref().ok_or(Code::NotFound)?,
        };
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > LARGEST_BODY as u64) {
            return Err(Code::PayloadTooLarge.into());
        }
        let (head, body) = request.into_parts();
        let mut passed = Request::new(Body::new(Limited::new(body, LARGEST_BODY)));
        *passed.method_mut() = head.method;
        *passed.uri_mut() = upstream.uri(&head.uri).map_err(|_| Code::NotFound)?;
        *passed.headers_mut() = self.headers(head.headers, viewer)?;

        let answer = tokio::time::timeout(self.timeout, self.client.request(passed)).await;
        let (mut head, body) = answer.map_err(|_| Code::Timeout)?.map_err(unanswered)?.into_parts();
        drop_hop_by_hop(&mut head.headers);
        let body = match origin {
            Origin::Stream => {
                let ended = self.stopped.clone().cancelled_owned();
                Body::from_stream(Body::new(body).into_data_stream().take_until(ended))
            }
            Origin::Api | Origin::Pictures => Body::new(body),
        };
        Ok(Response::from_parts(head, body))
    }

    /// What a viewer has sent, without what it may not say, and with what only the gateway can.
    fn headers(&self, mut headers: HeaderMap, viewer: SocketAddr) -> Result<HeaderMap, Error> {
        drop_hop_by_hop(&mut headers);
        // The client names the origin, and the gateway has answered this already.
        for name in [HOST, EXPECT] {
            headers.remove(name);
        }
        // An IPv6 address stands without brackets.
        let address = format!("{}:{}", viewer.ip().to_canonical(), viewer.port());
        headers.insert(VIEWER_ADDRESS, HeaderValue::try_from(address).map_err(Error::internal)?);
        headers.remove(ORIGIN_SECRET);
        if let Some(secret) = &self.origin_secret {
            headers.insert(ORIGIN_SECRET, secret.clone());
        }
        Ok(headers)
    }
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let listed: Vec<_> = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok()).collect();
    let named: Vec<HeaderName> =
        listed.iter().flat_map(|list| list.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
    for name in HOP_BY_HOP.into_iter().chain(named) {
        headers.remove(name);
    }
}

/// Why there is no answer: the viewer sent too much, or the origin is not there.
fn unanswered(error: hyper_util::client::legacy::Error) -> Error {
    let mut source: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(cause) = source {
        if cause.is::<LengthLimitError>() {
            return Code::PayloadTooLarge.into();
        }
        source = cause.source();
    }
    Error::unavailable(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_goes_to_the_stream_container_and_every_other_route_to_the_functions() {
        let streams = stream::router(Streams::new(Feed::local("nobody"), CancellationToken::new()));
        let streams = streams.openapi().paths.paths;
        let mut seen = 0;
        for path in endpoints() {
            let expected = if streams.contains_key(&path) { Origin::Stream } else { Origin::Api };
            assert_eq!(origin(&path), expected, "{path}");
            seen += usize::from(expected == Origin::Stream);
        }
        assert_eq!(seen, 2);
    }

    #[test]
    fn a_path_goes_where_the_first_pattern_that_fits_says() {
        assert_eq!(origin("/images/11111111/a.jpg"), Origin::Pictures);
        for path in ["/", "/images", "/api/images/1", "/api/customer/orders/stream/", "/api/orders/stream", "/nowhere"]
        {
            assert_eq!(origin(path), Origin::Api, "{path}");
        }
    }

    #[test]
    fn an_upstream_is_a_plain_address_with_a_path_that_goes_before() {
        let at = |upstream: &str, asked: &str| {
            let uri = upstream.parse::<Upstream>().unwrap().uri(&asked.parse().unwrap()).unwrap();
            uri.to_string()
        };
        assert_eq!(at("http://127.0.0.1:9000", "/a%2Fb?c=%20+d"), "http://127.0.0.1:9000/a%2Fb?c=%20+d");
        assert_eq!(at("http://localhost:5000/bucket/", "/images/1.jpg"), "http://localhost:5000/bucket/images/1.jpg");
        // What a viewer says of the host counts for nothing.
        assert_eq!(at("http://127.0.0.1:9000", "http://elsewhere:1/x"), "http://127.0.0.1:9000/x");
        for wrong in ["127.0.0.1:9000", "https://127.0.0.1:9000", "http://", "/x", "http://host/?x=1", ""] {
            assert!(wrong.parse::<Upstream>().is_err(), "{wrong}");
        }
    }
}
