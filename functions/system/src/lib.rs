//! Health, the API's documentation, and the answer to every address that is nobody else's.

mod docs;
mod health;

use axum::routing::get;
use shared::environment;
use shared::http::{Routes, live};
use shared::routes;

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 3] = [environment::EVERYWHERE, environment::DATABASE, environment::HTTP];

/// The routes of this function.
pub fn router() -> Routes {
    Routes::default()
        .routes(routes!(health::health))
        .routes(routes!(live::live))
        .routes(routes!(docs::openapi))
        .routes(routes!(docs::swagger_ui))
        .routes(routes!(docs::redoc))
        .route("/docs/{file}", get(docs::file))
}
