//! `POST /api/{admin,superadmin}/auth/change-password`.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use shared::auth::callers::{StoreAdmin, SuperAdmin};
use shared::auth::login_throttle::AccountName;
use shared::db::{admins, audit};
use shared::domain::AdminId;
use shared::domain::text::{self, password_bytes};
use shared::http::address::ClientAddress;
use shared::http::request::Valid;
use shared::http::response::Json;
use shared::{App, Code, Result};
use utoipa::ToSchema;

use crate::answers::{AdminCaller, TokenAnswer, admin_owner, issue};
use crate::login::check_password;

/// A change of one's own password.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    /// The present password.
    #[garde(custom(text::password))]
    #[schema(format = "plain", examples("admin1234"))]
    current_password: String,
    /// 8–71 bytes of UTF-8: fewer characters, where they take several.
    #[garde(custom(password_bytes::<8>))]
    #[schema(min_length = 2, max_length = 71, format = "plain", examples("new-admin-5678"))]
    new_password: String,
}

/// Change a store admin's own password. Older tokens stop working.
#[utoipa::path(
    post,
    path = "/api/admin/auth/change-password",
    tag = "auth",
    operation_id = "auth_change_password_store_admin",
    request_body = ChangePassword,
    responses((status = 200, body = TokenAnswer<AdminCaller>)),
    extensions(("x-errors" = json!([Code::InvalidCredentials]))),
)]
pub(crate) async fn for_store_admin(
    State(app): State<App>,
    admin: StoreAdmin,
    address: ClientAddress,
    Valid(body): Valid<ChangePassword>,
) -> Result<Json<TokenAnswer<AdminCaller>>> {
    change(&app, admin.id, address, body).await
}

/// Change a super admin's own password. Older tokens stop working.
#[utoipa::path(
    post,
    path = "/api/superadmin/auth/change-password",
    tag = "auth",
    operation_id = "auth_change_password_super_admin",
    request_body = ChangePassword,
    responses((status = 200, body = TokenAnswer<AdminCaller>)),
    extensions(("x-errors" = json!([Code::InvalidCredentials]))),
)]
pub(crate) async fn for_super_admin(
    State(app): State<App>,
    admin: SuperAdmin,
    address: ClientAddress,
    Valid(body): Valid<ChangePassword>,
) -> Result<Json<TokenAnswer<AdminCaller>>> {
    change(&app, admin.id, address, body).await
}

/// A stolen token must not be a way to guess the password: guesses count as logins do.
async fn change(
    app: &App,
    id: AdminId,
    ClientAddress(address): ClientAddress,
    body: ChangePassword,
) -> Result<Json<TokenAnswer<AdminCaller>>> {
    let account = admins::account_by_id(&app.db, id).await?;
    let owner = admin_owner(&account);
    let name = AccountName { role: owner.role, store_id: owner.store_id, name: account.username.clone() };
    check_password(app, name, address, body.current_password, Some(account.password_hash.clone())).await?;
    let password_hash = app.passwords.hash(body.new_password).await?;

    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    // The password that was right may have been reset meanwhile, to shut out whoever knows it.
    let seen = Some(account.token_version);
    let changed = admins::set_password(&mut tx, id, seen, &password_hash, now).await?;
    let token_version = changed.ok_or(Code::InvalidCredentials)?;
    let entry = audit::Entry {
        store_id: account.store_id,
        admin_id: id,
        action: "admin.change_password",
        entity_id: id.to_string(),
        details: json!({}),
    };
    audit::record(&mut tx, entry, now).await?;
    tx.commit().await?;

    app.owners.forget(owner);
    Ok(Json(issue(app, owner, token_version, account.into())?))
}
