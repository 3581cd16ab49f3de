//! Where the relay publishes to: RabbitMQ, or the fan-out of the same process.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream::iter;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::feed::Feed;
use super::topology::Queues;
use super::{fanout, topology};
use crate::cache::Cache;
use crate::db::outbox::WaitingRow;
use crate::domain::Timestamp;
use crate::domain::event::{Envelope, EventType};
use crate::error::{Error, Result};
use crate::rabbitmq::{self, Unavailable, in_time, within};

/// Messages on their way to RabbitMQ that it has not confirmed yet.
const IN_FLIGHT: usize = 100;
/// A connection unused for longer is taken for dead. A Lambda environment is frozen between two invocations: it sends no
/// heartbeat, and RabbitMQ hangs up.
const LONGEST_UNUSED: TimeDelta = TimeDelta::seconds(30);
/// A connection older than this is replaced: lapin remembers every binding it has made, and bindings are made again with
/// every batch ([`topology::bind_queues`]).
const LONGEST_OPEN: TimeDelta = TimeDelta::minutes(10);
/// Longest time for a batch, a new connection included. The outbox is locked meanwhile, by a transaction that PostgreSQL ends when
/// it has been idle for 10 s ([`connect_options`](crate::db::connect_options)).
const BATCH_PATIENCE: Duration = Duration::from_secs(8);
/// AMQP's code for a message that is kept on disk.
const PERSISTENT: u8 = 2;

/// What became of events.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Published, and confirmed.
    pub published: Vec<Uuid>,
    /// Cannot be published as they are.
    pub refused: Vec<Refused>,
    /// Why the others were not tried, or nobody knows what became of them.
    pub failure: Option<Error>,
}

/// An event that cannot be published as it is.
#[derive(Debug)]
pub struct Refused {
    /// Its id.
    pub id: Uuid,
    /// How often it failed before.
    pub attempts: i32,
    /// Why.
    pub error: Error,
}

impl Outcome {
    /// Whether there is nothing to note.
    pub fn is_empty(&self) -> bool {
        self.published.is_empty() && self.refused.is_empty()
    }

    fn add(&mut self, row: &WaitingRow, refusal: Option<Error>) {
        match refusal {
            None => self.published.push(row.id),
            Some(error) => self.refused.push(Refused { id: row.id, attempts: row.attempts, error }),
        }
    }
}

/// Publishes events.
#[derive(Debug)]
pub enum Publisher {
    /// The fan-out is in this process.
    Local {
        /// Where events go.
        feed: Feed,
        /// What they outdate.
        cache: Cache,
    },
    /// To RabbitMQ.
    RabbitMq(Box<RabbitMq>),
}

impl Publisher {
    /// Publish these events.
    pub async fn publish(&self, rows: &[WaitingRow], now: Timestamp) -> Outcome {
        match self {
            Self::Local { feed, cache } => publish_here(rows, feed, cache, now).await,
            Self::RabbitMq(rabbitmq) => rabbitmq.publish(rows, now).await,
        }
    }

    /// See that what is published to is there, with everything that events need.
    pub async fn check(&self, now: Timestamp) -> Result<()> {
        match self {
            Self::Local { .. } => Ok(()),
            Self::RabbitMq(rabbitmq) => rabbitmq.check(now).await,
        }
    }

    /// What stands in the queues that events go through, if they go through any.
    pub async fn queues(&self, now: Timestamp) -> Result<Option<Queues>> {
        match self {
            Self::Local { .. } => Ok(None),
            Self::RabbitMq(rabbitmq) => rabbitmq.queues(now).await.map(Some),
        }
    }

    /// Close the connection properly, if there is one.
    pub async fn close(&self) {
        if let Self::RabbitMq(rabbitmq) = self {
            rabbitmq.close().await;
        }
    }
}

async fn publish_here(rows: &[WaitingRow], feed: &Feed, cache: &Cache, now: Timestamp) -> Outcome {
    let mut outcome = Outcome::default();
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        match serde_json::from_str::<Envelope>(&row.payload) {
            Ok(event) => {
                outcome.add(row, None);
                events.push(event);
            }
            Err(error) => outcome.add(row, Some(error.into())),
        }
    }
    if let Err(error) = fanout::apply(feed, cache, &events, now).await {
        outcome.published.clear();
        outcome.failure = Some(error);
    }
    outcome
}

/// A connection to RabbitMQ, opened when it is first needed and whenever the last one is gone.
#[derive(Debug)]
pub struct RabbitMq {
    url: SecretString,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    channel: Channel,
    opened_at: Timestamp,
    used_at: Timestamp,
    // The channel ends with it.
    connection: Connection,
}

impl RabbitMq {
    /// The broker at this URL.
    pub fn new(url: SecretString) -> Self {
        Self { url, open: Mutex::default() }
    }

    async fn check(&self, now: Timestamp) -> Result<()> {
        let mut open = self.open.lock().await;
        // Declaring what is there already asks as much of the broker as anything.
        self.channel(&mut open, now, async |channel| topology::declare(channel).await).await?;
        Ok(())
    }

    async fn queues(&self, now: Timestamp) -> Result<Queues> {
        let mut open = self.open.lock().await;
        let channel = self.channel(&mut open, now, async |_| Ok(())).await?;
        Ok(in_time(topology::queues(&channel)).await?)
    }

    async fn close(&self) {
        if let Some(open) = self.open.lock().await.take() {
            // It ends with the process in any case.
            let _ = in_time(open.connection.close(200, "done".into())).await;
        }
    }

    async fn publish(&self, rows: &[WaitingRow], now: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        if rows.is_empty() {
            return outcome;
        }
        let mut open = self.open.lock().await;
        let bind = async |channel: &Channel| topology::bind_queues(channel).await;
        let until = Instant::now() + BATCH_PATIENCE;
        let channel = match within(until, self.channel(&mut open, now, bind)).await {
            Ok(channel) => channel,
            Err(unavailable) => return Outcome { failure: Some(unavailable.into()), ..outcome },
        };
        let publishing: Vec<_> = rows.iter().map(|row| publish_to(&channel, row)).collect();
        let mut answers = iter(publishing).buffered(IN_FLIGHT);
        // What a slow broker has confirmed until then counts.
        let all = within(
            until,
            in_time(async {
                while let Some((row, refusal)) = answers.next().await.transpose()? {
                    outcome.add(row, refusal.map(Error::internal));
                }
                Ok(())
            }),
        );
        if let Err(unavailable) = all.await {
            outcome.failure = Some(unavailable.into());
            *open = None;
        }
        drop(answers);
        outcome
    }

    /// A channel on a connection that can be relied on. On one that was open already the topology is made good first, in
    /// this way; a new one declares all of it.
    async fn channel(
        &self,
        open: &mut Option<Open>,
        now: Timestamp,
        make_good: impl AsyncFnOnce(&Channel) -> lapin::Result<()>,
    ) -> Result<Channel, Unavailable> {
        // It comes back only if it has answered.
        if let Some(mut known) = open.take()
            && known.channel.status().connected()
            && now < known.used_at + LONGEST_UNUSED
            && now < known.opened_at + LONGEST_OPEN
        {
            in_time(make_good(&known.channel)).await?;
            known.used_at = now;
            return Ok(open.insert(known).channel.clone());
        }
        let connection = rabbitmq::connect(&self.url, "table-order relay").await?;
        let channel = in_time(async {
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            topology::declare(&channel).await?;
            Ok(channel)
        })
        .await?;
        *open = Some(Open { channel: channel.clone(), opened_at: now, used_at: now, connection });
        Ok(channel)
    }
}

/// Publish one event. With it comes nothing once every queue that takes it has it, or the reason why none will.
async fn publish_to<'a>(channel: &Channel, row: &'a WaitingRow) -> lapin::Result<(&'a WaitingRow, Option<String>)> {
    let Some(event_type) = EventType::from_name(&row.event_type) else {
        return Ok((row, Some(format!("there is no event type {}", row.event_type))));
    };
    // A message that no queue takes is confirmed all the same; it comes back only when it is mandatory.
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default()
        .with_app_id("table-order".into())
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(row.id.to_string().into())
        .with_type(event_type.name().into());
    let (exchange, key) = (topology::EXCHANGE.into(), event_type.routing_key().into());
    let published = channel.basic_publish(exchange, key, options, row.payload.as_bytes(), properties).await?;
    let confirmation = published.await?;
    let reason = match confirmation {
        Confirmation::Ack(None) => None,
        Confirmation::Ack(Some(_)) => Some("no queue takes it".to_owned()),
        Confirmation::Nack(_) => Some("RabbitMQ could not keep it".to_owned()),
        Confirmation::NotRequested => Some("RabbitMQ was not asked to confirm it".to_owned()),
    };
    Ok((row, reason))
}
