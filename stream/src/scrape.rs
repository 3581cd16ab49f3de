//! `GET /metrics`, for Prometheus.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use metrics::{counter, gauge};
use shared::App;
use shared::db::outbox;
use shared::telemetry::metrics::{
    ACTIVE_CONNECTIONS, OUTBOX_OLDEST_SECONDS, PROCESS_RESIDENT_MEMORY_BYTES, SSE_CONNECTIONS, SSE_SLOW_READERS_TOTAL,
    resident_memory,
};

use crate::Streams;

/// How long PostgreSQL may take to tell the age of the oldest event.
const PATIENCE: Duration = Duration::from_secs(1);

/// What this process has counted and measured, in Prometheus' text format.
///
/// For the network inside: it is never routed to the public.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "system",
    operation_id = "system_metrics",
    security(()),
    responses((status = 200, description = "The metrics.", content_type = "text/plain", body = String)),
)]
pub(crate) async fn metrics(State(app): State<App>, Extension(streams): Extension<Streams>) -> impl IntoResponse {
    measure(&app, &streams).await;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render())
}

/// Look at what is not counted where it happens.
pub(crate) async fn measure(app: &App, streams: &Streams) {
    gauge!(ACTIVE_CONNECTIONS).set(f64::from(app.db.size()) - app.db.num_idle() as f64);
    gauge!(SSE_CONNECTIONS).set(streams.open_count() as f64);
    counter!(SSE_SLOW_READERS_TOTAL).absolute(streams.slow_readers());
    if let Some(bytes) = resident_memory() {
        gauge!(PROCESS_RESIDENT_MEMORY_BYTES).set(bytes as f64);
    }
    // With the database away the gauge keeps its last value: everything else is worth telling all the more.
    if let Ok(Ok(age)) = tokio::time::timeout(PATIENCE, outbox::oldest_age(&app.db, app.clock.now())).await {
        gauge!(OUTBOX_OLDEST_SECONDS).set(age.as_secs_f64());
    }
}
