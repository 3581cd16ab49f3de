//! What every handler works with.

use std::error::Error;
use std::ops::Deref;
use std::sync::Arc;

use sqlx::PgPool;

use crate::auth::login_throttle::LoginThrottle;
use crate::auth::owners::Owners;
use crate::auth::passwords::{self, Passwords};
use crate::auth::tickets::{LocalTickets, Tickets};
use crate::auth::tokens::Tokens;
use crate::cache::{Cache, LocalCache};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{self, PoolSize};
use crate::events::bus::Bus;
use crate::health::HealthCheck;
use crate::limiter::Limiter;
use crate::redis::{Patience, Redis};
use crate::storage::Storage;
use crate::telemetry::metrics::Metrics;

/// The parts, shared by all requests of a process.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Tells the time.
    pub clock: Clock,
    /// PostgreSQL.
    pub db: PgPool,
    /// Redis; without it everything it would keep is in this process.
    pub redis: Option<Redis>,
    /// Checks and, in `auth`, signs tokens.
    pub tokens: Tokens,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// Checks that tokens' owners still stand.
    pub owners: Owners,
    /// Limits requests.
    pub limiter: Limiter,
    /// Limits wrong logins.
    pub login_throttle: LoginThrottle,
    /// Stream tickets.
    pub tickets: Tickets,
    /// Bodies read more often than they change.
    pub cache: Cache,
    /// Tells the relay of new events.
    pub bus: Bus,
    /// Pictures in S3; without it none can be uploaded.
    pub storage: Option<Arc<Storage>>,
    /// Answers `/health`.
    pub health: HealthCheck,
    /// What has been counted and measured.
    pub metrics: Metrics,
}

impl Parts {
    /// The parts of a process on the system's clock that tells nobody of new events, takes no pictures and keeps no metrics.
    /// What processes share is in Redis; without it everything is in this process, which must then be the only one.
    pub fn new(config: Config, tokens: Tokens, db: PgPool, redis: Option<Redis>) -> Self {
        let (tickets, cache) = match &redis {
            Some(redis) => (Tickets::Redis(redis.clone()), Cache::Redis(redis.clone())),
            None => (Tickets::Local(LocalTickets::default()), Cache::Local(LocalCache::default())),
        };
        Self {
            clock: Clock::system(),
            db,
            tokens,
            passwords: Passwords::new(passwords::COST),
            owners: Owners::default(),
            limiter: Limiter::new(config.rate_limit_per_minute, redis.clone()),
            login_throttle: LoginThrottle::new(redis.clone()),
            tickets,
            cache,
            bus: Bus::Off,
            storage: None,
            health: HealthCheck::default(),
            redis,
            metrics: Metrics::off(),
            config,
        }
    }
}

/// PostgreSQL and Redis for a process that is one of many; each is connected to when it is first needed.
///
/// # Errors
/// When the configuration lacks one of them, or names what is no URL.
pub fn connect(config: &Config, size: PoolSize) -> Result<(PgPool, Redis), Box<dyn Error + Send + Sync>> {
    let [database_url, redis_url] = config.required(["DATABASE_URL", "REDIS_URL"])?;
    let db = db::connect(db::connect_options(database_url)?, size);
    Ok((db, Redis::open(&redis_url.into(), Patience::REQUEST)?))
}

impl App {
    /// An app of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
