//! Logging in: the only function that holds the private key.

mod admin;
mod answers;
mod change_password;
mod customer;
mod jwks;
mod login;
mod stream_ticket;
mod super_admin;

use shared::environment;
use shared::http::Routes;
use shared::routes;

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 4] = [
    environment::EVERYWHERE,
    environment::DATABASE,
    environment::HTTP,
    &["JWT_PRIVATE_KEY", "JWT_PRIVATE_KEY_PATH", "JWT_ADMIN_EXPIRE_HOURS", "JWT_TABLE_EXPIRE_HOURS"],
];

/// The routes of this function.
pub fn router() -> Routes {
    Routes::default()
        .routes(routes!(customer::login))
        .routes(routes!(customer::me))
        .routes(routes!(admin::login))
        .routes(routes!(admin::me))
        .routes(routes!(super_admin::login))
        .routes(routes!(super_admin::me))
        .routes(routes!(change_password::for_store_admin))
        .routes(routes!(change_password::for_super_admin))
        .routes(routes!(stream_ticket::for_guest))
        .routes(routes!(stream_ticket::for_store_admin))
        .routes(routes!(jwks::jwks))
}
