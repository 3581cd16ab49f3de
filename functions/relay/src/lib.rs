//! The relay: drains the outbox into RabbitMQ, when a nudge from SQS wakes it and every minute.

use serde_json::{Value, json};
use shared::Result;
use shared::clock::Clock;
use shared::config::Config;
use shared::db::{self, PoolSize, broker_contact, housekeeping};
use shared::events::publisher::{Publisher, RabbitMq};
use shared::events::relay::Relay;
use shared::lambda;

/// Handles what wakes the relay.
#[derive(Debug)]
pub struct Handler(Relay);

impl Handler {
    /// A relay between the database and the broker that the configuration names. It connects when it is first needed.
    ///
    /// # Errors
    /// When one of them is not named.
    pub fn new(config: &Config) -> std::result::Result<Self, lambda::Error> {
        let [database_url, rabbitmq_url] = config.required(["DATABASE_URL", "RABBITMQ_URL"])?;
        Ok(Self(Relay {
            db: db::connect(db::connect_options(database_url)?, PoolSize::LAMBDA),
            publisher: Publisher::RabbitMq(Box::new(RabbitMq::new(rabbitmq_url.into()))),
            clock: Clock::system(),
        }))
    }

    /// Publish what waits. Whatever wakes the relay but nudges is its schedule, which looks after everything else, too.
    ///
    /// Nothing in the event counts but that it came from SQS: whatever a nudge says, the outbox knows better.
    pub async fn handle(&self, event: &Value) -> Result<Value> {
        let answer = self.answer(event).await;
        // The outbox's lock goes with its transaction. With the answer the environment may be frozen.
        db::at_rest(&self.0.db).await;
        answer
    }

    async fn answer(&self, event: &Value) -> Result<Value> {
        if event.get("Records").is_some() {
            let published = self.0.drain().await?;
            return Ok(json!({ "published": published }));
        }
        // One that fails must not keep the others from being done.
        let reached = self.reach_broker().await;
        let published = self.0.drain().await;
        let removed = housekeeping::run(&self.0.db, self.0.clock.now()).await;
        reached?;
        Ok(json!({ "published": published?, "removed": removed? }))
    }

    /// See that the broker is there, and note it for `/health`.
    async fn reach_broker(&self) -> Result<()> {
        let now = self.0.clock.now();
        self.0.publisher.check(now).await?;
        broker_contact::record(&self.0.db, now).await
    }

    /// Close what is open.
    pub async fn close(&self) {
        tokio::join!(self.0.publisher.close(), self.0.db.close());
    }
}
