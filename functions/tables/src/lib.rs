//! Tables, the staff's board, closing a table, and its order history.

mod complete_session;
mod dashboard;
mod order_history;
mod tables;

use shared::environment;
use shared::http::Routes;
use shared::routes;

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 4] =
    [environment::EVERYWHERE, environment::DATABASE, environment::HTTP, &["NUDGE_QUEUE_URL"]];

/// The routes of this function.
pub fn router() -> Routes {
    Routes::default()
        .routes(routes!(dashboard::dashboard))
        .routes(routes!(tables::list, tables::create))
        .routes(routes!(tables::read, tables::update, tables::delete))
        .routes(routes!(complete_session::complete_session))
        .routes(routes!(order_history::order_history))
}
