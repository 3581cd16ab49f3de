//! The relay: drains the outbox into RabbitMQ, when a nudge from SQS wakes it and every minute.

use metrics::gauge;
use serde_json::{Value, json};
use shared::Result;
use shared::clock::Clock;
use shared::config::Config;
use shared::db::login::Login;
use shared::db::{self, PoolSize, broker_contact, housekeeping, outbox};
use shared::environment;
use shared::events::publisher::{Publisher, RabbitMq};
use shared::events::relay::Relay;
use shared::lambda;
use shared::telemetry::metrics::{
    DEAD_LETTER_MESSAGES, OUTBOX_OLDEST_SECONDS, QUEUE_MESSAGES, QUEUES_WITHOUT_CONSUMER,
};

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 3] = [environment::EVERYWHERE, environment::DATABASE, &["RABBITMQ_URL"]];

/// Handles what wakes the relay.
#[derive(Debug)]
pub struct Handler {
    relay: Relay,
    login: Login,
}

impl Handler {
    /// A relay between the database and the broker that the configuration names. It connects when it is first needed.
    ///
    /// # Errors
    /// When one of them is not named.
    pub fn new(config: &Config) -> std::result::Result<Self, lambda::Error> {
        let [database_url, rabbitmq_url] = config.required(["DATABASE_URL", "RABBITMQ_URL"])?;
        let (db, clock) = (db::connect(db::connect_options(database_url)?, PoolSize::EVENT_FUNCTION), Clock::system());
        let login = Login::new(config, &db, &clock);
        let publisher = Publisher::RabbitMq(Box::new(RabbitMq::new(rabbitmq_url.into())));
        Ok(Self { relay: Relay { db, publisher, clock }, login })
    }

    /// Publish what waits. Whatever wakes the relay but nudges is its schedule, which looks after everything else, too.
    ///
    /// Nothing in the event counts but that it came from SQS: whatever a nudge says, the outbox knows better.
    pub async fn handle(&self, event: &Value) -> Result<Value> {
        let answer = self.answer(event).await;
        // The outbox's lock goes with its transaction. With the answer the environment may be frozen.
        db::at_rest(&self.relay.db, db::CLOSING).await;
        answer
    }

    async fn answer(&self, event: &Value) -> Result<Value> {
        self.login.renew().await?;
        if event.get("Records").is_some() {
            let published = self.relay.drain().await?;
            return Ok(json!({ "published": published }));
        }
        // One that fails must not keep the others from being done.
        let reached = self.reach_broker().await;
        let published = self.relay.drain().await;
        let removed = housekeeping::run(&self.relay.db, self.relay.clock.now()).await;
        self.measure().await;
        reached?;
        Ok(json!({ "published": published?, "removed": removed? }))
    }

    /// See that the broker is there, note it for `/health`, and tell what stands in its queues.
    async fn reach_broker(&self) -> Result<()> {
        let now = self.relay.clock.now();
        self.relay.publisher.check(now).await?;
        if let Some(queues) = self.relay.publisher.queues(now).await? {
            gauge!(QUEUE_MESSAGES).set(f64::from(queues.messages));
            gauge!(QUEUES_WITHOUT_CONSUMER).set(f64::from(queues.without_consumer));
            gauge!(DEAD_LETTER_MESSAGES).set(f64::from(queues.dead_letters));
        }
        broker_contact::record(&self.relay.db, now).await
    }

    /// Tell how long the oldest event has waited, now that what could be published is.
    async fn measure(&self) {
        // A database that is away is told by everything else.
        if let Ok(age) = outbox::oldest_age(&self.relay.db, self.relay.clock.now()).await {
            gauge!(OUTBOX_OLDEST_SECONDS).set(age.as_secs_f64());
        }
    }

    /// Close what is open.
    pub async fn close(&self) {
        tokio::join!(self.relay.publisher.close(), self.relay.db.close());
    }
}
