//! `/api/superadmin/auth`: the keeper of stores and accounts.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use shared::auth::callers::SuperAdmin;
use shared::db::admins;
use shared::domain::text::{self, lookup};
use shared::http::address::ClientAddress;
use shared::http::request::Valid;
use shared::http::response::Json;
use shared::{App, Code, Result};
use utoipa::ToSchema;

use crate::answers::{AdminCaller, TokenAnswer};
use crate::login::log_in_admin;

/// A super admin's login.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuperAdminLogin {
    /// The super admin's name.
    #[garde(custom(lookup))]
    #[schema(max_length = 255, format = "plain", examples("superadmin"))]
    username: String,
    /// The super admin's password.
    #[garde(custom(text::password))]
    #[schema(format = "plain", examples("super1234"))]
    password: String,
}

/// Log a super admin in.
#[utoipa::path(
    post,
    path = "/api/superadmin/auth/login",
    tag = "auth",
    operation_id = "auth_login_super_admin",
    security(()),
    request_body = SuperAdminLogin,
    responses((status = 200, body = TokenAnswer<AdminCaller>)),
    extensions(("x-errors" = json!([Code::InvalidCredentials, Code::AdminInactive]))),
)]
pub(crate) async fn login(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Valid(body): Valid<SuperAdminLogin>,
) -> Result<Json<TokenAnswer<AdminCaller>>> {
    log_in_admin(&app, address, None, body.username, body.password).await
}

/// Who the caller is.
#[utoipa::path(
    get,
    path = "/api/superadmin/auth/me",
    tag = "auth",
    operation_id = "auth_me_super_admin",
    responses((status = 200, body = AdminCaller)),
)]
pub(crate) async fn me(State(app): State<App>, admin: SuperAdmin) -> Result<Json<AdminCaller>> {
    Ok(Json(admins::account_by_id(&app.db, admin.id).await?.into()))
}
