//! Whether everything the service needs is there.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::App;
use crate::db::{self, broker_contact};
use crate::domain::Timestamp;
use crate::events::bus::Bus;

/// What a check says when all is well.
const OK: &str = "ok";
/// What a check says of a part that lives in this process.
const IN_PROCESS: &str = "in_process";
/// What a check says that took too long.
const LATE: &str = "no answer within 1 s";
/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the relay's last contact with RabbitMQ speaks for it: two of its rounds may fail.
const CONTACT: TimeDelta = TimeDelta::seconds(150);
/// How long an answer is good for.
const LIFE: TimeDelta = TimeDelta::seconds(5);

/// What `/health` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok` or `degraded`.
    #[schema(pattern = "^(ok|degraded)$", examples("ok"))]
    pub status: String,
    /// Each `ok`, `in_process`, or what is wrong.
    pub checks: Checks,
}

/// What `/health` looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checks {
    /// PostgreSQL.
    #[schema(examples("ok"))]
    pub database: String,
    /// Cache, limits and tickets.
    #[schema(examples("ok"))]
    pub redis: String,
    /// The way of the events.
    #[schema(examples("ok"))]
    pub rabbitmq: String,
}

impl Health {
    /// Whether everything is there.
    pub fn is_ok(&self) -> bool {
        self.status == OK
    }
}

/// Checks, and remembers the answer, so that whoever asks often does not load what is checked.
#[derive(Debug, Default)]
pub struct HealthCheck(Mutex<Option<(Timestamp, Health)>>);

impl HealthCheck {
    /// The answer, at most 5 s old. Whoever asks while it is being found out waits for it and does not ask again.
    pub async fn check(&self, app: &App) -> Health {
        let mut last = self.0.lock().await;
        let now = app.clock.now();
        if let Some((checked_at, health)) = &*last
            && now < *checked_at + LIFE
        {
            return health.clone();
        }
        let (database, redis, rabbitmq) = tokio::join!(database(app), redis(app), rabbitmq(app, now));
        let good = [database, redis, rabbitmq].iter().all(|check| [OK, IN_PROCESS].contains(check));
        let health = Health {
            status: if good { OK } else { "degraded" }.to_owned(),
            checks: Checks { database: database.to_owned(), redis: redis.to_owned(), rabbitmq: rabbitmq.to_owned() },
        };
        *last = Some((now, health.clone()));
        health
    }
}

// The reasons name neither address nor credential.

async fn database(app: &App) -> &'static str {
    match timeout(PATIENCE, db::ping(&app.db)).await {
        Ok(Ok(_)) => OK,
        Ok(Err(error)) => {
            tracing::warn!(exception = %error, "the database does not answer");
            "unreachable"
        }
        Err(_) => LATE,
    }
}

async fn redis(app: &App) -> &'static str {
    let Some(redis) = &app.redis else { return IN_PROCESS };
    match timeout(PATIENCE, redis.ping()).await {
        Ok(Ok(())) => OK,
        Ok(Err(error)) => {
            tracing::warn!(exception = %error, "Redis does not answer");
            "unreachable"
        }
        Err(_) => LATE,
    }
}

/// What the relay last saw: this may be asked by anybody, and must not open a connection to the broker.
async fn rabbitmq(app: &App, now: Timestamp) -> &'static str {
    if let Bus::Local(_) = app.bus {
        return IN_PROCESS;
    }
    match timeout(PATIENCE, broker_contact::last(&app.db)).await {
        Ok(Ok(Some(reached_at))) if now < reached_at + CONTACT => OK,
        Ok(Ok(Some(_))) => "not reached for 150 s",
        Ok(Ok(None)) => "never reached",
        Ok(Err(_)) | Err(_) => "not known without the database",
    }
}
