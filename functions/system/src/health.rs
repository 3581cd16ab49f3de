//! `GET /health`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use shared::App;
use shared::health::Health;
use shared::http::response::Json;

/// Whether everything the service needs is there.
///
/// 200 when it is; 503 with the failing check's reason when something is not. Answers are cached for 5 s.
#[utoipa::path(
    get,
    path = "/health",
    tag = "system",
    operation_id = "system_health",
    security(()),
    responses(
        (status = 200, description = "Everything is there.", body = Health),
        (status = 503, description = "Something is not there: `status` is `degraded`.", body = Health),
    ),
)]
pub(crate) async fn health(State(app): State<App>) -> impl IntoResponse {
    let health = app.health.check(&app).await;
    let status = if health.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], Json(health))
}
