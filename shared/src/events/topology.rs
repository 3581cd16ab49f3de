//! What there is in RabbitMQ: derived from the list of event types.
//!
//! A queue's arguments cannot be changed once it exists: a change is a new name.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use crate::domain::event::EventType;

/// Every event is published to this exchange, under its type's routing key.
pub const EXCHANGE: &str = "table-order-events";
/// What a queue gives up goes here, under the queue's name.
pub const DEAD_LETTER_EXCHANGE: &str = "table-order-events.dlx";
/// A look at the events of all orders, for people. Nobody depends on it; it forgets the oldest.
pub const ALL_ORDER_EVENTS: &str = "all-order-events-queue";
/// The events it takes.
const ORDER_EVENTS: &str = "order.*";
/// How many it keeps.
const MOST_ORDER_EVENTS: i64 = 10_000;
/// How often a message is delivered before its queue gives it up. What cannot be read is parked by the fan-out, at once:
/// this only ends a loop of crashes. A small number would give up everything while Redis is away.
const DELIVERY_LIMIT: i64 = 100_000;

/// What stands in the queues of all event types together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    /// Messages that wait.
    pub messages: u32,
    /// Queues that nobody reads.
    pub without_consumer: u32,
    /// Messages that queues gave up.
    pub dead_letters: u32,
}

/// Where a queue's given-up messages lie.
pub fn dead_letter_queue(queue: &str) -> String {
    format!("{queue}.dead")
}

/// Declare all of it. What is there already stays.
pub async fn declare(channel: &Channel) -> lapin::Result<()> {
    for (exchange, kind) in [(EXCHANGE, ExchangeKind::Topic), (DEAD_LETTER_EXCHANGE, ExchangeKind::Direct)] {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(exchange.into(), kind, options, FieldTable::default()).await?;
    }
    for event_type in EventType::ALL {
        let (queue, dead) = (event_type.queue(), dead_letter_queue(event_type.queue()));
        declare_queue(channel, &dead, &[]).await?;
        bind(channel, &dead, DEAD_LETTER_EXCHANGE, queue, false).await?;
        declare_queue(
            channel,
            queue,
            &[
                ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
                ("x-dead-letter-exchange", text(DEAD_LETTER_EXCHANGE)),
                ("x-dead-letter-routing-key", text(queue)),
            ],
        )
        .await?;
        bind(channel, queue, EXCHANGE, event_type.routing_key(), false).await?;
    }
    declare_queue(
        channel,
        ALL_ORDER_EVENTS,
        &[("x-max-length", AMQPValue::LongLongInt(MOST_ORDER_EVENTS)), ("x-overflow", text("drop-head"))],
    )
    .await?;
    bind(channel, ALL_ORDER_EVENTS, EXCHANGE, ORDER_EVENTS, false).await
}

/// Bind every event type's queue, without waiting for an answer: what follows on the channel finds them bound.
///
/// RabbitMQ confirms a message that any queue takes, and [`ALL_ORDER_EVENTS`] takes those of orders: that somebody has
/// removed the binding of the queue which counts would go unnoticed.
pub async fn bind_queues(channel: &Channel) -> lapin::Result<()> {
    for event_type in EventType::ALL {
        bind(channel, event_type.queue(), EXCHANGE, event_type.routing_key(), true).await?;
    }
    Ok(())
}

/// Ask every event type's queue, and that of its dead letters, what stands in it. Nothing is declared.
pub async fn queues(channel: &Channel) -> lapin::Result<Queues> {
    let ask = async |name: String| {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await
    };
    let mut queues = Queues::default();
    for event_type in EventType::ALL {
        let queue = ask(event_type.queue().to_owned()).await?;
        queues.messages += queue.message_count();
        queues.without_consumer += u32::from(queue.consumer_count() == 0);
        queues.dead_letters += ask(dead_letter_queue(event_type.queue())).await?.message_count();
    }
    Ok(queues)
}

async fn declare_queue(channel: &Channel, name: &str, arguments: &[(&str, AMQPValue)]) -> lapin::Result<()> {
    let mut table = FieldTable::default();
    // Replicated, and kept on disk before it is confirmed.
    table.insert("x-queue-type".into(), text("quorum"));
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    channel.queue_declare(name.into(), QueueDeclareOptions::durable(), table).await?;
    Ok(())
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, routing_key: &str, nowait: bool) -> lapin::Result<()> {
    let (options, arguments) = (QueueBindOptions { nowait }, FieldTable::default());
    channel.queue_bind(queue.into(), exchange.into(), routing_key.into(), options, arguments).await
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
