//! Logging in: the only function that holds the private key.

mod admin;
mod answers;
mod change_password;
mod customer;
mod jwks;
mod login;
mod stream_ticket;
mod super_admin;

use shared::http::Routes;
use utoipa_axum::routes;

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
