//! `GET /.well-known/jwks.json`.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use shared::App;
use shared::http::response::Json;

/// The public keys that tokens are checked with, as a JSON Web Key Set.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "auth", responses((status = 200, body = Object)))]
pub(crate) async fn jwks(State(app): State<App>) -> impl IntoResponse {
    ([(CACHE_CONTROL, "public, max-age=300")], Json(app.tokens.published().clone()))
}
