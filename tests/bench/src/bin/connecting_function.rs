//! The floor of a first answer that needs servers: a Lambda function that connects to those that its environment names, asks each
//! of them one question, and does nothing else.

use std::env::var;

use lambda_http::Error;
use lambda_http::lambda_runtime::{LambdaEvent, run, service_fn};
use lapin::options::ConfirmSelectOptions;
use lapin::{Connection, ConnectionProperties};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: LambdaEvent<Value>| {
        connect().await?;
        Ok::<_, Error>(json!({ "statusCode": 200 }))
    }))
    .await
}

/// What was connected stays so: to close it would be a step more.
async fn connect() -> Result<(), Error> {
    if let Ok(url) = var("DATABASE_URL") {
        let mut postgres = PgConnection::connect(&url).await?;
        sqlx::query("select 1").execute(&mut postgres).await?;
        std::mem::forget(postgres);
    }
    if let Ok(url) = var("REDIS_URL") {
        let mut redis = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
        redis::cmd("PING").exec_async(&mut redis).await?;
        std::mem::forget(redis);
    }
    if let Ok(url) = var("RABBITMQ_URL") {
        let rabbitmq = Connection::connect(&url, ConnectionProperties::default()).await?;
        rabbitmq.create_channel().await?.confirm_select(ConfirmSelectOptions::default()).await?;
        std::mem::forget(rabbitmq);
    }
    Ok(())
}
