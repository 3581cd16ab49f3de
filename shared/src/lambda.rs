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

/// An app that connects to PostgreSQL when it is first needed.
///
/// No environment sees what another counts or caches: each limits by itself, nothing is cached, and stream tickets, which
/// another process would have to read, are refused.
fn app(config: Config, sign: bool) -> Result<App, lambda_http::Error> {
    let url = config.database_url.as_ref().ok_or("DATABASE_URL is missing")?.expose_secret();
    let db = db::connect(db::connect_options(url)?, PoolSize::LAMBDA);
    Ok(App::new(Parts {
        clock: Clock::system(),
        db,
        tokens: Tokens::from_config(&config, sign)?,
        passwords: Passwords::new(passwords::COST),
        owners: Owners::default(),
        limiter: Limiter::new(config.rate_limit_per_minute),
        login_throttle: LoginThrottle::default(),
        tickets: Tickets::Unavailable,
        cache: Cache::Off,
        bus: Bus::Off,
        health: HealthCheck::default(),
        metrics: Metrics::off(),
        config,
    }))
}
