//! How fast the outbox is drained into RabbitMQ, beside a publisher that does nothing else.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::iter;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueuePurgeOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use measure::Trouble;
use measure::program::say;
use measure::report::{self, Spread, Target};
use shared::clock::Clock;
use shared::db::outbox::{self, WaitingRow};
use shared::db::{self, PoolSize};
use shared::domain::event::EventType;
use shared::events::publisher::{Publisher, RabbitMq};
use shared::events::relay::Relay;
use shared::events::topology;
use shared::rabbitmq;

use super::parts::Parts;
use super::sample;
use crate::cpu;
use crate::turns::in_turns;

/// Least events a second, in times of the bare publisher's.
const LEAST: f64 = 0.6;
/// Messages that the bare publisher has on their way: as many as the relay.
const IN_FLIGHT: usize = 100;
/// AMQP's code for a message that is kept on disk.
const PERSISTENT: u8 = 2;

/// One round: events a second, and this program's CPU time for each event.
struct Round {
    per_second: f64,
    micros: f64,
}

pub(super) async fn measure(parts: &mut Parts, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let (events, rounds) = (parts.effort.drained, parts.effort.drain_rounds);
    say(&format!("The relay and a bare publisher in turns, {events} events: {rounds} rounds."));
    let pool = db::connect(db::connect_options(&parts.postgres.url())?, PoolSize::EVENT_FUNCTION);
    let publisher = Publisher::RabbitMq(Box::new(RabbitMq::new(parts.rabbitmq_url())));
    let relay = Relay { db: pool.clone(), publisher, clock: Clock::system() };
    let connection = rabbitmq::connect(&parts.rabbitmq_url(), "bare publisher").await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let results = in_turns(rounds, 2, async |side| {
        sample::wait_in_outbox(&mut parts.db, events).await?;
        let rows = outbox::waiting(&mut parts.db, Clock::system().now(), 0, events).await?;
        if side == 1 {
            // It is for the bare publisher, which asks no database.
            mark_published(parts).await?;
        }
        sqlx::query("checkpoint").execute(&mut parts.db).await?;
        let (began, before) = (Instant::now(), cpu::Process::start(std::process::id())?);
        let published = if side == 0 { relay.drain().await? } else { publish(&channel, &rows).await? };
        let (took, spent) = (began.elapsed(), before.stop()?);
        if published != rows.len() {
            return Err(format!("{published} of {} events were published", rows.len()).into());
        }
        purge(&connection).await?;
        Ok(Round { per_second: published as f64 / took.as_secs_f64(), micros: micros(spent, published) })
    })
    .await?;
    relay.publisher.close().await;
    pool.close().await;
    connection.close(200, "done".into()).await?;

    let speed = |side: usize| Spread::of(results[side].iter().map(|round| round.per_second));
    let ratio = speed(0).median / speed(1).median;
    targets.push(Target::at_least("outbox drained beside a bare publisher (aim 0.9)", LEAST, "×", ratio));
    let row = |side: usize, name: &str, ratio: String| {
        let micros = Spread::of(results[side].iter().map(|round| round.micros));
        vec![name.to_owned(), speed(side).to_string(), micros.to_string(), ratio]
    };
    let rows = [row(0, "relay", format!("{ratio:.2}")), row(1, "bare publisher", String::new())];
    Ok(report::table(&["side", "events/s", "CPU µs/event", "ratio of events/s"], &rows))
}

fn micros(time: Duration, events: usize) -> f64 {
    time.as_secs_f64() * 1e6 / events as f64
}

/// The floor: the same messages with the same care, over one channel.
async fn publish(channel: &Channel, rows: &[WaitingRow]) -> Result<usize, Trouble> {
    let publishing: Vec<_> = rows.iter().map(|row| publish_one(channel, row)).collect();
    let mut answers = iter(publishing).buffered(IN_FLIGHT);
    let mut confirmed = 0;
    while let Some(answer) = answers.next().await {
        if matches!(answer?, Confirmation::Ack(None)) {
            confirmed += 1;
        }
    }
    Ok(confirmed)
}

async fn publish_one(channel: &Channel, row: &WaitingRow) -> Result<Confirmation, Trouble> {
    let event_type = EventType::from_name(&row.event_type).ok_or("an event of no known type")?;
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default()
        .with_app_id("table-order".into())
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(row.id.to_string().into())
        .with_type(event_type.name().into());
    let (exchange, key) = (topology::EXCHANGE.into(), event_type.routing_key().into());
    let confirm = channel.basic_publish(exchange, key, options, row.payload.as_bytes(), properties).await?;
    Ok(confirm.await?)
}

async fn mark_published(parts: &mut Parts) -> Result<(), Trouble> {
    let sql = "update outbox set published_at = now() where published_at is null";
    sqlx::query(sql).execute(&mut parts.db).await?;
    Ok(())
}

/// Empty the queues, so that each round finds them as the first did.
async fn purge(connection: &Connection) -> Result<(), Trouble> {
    let channel = connection.create_channel().await?;
    for queue in EventType::ALL.iter().map(|event_type| event_type.queue()).chain([topology::ALL_ORDER_EVENTS]) {
        channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?;
    }
    channel.close(200, "done".into()).await?;
    Ok(())
}
