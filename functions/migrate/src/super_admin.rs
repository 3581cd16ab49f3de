//! The first super admin, who makes all other accounts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use shared::auth::passwords::{COST, Passwords};
use shared::aws::{secrets_manager, unavailable};
use shared::clock::{self, Clock};
use shared::config::Config;
use shared::db::admins::{self, NewAdmin};
use shared::domain::account::AdminRole;
use shared::{Error, Result, db};
use sqlx::{Connection, PgConnection};

/// What the first super admin is called when the event does not say.
const USERNAME: &str = "superadmin";

/// Add the first super admin, under the event's `username`. The password is made here and left in the secret alone: the answer
/// says where it is.
///
/// # Errors
/// When there is a super admin already.
pub(crate) async fn create(config: &Config, event: &Value) -> Result<Value> {
    let [database_url, secret] = config.required(["DATABASE_URL", "SUPER_ADMIN_SECRET"]).map_err(Error::internal)?;
    let username = event.get("username").and_then(Value::as_str).unwrap_or(USERNAME);
    let password = URL_SAFE_NO_PAD.encode(clock::random::<18>());
    let password_hash = Passwords::new(COST).hash(password.clone()).await?;

    let mut connection = PgConnection::connect_with(&db::connect_options(database_url)?).await?;
    let mut tx = connection.begin().await?;
    if !admins::lock_active_super_admins(&mut tx).await?.is_empty() {
        return Err(Error::internal("there is a super admin already, who can make others"));
    }
    let new = NewAdmin { store_id: None, username, password_hash: &password_hash, role: AdminRole::SuperAdmin };
    admins::create(&mut tx, new, Clock::system().now()).await?;
    // Before the commit: an account whose password nobody knows would be in the way of another try.
    let value = json!({ "username": username, "password": password }).to_string();
    let putting = secrets_manager().await.put_secret_value().secret_id(secret).secret_string(value);
    putting.send().await.map_err(unavailable)?;
    tx.commit().await?;
    connection.close().await?;
    Ok(json!({ "username": username, "secret": secret }))
}
