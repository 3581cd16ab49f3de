//! Runs a function under AWS Lambda: the routes of an HTTP function, or the handler of one that takes events.
//!
//! What a function is not given, though it needs it, stops it at the start. It connects to nothing before its first request.

use lambda_runtime::{LambdaEvent, service_fn, spawn_graceful_shutdown_handler};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;

use crate::app::{App, Parts};
use crate::auth::login_throttle::LoginThrottle;
use crate::auth::owners::Owners;
use crate::auth::passwords::{self, Passwords};
use crate::auth::tickets::Tickets;
use crate::auth::tokens::Tokens;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::db::{self, PoolSize};
use crate::events::bus::Bus;
use crate::health::HealthCheck;
use crate::http::{Routes, layers};
use crate::limiter::Limiter;
use crate::redis::{Patience, Redis};
use crate::telemetry;
use crate::telemetry::metrics::Metrics;

/// What Lambda and its runtime may say.
pub type Error = lambda_runtime::Error;

/// What a function does besides reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Nothing,
    /// It signs tokens: it alone reads the private key.
    Sign,
    /// It changes what screens show: it tells the relay.
    Change,
}

/// Serve a function's routes until Lambda stops the process.
pub async fn serve(routes: fn() -> Routes) -> Result<(), Error> {
    run_http(routes, Does::Nothing).await
}

/// Serve the routes of `auth`, which alone reads the key that signs tokens.
pub async fn serve_signing(routes: fn() -> Routes) -> Result<(), Error> {
    run_http(routes, Does::Sign).await
}

/// Serve the routes of a function whose changes make events.
pub async fn serve_changing(routes: fn() -> Routes) -> Result<(), Error> {
    run_http(routes, Does::Change).await
}

async fn run_http(routes: fn() -> Routes, does: Does) -> Result<(), Error> {
    let config = start()?;
    let app = app(config, does)?;
    let db = app.db.clone();
    spawn_graceful_shutdown_handler(async move || db.close().await).await;
    lambda_http::run(layers::service(routes(), app)).await
}

/// Hand every event to `handle` until Lambda stops the process; then `close` what is open.
///
/// An error is told to whoever sent the event, which for a queue means: send it again.
pub async fn run<T: Serialize>(
    handle: impl AsyncFn(Value) -> crate::Result<T>,
    close: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    spawn_graceful_shutdown_handler(|| close).await;
    let handle = &handle;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        handle(event.payload).await.map_err(|error| {
            tracing::error!(exception = %error, "the event was not handled");
            Error::from(error)
        })
    }))
    .await
}

/// The configuration, with logs going where it says.
pub fn start() -> Result<Config, Error> {
    let config = Config::from_env()?;
    telemetry::init(&config)?;
    Ok(config)
}

/// PostgreSQL, as an environment of Lambda uses it.
pub fn database(url: &SecretString) -> Result<PgPool, Error> {
    Ok(db::connect(db::connect_options(url.expose_secret())?, PoolSize::LAMBDA))
}

/// An app that connects to PostgreSQL and Redis when they are first needed.
fn app(config: Config, does: Does) -> Result<App, Error> {
    let changes = does == Does::Change;
    let (Some(database_url), Some(redis_url), true) =
        (&config.database_url, &config.redis_url, !changes || config.nudge_queue_url.is_some())
    else {
        return Err(ConfigError::missing(&[
            ("DATABASE_URL", config.database_url.is_some()),
            ("REDIS_URL", config.redis_url.is_some()),
            ("NUDGE_QUEUE_URL", !changes || config.nudge_queue_url.is_some()),
        ])
        .into());
    };
    let redis = Redis::open(redis_url, Patience::REQUEST)?;
    Ok(App::new(Parts {
        clock: Clock::system(),
        db: database(database_url)?,
        tokens: Tokens::from_config(&config, does == Does::Sign)?,
        passwords: Passwords::new(passwords::COST),
        owners: Owners::default(),
        limiter: Limiter::new(config.rate_limit_per_minute, Some(redis.clone())),
        login_throttle: LoginThrottle::new(Some(redis.clone())),
        tickets: Tickets::Redis(redis.clone()),
        cache: Cache::Redis(redis.clone()),
        bus: config.nudge_queue_url.clone().filter(|_| changes).map_or(Bus::Off, Bus::sqs),
        health: HealthCheck::default(),
        redis: Some(redis),
        metrics: Metrics::off(),
        config,
    }))
}
