//! `/api/admin/auth`: staff of a store.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use shared::auth::callers::StoreAdmin;
use shared::db::admins;
use shared::domain::StoreId;
use shared::domain::text::{self, lookup};
use shared::http::address::ClientAddress;
use shared::http::request::Valid;
use shared::http::response::Json;
use shared::{App, Code, Result};
use utoipa::ToSchema;

use crate::answers::{AdminCaller, TokenAnswer};
use crate::login::log_in_admin;

/// A store admin's login.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminLogin {
    /// The store.
    #[garde(skip)]
    store_id: StoreId,
    /// The admin's name.
    #[garde(custom(lookup))]
    #[schema(max_length = 255, format = "plain", examples("admin"))]
    username: String,
    /// The admin's password.
    #[garde(custom(text::password))]
    #[schema(format = "plain", examples("admin1234"))]
    password: String,
}

/// Log a store admin in.
#[utoipa::path(
    post,
    path = "/api/admin/auth/login",
    tag = "auth",
    operation_id = "auth_login_store_admin",
    security(()),
    request_body = AdminLogin,
    responses((status = 200, body = TokenAnswer<AdminCaller>)),
    extensions(("x-errors" = json!([Code::InvalidCredentials, Code::AdminInactive, Code::StoreInactive]))),
)]
pub(crate) async fn login(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Valid(body): Valid<AdminLogin>,
) -> Result<Json<TokenAnswer<AdminCaller>>> {
    log_in_admin(&app, address, Some(body.store_id), body.username, body.password).await
}

/// Who the caller is.
#[utoipa::path(
    get,
    path = "/api/admin/auth/me",
    tag = "auth",
    operation_id = "auth_me_store_admin",
    responses((status = 200, body = AdminCaller)),
)]
pub(crate) async fn me(State(app): State<App>, admin: StoreAdmin) -> Result<Json<AdminCaller>> {
    Ok(Json(admins::account_by_id(&app.db, admin.id).await?.into()))
}
