//! The gateway between clients and small servers that stand for what is behind it, all on real ports.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod failing;
mod metrics;
mod passing;
mod stopping;
mod streaming;

use std::time::Duration;

use axum::Router;
use local::gateway::{self, Options, Upstreams};
use reqwest::Client;
use shared::telemetry::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Wait for something, not for ever.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}

/// A port of this machine.
async fn port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// An address where nobody listens.
async fn nowhere() -> String {
    port().await.1
}

/// Serve these routes until the test ends. Their address.
async fn serve(router: Router) -> String {
    let (listener, url) = port().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Options that fit most tests.
fn options() -> Options {
    Options {
        origin_secret: None,
        demo_page: Some(local::demo_page::router(&[""; 0])),
        timeout: PATIENCE,
        laid_aside: Vec::new(),
        metrics: Metrics::off(),
    }
}

/// A gateway that is running.
struct Gateway {
    url: String,
    client: Client,
    stopped: CancellationToken,
    serving: JoinHandle<Result<(), String>>,
}

impl Gateway {
    /// Before these; nobody is behind the paths of those that are not given.
    async fn before(api: Option<&str>, stream: Option<&str>, pictures: Option<&str>, options: Options) -> Self {
        let nowhere = nowhere().await;
        let or_nowhere = |url: Option<&str>| url.unwrap_or(&nowhere).parse().unwrap();
        let pictures = pictures.map(|url| url.parse().unwrap());
        let upstreams = Upstreams { api: or_nowhere(api), stream: or_nowhere(stream), pictures };
        let (listener, url) = port().await;
        let stopped = CancellationToken::new();
        let serving = gateway::serve(listener, upstreams, options, stopped.clone());
        let serving = async move { serving.await.map_err(|error| error.to_string()) };
        Self { url, client: Client::new(), stopped, serving: tokio::spawn(serving) }
    }

    /// Before the functions alone.
    async fn before_api(router: Router) -> Self {
        Self::before(Some(&serve(router).await), None, None, options()).await
    }

    /// Before the streams alone.
    async fn before_streams(router: Router) -> Self {
        Self::before(None, Some(&serve(router).await), None, options()).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        soon(self.client.get(self.url(path)).send()).await.unwrap()
    }
}

/// Check that an answer is this error, as the contract writes it.
async fn assert_error(answer: reqwest::Response, status: u16, code: &str) {
    assert_eq!(answer.status().as_u16(), status);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert!(answer.headers().contains_key("x-request-id"));
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], code);
    assert!(body["error"]["message"].is_string(), "{body}");
}
