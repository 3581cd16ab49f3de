//! The super admin's: stores and admin accounts.

mod admins;
mod stores;

use shared::environment;
use shared::http::Routes;
use shared::routes;

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 3] = [environment::EVERYWHERE, environment::DATABASE, environment::HTTP];

/// The routes of this function.
pub fn router() -> Routes {
    Routes::default()
        .routes(routes!(stores::list, stores::create))
        .routes(routes!(stores::read, stores::update, stores::delete))
        .routes(routes!(admins::list, admins::create))
        .routes(routes!(admins::activate))
        .routes(routes!(admins::deactivate))
        .routes(routes!(admins::reset_password))
}
