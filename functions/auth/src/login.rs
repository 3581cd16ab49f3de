//! What all logins have in common: limits on guessing, and the same time and answer for every wrong one.

use std::net::IpAddr;

use metrics::counter;
use shared::auth::login_throttle::AccountName;
use shared::db::admins;
use shared::domain::StoreId;
use shared::domain::account::Role;
use shared::http::response::Json;
use shared::telemetry::metrics::LOGIN_FAILURES_TOTAL;
use shared::{App, Code, Result};

use crate::answers::{AdminCaller, TokenAnswer, admin_owner, check_active, issue};

/// Check a password. `hash` is the account's, or `None` if there is no such account.
pub(crate) async fn check_password(
    app: &App,
    account: AccountName,
    address: Option<IpAddr>,
    password: String,
    hash: Option<String>,
) -> Result<()> {
    let role = account.role;
    let mut attempt = app.login_throttle.begin(account, address, app.clock.now()).await?;
    let turn = app.passwords.turn().await?;
    attempt.judge(app.clock.now()).await?;
    let verdict = turn.verify(password, hash).await;
    match &verdict {
        Ok(()) => attempt.right().await,
        Err(error) if error.code == Code::InvalidCredentials => {
            attempt.wrong(app.clock.now()).await;
            counter!(LOGIN_FAILURES_TOTAL, "role" => role.as_str()).increment(1);
            tracing::info!(%role, "a login was wrong");
        }
        Err(_) => {}
    }
    verdict
}

/// Log an admin in: of a store, or, without one, a super admin.
pub(crate) async fn log_in_admin(
    app: &App,
    address: Option<IpAddr>,
    store_id: Option<StoreId>,
    username: String,
    password: String,
) -> Result<Json<TokenAnswer<AdminCaller>>> {
    let account = admins::account(&app.db, store_id, &username).await?;
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let role = if store_id.is_some() { Role::StoreAdmin } else { Role::SuperAdmin };
    check_password(app, AccountName { role, store_id, name: username }, address, password, hash).await?;
    let account = account.ok_or(Code::InvalidCredentials)?;
    check_active(&account)?;
    Ok(Json(issue(app, admin_owner(&account), account.token_version, account.into())?))
}
