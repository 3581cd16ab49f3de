//! What must hold across the whole service: every route at once, whole evenings, and what wraps every request.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod compose;
mod cors;
mod dashboards;
mod documentation;
mod documents;
mod errors;
mod infrastructure;
mod injection;
mod input;
mod journeys;
mod limits;
mod logs;
mod metrics;
mod migrations;
mod operating;
mod origin;
mod plans;
mod queries;
mod routes;
mod routing;
mod seeded;
mod wall;

use shared::App;
use shared::events::feed::Feed;
use shared::http::Routes;
use shared::testing::{Options, TestApp};
use stream::Streams;
use tokio_util::sync::CancellationToken;

/// The whole service, as one process serves it.
async fn service() -> TestApp {
    service_with(Options::default()).await
}

/// The same with other options. It has one connection to PostgreSQL, as an environment of Lambda has: a route that needs two at
/// once answers nothing here.
async fn service_with(options: Options) -> TestApp {
    TestApp::start_with(Options { connections: 1, ..options }, service_routes).await
}

/// Every route of the service.
fn service_routes(_: &App, feed: &Feed) -> Routes {
    local::routes(Streams::new(feed.clone(), CancellationToken::new()))
}
