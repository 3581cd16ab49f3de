//! Health, and the answer to every address that is nobody else's.

mod health;

use shared::http::Routes;
use utoipa_axum::routes;

/// The routes of this function.
pub fn router() -> Routes {
    Routes::default().routes(routes!(health::health)).routes(routes!(health::live))
}
