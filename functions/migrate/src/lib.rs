//! A deployment's first step: brings the database and the broker up to date, from inside the network that they are in. Doing so
//! twice changes nothing.
//!
//! It also does what nobody but the owner of the tables and the keys may: makes the key that signs tokens and the ones that
//! follow it, and the first super admin. What is asked for stands in the event's `task`.

mod inspect;
mod keys;
mod super_admin;

use serde_json::{Value, json};
use shared::config::Config;
use shared::db::{self, MIGRATIONS, service_role};
use shared::environment;
use shared::events::topology;
use shared::rabbitmq::{self, in_time};
use shared::{Error, Result};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 2] = [
    environment::EVERYWHERE,
    &["DATABASE_URL", "RABBITMQ_URL", "SERVICE_ROLE", "SIGNING_KEY_SECRET", "SUPER_ADMIN_SECRET"],
];

/// Do what the event asks for.
///
/// # Errors
/// When it cannot be done; nothing has changed then that doing it again would not make good.
pub async fn handle(config: &Config, event: &Value) -> Result<Value> {
    let secret = || config.required(["SIGNING_KEY_SECRET"]).map(|[secret]| secret).map_err(Error::internal);
    match event.get("task").and_then(Value::as_str) {
        None => migrate(config).await,
        Some("prepare_key") => keys::prepare(secret()?).await,
        Some("promote_key") => keys::promote(secret()?).await,
        Some("retire_key") => keys::retire(secret()?).await,
        Some("inspect") => inspect::inspect(config, event).await,
        Some("create_super_admin") => super_admin::create(config, event).await,
        Some(other) => Err(Error::internal(format!("there is no task {other}"))),
    }
}

/// Apply the migrations that are missing, declare what RabbitMQ needs, let the service's role in, and see that there is a key
/// to sign with.
pub async fn migrate(config: &Config) -> Result<Value> {
    let [database_url, rabbitmq_url] = config.required(["DATABASE_URL", "RABBITMQ_URL"]).map_err(Error::internal)?;
    // A migration may take longer than any request.
    let options = db::connect_options(database_url)?.options([("statement_timeout", "0")]);
    let mut connection = PgConnection::connect_with(&options).await?;
    // A version that was gone back to does not know the last migrations, which suit it all the same.
    let mut migrations = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrations.set_ignore_missing(true).run(&mut connection).await.map_err(Error::internal)?;
    let migration = db::last_migration(&mut connection).await?;
    if let Some(role) = &config.service_role {
        let mut tx = connection.begin().await?;
        service_role::let_in(&mut tx, role).await?;
        tx.commit().await?;
    }
    connection.close().await?;

    let broker = rabbitmq::connect(&rabbitmq_url.into(), "table-order migrate").await?;
    let channel = in_time(broker.create_channel()).await?;
    in_time(topology::declare(&channel)).await?;
    in_time(broker.close(200, "done".into())).await?;

    let public_keys = match &config.signing_key_secret {
        Some(secret) => Some(keys::published(secret).await?),
        None => None,
    };
    Ok(json!({ "migration": migration, "public_keys": public_keys }))
}
