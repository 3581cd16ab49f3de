//! RabbitMQ for one test at a time, on the server that `with-services` started: what the service declares there has fixed
//! names.

use std::env;
use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicGetOptions, ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use crate::domain::event::EventType;
use crate::events::topology::{self, ALL_ORDER_EVENTS, DEAD_LETTER_EXCHANGE, EXCHANGE};
use crate::rabbitmq;

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// RabbitMQ as if it were new. Other tests of the process wait.
#[derive(Debug)]
pub struct TestRabbitMq {
    url: SecretString,
    /// A channel to it.
    pub channel: Channel,
    _connection: Connection,
    _alone: MutexGuard<'static, ()>,
}

impl TestRabbitMq {
    /// Wait for it to be free, and clear it.
    pub async fn create() -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let url = SecretString::from(env::var("RABBITMQ_URL").expect("tests need RabbitMQ: run `make test`"));
        let connection = rabbitmq::connect(&url, "test").await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let queues = EventType::ALL.iter().map(|event_type| event_type.queue());
        for queue in queues.chain([ALL_ORDER_EVENTS]) {
            for queue in [queue.to_owned(), topology::dead_letter_queue(queue)] {
                channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
            }
        }
        for exchange in [EXCHANGE, DEAD_LETTER_EXCHANGE] {
            channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await.unwrap();
        }
        Self { url, channel, _connection: connection, _alone: alone }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        self.url.expose_secret()
    }

    /// Declare what the service needs.
    pub async fn declare(&self) {
        topology::declare(&self.channel).await.unwrap();
    }

    /// Take the binding of a queue away.
    pub async fn unbind(&self, event_type: EventType) {
        let (queue, key) = (event_type.queue().into(), event_type.routing_key().into());
        self.channel.queue_unbind(queue, EXCHANGE.into(), key, FieldTable::default()).await.unwrap();
    }

    /// Delete a queue.
    pub async fn delete(&self, queue: &str) {
        self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// The next message of a queue, if there is one. It comes back unless it is acknowledged.
    pub async fn get(&self, queue: &str) -> Option<Delivery> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap();
        got.map(|got| got.delivery)
    }

    /// The next message of a queue, as soon as there is one. It comes back unless it is acknowledged.
    pub async fn next(&self, queue: &str, patience: Duration) -> Delivery {
        let waiting = async {
            loop {
                if let Some(delivery) = self.get(queue).await {
                    return delivery;
                }
            }
        };
        timeout(patience, waiting).await.unwrap_or_else(|_| panic!("nothing comes into {queue}"))
    }

    /// Wait until a queue has something.
    pub async fn until_there(&self, queue: &str, patience: Duration) {
        self.until(queue, patience, |messages| messages > 0).await;
    }

    /// Wait until nothing waits in a queue.
    pub async fn until_empty(&self, queue: &str, patience: Duration) {
        self.until(queue, patience, |messages| messages == 0).await;
    }

    async fn until(&self, queue: &str, patience: Duration, enough: impl Fn(u32) -> bool) {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let waiting = async {
            loop {
                let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
                if enough(declared.message_count()) {
                    return;
                }
            }
        };
        timeout(patience, waiting).await.unwrap_or_else(|_| panic!("{queue} does not change"));
    }

    /// Everything in a queue, taken out of it.
    pub async fn take(&self, queue: &str) -> Vec<Delivery> {
        let options = BasicGetOptions { no_ack: true };
        let mut deliveries = Vec::new();
        while let Some(got) = self.channel.basic_get(queue.into(), options).await.unwrap() {
            deliveries.push(got.delivery);
        }
        deliveries
    }
}
