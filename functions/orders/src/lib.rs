//! Placing orders, and moving them through the kitchen.

mod admin;
mod change_status;
mod customer;
mod delete;
mod idempotency_key;
mod place;

use shared::environment;
use shared::http::Routes;
use shared::routes;

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 4] =
    [environment::EVERYWHERE, environment::DATABASE, environment::HTTP, &["NUDGE_QUEUE_URL"]];

/// The routes of this function.
pub fn router() -> Routes {
    Routes::default()
        .routes(routes!(place::place, customer::list))
        .routes(routes!(customer::read))
        .routes(routes!(admin::list))
        .routes(routes!(admin::read, delete::delete))
        .routes(routes!(change_status::change_status))
}
