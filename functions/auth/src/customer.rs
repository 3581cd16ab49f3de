//! `/api/customer/auth`: a table's tablet.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use shared::auth::callers::Guest;
use shared::auth::login_throttle::AccountName;
use shared::db::owners::Owner;
use shared::db::tables;
use shared::domain::StoreId;
use shared::domain::account::Role;
use shared::domain::text::{self, Trimmed, trimmed_lookup};
use shared::http::address::ClientAddress;
use shared::http::request::Valid;
use shared::http::response::Json;
use shared::{App, Code, Result};
use utoipa::ToSchema;

use crate::answers::{TableCaller, TokenAnswer, issue};
use crate::login::check_password;

/// A tablet's login.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableLogin {
    /// The store.
    #[garde(skip)]
    store_id: StoreId,
    /// The table's number.
    #[garde(custom(trimmed_lookup))]
    #[schema(value_type = String, max_length = 255, format = "plain", examples("3"))]
    table_number: Trimmed,
    /// The table's password.
    #[garde(custom(text::password))]
    #[schema(format = "plain", examples("1234"))]
    password: String,
}

/// Log a table's tablet in.
#[utoipa::path(
    post,
    path = "/api/customer/auth/login",
    tag = "auth",
    operation_id = "auth_login_table",
    security(()),
    request_body = TableLogin,
    responses((status = 200, body = TokenAnswer<TableCaller>)),
    extensions(("x-errors" = json!([Code::InvalidCredentials, Code::StoreInactive]))),
)]
pub(crate) async fn login(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Valid(body): Valid<TableLogin>,
) -> Result<Json<TokenAnswer<TableCaller>>> {
    let number = body.table_number.as_str();
    let account = tables::account(&app.db, body.store_id, number).await?;
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let name = AccountName { role: Role::Table, store_id: Some(body.store_id), name: number.to_owned() };
    check_password(&app, name, address, body.password, hash).await?;
    let account = account.ok_or(Code::InvalidCredentials)?;
    if !account.store_active {
        return Err(Code::StoreInactive.into());
    }
    let owner = Owner { role: Role::Table, id: account.id.get(), store_id: Some(body.store_id) };
    let token_version = account.token_version;
    Ok(Json(issue(&app, owner, token_version, TableCaller::new(body.store_id, account))?))
}

/// Who the caller is.
#[utoipa::path(
    get,
    path = "/api/customer/auth/me",
    tag = "auth",
    operation_id = "auth_me_table",
    responses((status = 200, body = TableCaller)),
    extensions(("x-errors" = json!([Code::TableNotFound]))),
)]
pub(crate) async fn me(State(app): State<App>, guest: Guest) -> Result<Json<TableCaller>> {
    let account = tables::account_by_id(&app.db, guest.store_id, guest.table_id).await?;
    Ok(Json(TableCaller::new(guest.store_id, account)))
}
