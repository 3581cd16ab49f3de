//! Runs a function's routes under AWS Lambda.

use secrecy::ExposeSecret;

use crate::app::{App, Parts};
use crate::auth::login_throttle::LoginThrottle;
use crate::auth::owners::Owners;
use crate::auth::passwords::{self, Passwords};
use crate::auth::tickets::Tickets;
use crate::auth::tokens::Tokens;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{self, PoolSize};
use crate::events::relay::Bus;
use crate::health::HealthCheck;
use crate::http::{Routes, layers};
use crate::limiter::Limiter;
use crate::redis::{Patience, Redis};
use crate::telemetry;
use crate::telemetry::metrics::Metrics;

/// Serve a function's routes until Lambda stops the process.
pub async fn serve(routes: fn() -> Routes) -> Result<(), lambda_http::Error> {
    run(routes, false).await
}

/// Serve the routes of `auth`, which alone reads the key that signs tokens.
pub async fn serve_signing(routes: fn() -> Routes) -> Result<(), lambda_http::Error> {
    run(routes, true).await
}

async fn run(routes: fn() -> Routes, sign: bool) -> Result<(), lambda_http::Error> {
    let config = Config::from_env()?;
    telemetry::init(&config)?;
    lambda_http::run(layers::service(routes(), app(config, sign)?)).await
}

/// An app that connects to PostgreSQL and Redis when they are first needed.
fn app(config: Config, sign: bool) -> Result<App, lambda_http::Error> {
    let (Some(database_url), Some(redis_url)) = (&config.database_url, &config.redis_url) else {
        let wanted = [("DATABASE_URL", &config.database_url), ("REDIS_URL", &config.redis_url)];
        let missing: Vec<_> = wanted.iter().filter(|(_, url)| url.is_none()).map(|(name, _)| *name).collect();
        return Err(format!("the configuration is wrong, missing: {}", missing.join(", ")).into());
    };
    let db = db::connect(db::connect_options(database_url.expose_secret())?, PoolSize::LAMBDA);
    let redis = Redis::open(redis_url, Patience::REQUEST)?;
    Ok(App::new(Parts {
        clock: Clock::system(),
        db,
        tokens: Tokens::from_config(&config, sign)?,
        passwords: Passwords::new(passwords::COST),
        owners: Owners::default(),
        limiter: Limiter::new(config.rate_limit_per_minute, Some(redis.clone())),
        login_throttle: LoginThrottle::new(Some(redis.clone())),
        tickets: Tickets::Redis(redis.clone()),
        cache: Cache::Redis(redis.clone()),
        bus: Bus::Off,
        health: HealthCheck::default(),
        redis: Some(redis),
        metrics: Metrics::off(),
        config,
    }))
}
