//! `GET /health/live`, which every process answers that a load balancer asks.

use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::response::Json;

/// A process that can answer.
#[derive(Serialize, ToSchema)]
pub struct Live {
    /// Always `ok`.
    #[schema(value_type = String, pattern = "^ok$", examples("ok"))]
    status: &'static str,
}

/// Whether the process can answer at all.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "system",
    operation_id = "system_live",
    security(()),
    responses((status = 200, description = "It can.", body = Live)),
)]
pub async fn live() -> impl IntoResponse {
    ([(CACHE_CONTROL, "no-store")], Json(Live { status: "ok" }))
}
