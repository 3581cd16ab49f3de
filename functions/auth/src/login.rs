//! What all logins have in common: limits on guessing, and the same time and answer for every wrong one.

use std::net::IpAddr;

use shared::auth::login_throttle::AccountName;
use shared::{App, Code, Result};

/// Check a password. `hash` is the account's, or `None` if there is no such account.
pub(crate) async fn check_password(
    app: &App,
    account: &AccountName,
    address: Option<IpAddr>,
    password: String,
    hash: Option<String>,
) -> Result<()> {
    app.login_throttle.begin(account, address, app.clock.now())?;
    let turn = app.passwords.turn().await?;
    app.login_throttle.check_address(address, app.clock.now())?;
    let checked = turn.verify(password, hash).await;
    match &checked {
        Ok(()) => app.login_throttle.succeeded(account),
        Err(error) if error.code == Code::InvalidCredentials => {
            app.login_throttle.failed(address, app.clock.now());
            tracing::info!(role = %account.role, "a login was wrong");
        }
        Err(_) => {}
    }
    checked
}
