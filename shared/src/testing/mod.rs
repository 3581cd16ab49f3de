//! What tests are written in: an app on a database of its own, a client, and builders for what a test is given.
//!
//! A test talks to the routes without a port. Its clock stands still until the test moves it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, reason = "a test that fails, panics")]

mod client;
mod contract;
mod database;
mod fixtures;
mod rabbitmq;
mod redis;
mod s3;
mod sqs;
mod way;
mod worlds;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::middleware::from_fn;
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::Notify;

use crate::app::{App, Parts};
use crate::auth::keys::{self, NewKeys};
use crate::auth::passwords::Passwords;
use crate::auth::tokens::Tokens;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{self, PoolSize};
use crate::domain::Timestamp;
use crate::events::bus::Bus;
use crate::events::feed::{Feed, RedisFeed};
use crate::events::publisher::Publisher;
use crate::events::relay::Relay;
use crate::http::{Routes, layers};
use crate::telemetry::metrics::Metrics;
use crate::testing::contract::Contract;

pub use self::rabbitmq::TestRabbitMq;
pub use self::redis::{HeldRedis, TestRedis};
pub use self::s3::TestBuckets;
pub use self::sqs::TestQueue;
pub use self::way::{Way, detour};
pub use client::{TestRequest, TestResponse};
pub use contract::{check_event, check_sample};
pub use database::TestDatabase;
pub use fixtures::{TestAdmin, TestStore, TestTable};

pub use crate::in_both_worlds;

/// The password of every account a builder makes.
pub const PASSWORD: &str = "pass1234";

/// A clock that stands still, unless it is told to step.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<Mutex<Hands>>);

#[derive(Debug)]
struct Hands {
    now: Timestamp,
    step: TimeDelta,
}

impl TestClock {
    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        let mut hands = self.0.lock().unwrap();
        hands.now = hands.now + hands.step;
        hands.now
    }

    /// From now on, move on by this much whenever somebody looks.
    pub fn step(&self, by: TimeDelta) {
        self.0.lock().unwrap().step = by;
    }

    /// Move it on.
    pub fn advance(&self, by: TimeDelta) {
        let mut hands = self.0.lock().unwrap();
        hands.now = hands.now + by;
    }

    /// Set it to an RFC 3339 time.
    pub fn set(&self, time: &str) {
        self.0.lock().unwrap().now = moment(time);
    }
}

/// An RFC 3339 time as a moment.
pub fn moment(time: &str) -> Timestamp {
    serde_json::from_value(time.into()).unwrap()
}

/// An app for one test.
pub struct TestApp {
    /// The parts, for tests that look below HTTP.
    pub app: App,
    /// Its clock: noon of 9 February 2026 in Seoul.
    pub clock: TestClock,
    /// Its feed.
    pub feed: Feed,
    router: Router,
    contract: Arc<Contract>,
    relay: Relay,
    options: Options,
    // Dropped last: the database goes when nobody uses it any more.
    database: Arc<TestDatabase>,
}

/// What a test may want otherwise.
#[derive(Clone, Debug)]
pub struct Options {
    /// Variables set in the environment.
    pub variables: HashMap<&'static str, String>,
    /// Connections to the database.
    pub connections: u32,
    /// What `/metrics` tells.
    pub metrics: Metrics,
    /// Where cache, limits, tickets and the feed are kept; without it in the app itself.
    pub redis: Option<Arc<TestRedis>>,
    /// Tells the relay of new events.
    pub bus: Bus,
    /// Where pictures are.
    pub buckets: TestBuckets,
}

impl Default for Options {
    /// Limits that no test meets by accident.
    fn default() -> Self {
        Self {
            variables: HashMap::from([("RATE_LIMIT_PER_MINUTE", "1000000".to_owned())]),
            connections: 8,
            metrics: Metrics::off(),
            redis: None,
            bus: Bus::Local(Arc::new(Notify::new())),
            buckets: TestBuckets::out_of_reach(),
        }
    }
}

impl Options {
    /// With everything in the one process.
    pub async fn in_process() -> Self {
        Self::default()
    }

    /// The same on a Redis of its own, as processes share one.
    pub async fn on_redis() -> Self {
        Self { redis: Some(Arc::new(TestRedis::create().await)), ..Self::default() }
    }

    /// The same with this variable set.
    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.to_owned());
        self
    }
}

impl TestApp {
    /// An app with these routes on a database of its own.
    pub async fn start(routes: Routes) -> Self {
        Self::start_with(Options::default(), |_, _| routes).await
    }

    /// The same with other options, and routes that may need the app's parts.
    pub async fn start_with(options: Options, routes: impl FnOnce(&App, &Feed) -> Routes) -> Self {
        let database = Arc::new(TestDatabase::create().await);
        let clock =
            TestClock(Arc::new(Mutex::new(Hands { now: moment("2026-02-09T03:00:00.000Z"), step: TimeDelta::zero() })));
        Self::assemble(options, database, clock, routes)
    }

    /// Another process beside this one: on the same database, Redis and clock.
    pub fn another(&self, routes: impl FnOnce(&App, &Feed) -> Routes) -> Self {
        Self::assemble(self.options.clone(), self.database.clone(), self.clock.clone(), routes)
    }

    fn assemble(
        options: Options,
        database: Arc<TestDatabase>,
        clock: TestClock,
        routes: impl FnOnce(&App, &Feed) -> Routes,
    ) -> Self {
        let variables = options.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let test = [("APP_ENV".to_owned(), "test".to_owned())];
        let config = Config::read(&test.into_iter().chain(variables).collect()).unwrap();
        let pool = db::connect(database.options(), PoolSize { most: options.connections, ..PoolSize::local() });
        let redis = options.redis.as_ref().map(|redis| redis.connect());
        let feed = redis.clone().map_or_else(|| Feed::local("test"), |redis| Feed::Redis(RedisFeed::new(redis)));
        let hands = clock.clone();
        let keys = test_keys();
        let published = keys::read_public_pems(&keys.public_pem).unwrap();
        let tokens = Tokens::new(published, Some(keys.private_pem.expose_secret())).unwrap();
        let app = App::new(Parts {
            clock: Clock::from_fn(move || hands.now()),
            passwords: Passwords::new(4),
            bus: options.bus.clone(),
            storage: Some(options.buckets.0.clone()),
            metrics: options.metrics.clone(),
            ..Parts::new(config, tokens, pool.clone(), redis)
        });
        let publisher = Publisher::Local { feed: feed.clone(), cache: app.cache.clone() };
        let relay = Relay { db: pool, publisher, clock: app.clock.clone() };
        let routes = routes(&app, &feed);
        let contract = Contract::of(&routes.openapi());
        let router = layers::service(routes, app.clone()).layer(from_fn(contract::remember_path));
        Self { app, clock, feed, router, contract, relay, options, database }
    }

    /// The database.
    pub fn db(&self) -> &PgPool {
        &self.app.db
    }

    /// Publish what waits in the outbox. Returns how many events were published.
    pub async fn drain(&self) -> usize {
        self.relay.drain().await.unwrap()
    }

    /// The whole service, as a process would serve it.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// The database's URL, for another process.
    pub fn database_url(&self) -> String {
        self.database.url()
    }

    /// The URL of the Redis that it is on, for another process.
    pub fn redis_url(&self) -> String {
        self.options.redis.as_ref().unwrap().url()
    }

    /// Put the database out of reach of new and old connections.
    pub async fn cut_off_database(&self) {
        self.database.cut_off().await;
    }

    /// Put the database back.
    pub async fn restore_database(&self) {
        self.database.restore().await;
    }
}

/// Keys made once for all tests of a process.
pub fn test_keys() -> &'static NewKeys {
    static KEYS: OnceLock<NewKeys> = OnceLock::new();
    KEYS.get_or_init(|| keys::generate().unwrap())
}

/// The payloads in the outbox, in the order they were written.
pub async fn outbox(app: &TestApp) -> Vec<Value> {
    let payloads: Vec<String> =
        sqlx::query_scalar("select payload from outbox order by sequence").fetch_all(app.db()).await.unwrap();
    payloads.iter().map(|payload| serde_json::from_str(payload).unwrap()).collect()
}

/// How many rows a table has.
pub async fn count(app: &TestApp, table: &'static str) -> i64 {
    let sql = AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(sql).fetch_one(app.db()).await.unwrap()
}
