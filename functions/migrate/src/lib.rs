//! A deployment's first step: brings the database and the broker up to date. Doing so twice changes nothing.

use serde_json::{Value, json};
use shared::config::{Config, ConfigError};
use shared::db::{self, MIGRATIONS};
use shared::events::topology;
use shared::rabbitmq::{self, in_time};
use shared::{Error, Result};
use sqlx::{Connection, PgConnection};

/// What it must be given.
const URLS: [&str; 2] = ["DATABASE_URL", "RABBITMQ_URL"];

/// Whether the database and the broker are named.
pub fn check(config: &Config) -> std::result::Result<(), ConfigError> {
    config.required(URLS).map(drop)
}

/// Apply the migrations that are missing, and declare what RabbitMQ needs.
pub async fn migrate(config: &Config) -> Result<Value> {
    let [database_url, rabbitmq_url] = config.required(URLS).map_err(Error::internal)?;
    // A migration may take longer than any request.
    let options = db::connect_options(database_url)?.options([("statement_timeout", "0")]);
    let mut connection = PgConnection::connect_with(&options).await?;
    MIGRATIONS.run(&mut connection).await.map_err(Error::internal)?;
    let migration = db::last_migration(&mut connection).await?;
    connection.close().await?;

    let broker = rabbitmq::connect(&rabbitmq_url.into(), "table-order migrate").await?;
    let channel = in_time(broker.create_channel()).await?;
    in_time(topology::declare(&channel)).await?;
    in_time(broker.close(200, "done".into())).await?;
    Ok(json!({ "migration": migration }))
}
