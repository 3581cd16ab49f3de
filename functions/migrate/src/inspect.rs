//! A look into a database, to see that a restored one holds what it should.

use serde_json::Value;
use shared::clock::Clock;
use shared::config::Config;
use shared::db::login::Login;
use shared::db::{self, PoolSize, inspection};
use shared::{Error, Result};

/// How much there is, and how new: of the database in service, or of the one at the event's `host`, such as one that was
/// restored beside it. The service's role is let in there, by IAM; a restored owner has the password of its time.
pub(crate) async fn inspect(config: &Config, event: &Value) -> Result<Value> {
    let [database_url] = config.required(["DATABASE_URL"]).map_err(Error::internal)?;
    let mut options = db::connect_options(database_url)?;
    if let Some(host) = event.get("host").and_then(Value::as_str) {
        let [role] = config.required(["SERVICE_ROLE"]).map_err(Error::internal)?;
        options = options.host(host).username(role);
    }
    let pool = db::connect(options, PoolSize::EVENT_FUNCTION);
    if event.get("host").is_some() {
        Login::iam(&pool, &Clock::system()).renew().await?;
    }
    let found = inspection::inspect(&pool).await?;
    pool.close().await;
    Ok(serde_json::to_value(found)?)
}
