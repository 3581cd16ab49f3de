//! What every handler works with.

use std::ops::Deref;
use std::sync::Arc;

use sqlx::PgPool;

use crate::auth::login_throttle::LoginThrottle;
use crate::auth::owners::Owners;
use crate::auth::passwords::Passwords;
use crate::auth::tickets::Tickets;
use crate::auth::tokens::Tokens;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::events::bus::Bus;
use crate::health::HealthCheck;
use crate::limiter::Limiter;
use crate::redis::Redis;
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
    /// Answers `/health`.
    pub health: HealthCheck,
    /// What has been counted and measured.
    pub metrics: Metrics,
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
