//! How each of the faults is made and mended, and when that was. The list of them is in [`crate::faults`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::{
    BasicConsumeOptions, BasicNackOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection};
use measure::Trouble;
use serde_json::json;
use shared::domain::event::EventType;
use shared::events::rmq::{SOURCE, VHOST};
use shared::events::topology::EXCHANGE;
use shared::rabbitmq;
use sqlx::Row;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::faults::{FANOUT_STEPS, Fault, RELAY_STEPS, Server};
use crate::guests::Load;
use crate::proxy::{Moment, Proxy};
use crate::service::{Service, eventually};

/// How long a trap may take to spring. The event source mappings may be pausing after a failure, 1 s at most, and a nudge
/// that failed may have to wait for the schedule.
const TRAP: Duration = Duration::from_secs(75);
/// Orders of 50 lines with long notes, some 40 kB an event: more than a reader who has stopped reading is sent ahead.
const BANQUETS: usize = 400;

/// What came of a fault.
#[derive(Clone, Debug)]
pub struct Outage {
    /// When it began.
    pub began: Instant,
    /// When somebody began to mend it. Until then its effect on guests is measured: what a server takes of the machine to
    /// start again is another matter.
    pub mending: Instant,
    /// When everything ran again.
    pub mended: Instant,
    /// The ids of messages that have to be parked.
    pub unreadable: Vec<Uuid>,
}

impl Fault {
    /// Make it happen for so long, if it lasts, and mend it.
    ///
    /// # Errors
    /// When it cannot be made or mended: then nothing is shown.
    pub async fn happen(self, service: &mut Service, load: &Arc<Load>, lasts: Duration) -> Result<Outage, Trouble> {
        let began = Instant::now();
        let mut unreadable = Vec::new();
        let mut mending = None;
        match self {
            Self::Nothing => sleep(lasts).await,
            Self::RabbitMqKilled => {
                service.rabbitmq.kill()?;
                service.killed(1);
                sleep(lasts).await;
                mending = Some(Instant::now());
                service.rabbitmq.restart().await?;
            }
            Self::RabbitMqPaused => {
                service.rabbitmq.pause()?;
                sleep(lasts).await;
                service.rabbitmq.resume()?;
            }
            Self::RabbitMqBlocked => {
                service.rabbitmq.control(&["set_vm_memory_high_watermark", "0"]).await?;
                sleep(lasts).await;
                mending = Some(Instant::now());
                service.rabbitmq.control(&["set_vm_memory_high_watermark", "0.4"]).await?;
            }
            Self::BindingRemoved => remove_binding(service).await?,
            Self::RelayKilled(step) => {
                let (_, server, moment) = RELAY_STEPS[step];
                let proxy = match server {
                    Server::Postgres => &service.relay_postgres,
                    Server::RabbitMq => &service.relay_rabbitmq,
                };
                kill_at(service, "relay", proxy, moment).await?;
            }
            Self::FanoutKilled(step) => {
                kill_at(service, "fanout", &service.fanout_redis, FANOUT_STEPS[step].1).await?;
            }
            Self::EventsTripledAndShuffled => triple_and_shuffle(service, lasts).await?,
            Self::UnreadableMessages => unreadable = publish_unreadable(service).await?,
            Self::RedisKilled => {
                service.redis.kill()?;
                service.killed(1);
                sleep(lasts).await;
                mending = Some(Instant::now());
                service.redis.restart().await?;
            }
            Self::RedisFlushed => flush(service).await?,
            Self::RedisPaused => {
                service.redis.pause()?;
                sleep(lasts).await;
                service.redis.resume()?;
            }
            Self::RedisLost => {
                let ways = [&service.fanout_redis, &service.streams_redis];
                ways.into_iter().for_each(Proxy::lose);
                sleep(lasts).await;
                ways.into_iter().for_each(Proxy::pass);
            }
            Self::RedisDownFor(deliveries) => deliver_without_redis(service, deliveries).await?,
            Self::StreamKilled => {
                let stream = &mut service.streams[fastrand::usize(..2)];
                stream.kill().await?;
                sleep(lasts).await;
                stream.restart()?;
                stream.comes_up().await?;
                service.killed(1);
            }
            Self::ClientNeverReads => never_read(service, load).await?,
            Self::PostgresKilled => {
                service.postgres.kill()?;
                service.killed(1);
                sleep(lasts).await;
                mending = Some(Instant::now());
                service.postgres.restart().await?;
            }
            Self::SqsGone => {
                service.sqs.refuse();
                sleep(lasts).await;
                service.sqs.pass();
            }
            Self::SqsSilent => {
                service.aws.pause()?;
                sleep(lasts).await;
                service.aws.resume()?;
            }
            Self::OrdersKilled => {
                for _ in 0..5 {
                    service.kill_function("orders");
                    sleep(lasts / 5).await;
                }
            }
            Self::SourcesKilled => {
                service.sources.kill().await?;
                service.killed(1);
                sleep(lasts).await;
                service.sources.restart()?;
            }
        }
        let mended = Instant::now();
        Ok(Outage { began, mending: mending.unwrap_or(mended), mended, unreadable })
    }
}

/// Kill a function at a moment of its conversation with the server behind a proxy. The one that runs is killed first: a new
/// one says anew what its queries are.
async fn kill_at(service: &Service, function: &'static str, proxy: &Proxy, moment: Moment) -> Result<(), Trouble> {
    let (lambda, killed) = (service.lambda.clone(), Arc::new(AtomicUsize::new(0)));
    let springs = proxy.at(moment, {
        let killed = killed.clone();
        move || {
            killed.fetch_add(lambda.kill(function), Ordering::Relaxed);
        }
    });
    service.kill_function(function);
    timeout(TRAP, springs)
        .await
        .map_err(|_| format!("{function} was not seen to send {:?}", String::from_utf8_lossy(moment.sends)))??;
    service.killed(killed.load(Ordering::Relaxed));
    Ok(())
}

/// Remove a binding while the relay does nothing: between the binding that begins a batch and the batch's messages, which
/// is some milliseconds, nobody would notice.
async fn remove_binding(service: &mut Service) -> Result<(), Trouble> {
    service.sources.kill().await?;
    service.lambda.retire("relay").await;
    service.killed(1);
    let (connection, channel) = connect(service).await?;
    let created = EventType::OrderCreated;
    let (queue, key) = (created.queue().into(), created.routing_key().into());
    channel.queue_unbind(queue, EXCHANGE.into(), key, FieldTable::default()).await?;
    connection.close(200, "done".into()).await?;
    service.sources.restart()
}

/// Publish what waits in the outbox three times, in any order, before the relay does.
async fn triple_and_shuffle(service: &mut Service, lasts: Duration) -> Result<(), Trouble> {
    service.sources.kill().await?;
    service.lambda.retire("relay").await;
    service.killed(1);
    sleep(lasts).await;
    let query = "select id, event_type, payload from outbox where published_at is null";
    let rows = sqlx::query(query).fetch_all(&service.db).await?;
    let mut messages = Vec::new();
    for row in &rows {
        let (id, name): (uuid::Uuid, String) = (row.try_get("id")?, row.try_get("event_type")?);
        let event_type = EventType::from_name(&name).ok_or("an event of an unknown type")?;
        messages.push((id, event_type, row.try_get::<String, _>("payload")?));
    }
    let mut messages = [messages.clone(), messages.clone(), messages].concat();
    fastrand::shuffle(&mut messages);
    let (connection, channel) = connect(service).await?;
    for (id, event_type, payload) in &messages {
        publish(&channel, *event_type, payload.as_bytes(), *id).await?;
    }
    connection.close(200, "done".into()).await?;
    service.sources.restart()
}

/// Publish what is no event into each queue. Returns the messages' ids.
async fn publish_unreadable(service: &Service) -> Result<Vec<Uuid>, Trouble> {
    let (connection, channel) = connect(service).await?;
    let mut ids = Vec::new();
    for event_type in EventType::ALL {
        let id = Uuid::from_u128(fastrand::u128(..));
        publish(&channel, *event_type, b"\xff\xfe no event", id).await?;
        ids.push(id);
    }
    connection.close(200, "done".into()).await?;
    Ok(ids)
}

async fn publish(channel: &Channel, event_type: EventType, payload: &[u8], id: Uuid) -> Result<(), Trouble> {
    let properties = BasicProperties::default().with_delivery_mode(2).with_message_id(id.to_string().into());
    let (key, options) = (event_type.routing_key().into(), BasicPublishOptions::default());
    channel.basic_publish(EXCHANGE.into(), key, options, payload, properties).await?.await?;
    Ok(())
}

async fn flush(service: &Service) -> Result<(), Trouble> {
    let url = service.redis.url();
    let (password, address) =
        url.strip_prefix("redis://:").and_then(|rest| rest.split_once('@')).ok_or("Redis has another URL")?;
    let mut connection = tokio::net::TcpStream::connect(address).await?;
    connection.write_all(format!("AUTH {password}\r\nFLUSHALL\r\n").as_bytes()).await?;
    let mut answer = [0; 10];
    tokio::io::AsyncReadExt::read_exact(&mut connection, &mut answer).await?;
    if answer == *b"+OK\r\n+OK\r\n" { Ok(()) } else { Err("Redis was not flushed".into()) }
}

/// Deliver messages to the fan-out so often, in the place of the event source mapping, while Redis is down.
async fn deliver_without_redis(service: &mut Service, deliveries: u32) -> Result<(), Trouble> {
    service.sources.kill().await?;
    service.redis.kill()?;
    service.killed(2);
    let (connection, channel) = connect(service).await?;
    channel.basic_qos(100, BasicQosOptions::default()).await?;
    let queue = EventType::OrderCreated.queue();
    // What the relay published last may have been taken: it is published again.
    republish_newest(service, &channel).await?;
    let options = BasicConsumeOptions::default();
    let mut consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
    for _ in 0..deliveries {
        let delivery = futures_util::StreamExt::next(&mut consumer).await.ok_or("the queue is gone")??;
        let event = json!({
            "eventSource": SOURCE,
            "rmqMessagesByQueue": { format!("{queue}::{VHOST}"): [{
                "basicProperties": { "priority": null },
                "redelivered": delivery.redelivered,
                "data": base64(&delivery.data),
            }] },
        });
        if service.lambda.invoke("fanout", event.to_string()).await.is_ok() {
            return Err("the fan-out took an event while Redis was down".into());
        }
        channel.basic_nack(delivery.delivery_tag, BasicNackOptions { multiple: false, requeue: true }).await?;
    }
    connection.close(200, "done".into()).await?;
    service.redis.restart().await?;
    service.sources.restart()
}

async fn republish_newest(service: &Service, channel: &Channel) -> Result<(), Trouble> {
    let query = "select id, payload from outbox where event_type = $1 order by sequence desc limit 1";
    let created = EventType::OrderCreated;
    let row = sqlx::query(query).bind(created.name()).fetch_one(&service.db).await?;
    publish(channel, created, row.try_get::<&str, _>("payload")?.as_bytes(), row.try_get("id")?).await
}

/// Open a stream, read nothing, and let more happen than anybody is sent ahead. The container must cut it off and count it.
async fn never_read(service: &Service, load: &Arc<Load>) -> Result<(), Trouble> {
    let address = service.streams[0].address;
    let before = slow_readers(address).await?;
    let mut clients = Vec::new();
    // One in each store: whichever has the most to tell.
    for store in load.stores() {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        let mut client = socket.connect(address).await?;
        let (path, token) = ("/api/admin/orders/stream", &store.admin);
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
        client.write_all(request.as_bytes()).await?;
        clients.push(client);
    }
    let note = "기".repeat(200);
    for _ in 0..BANQUETS / 4 {
        join_all((0..4).map(|_| load.clone().order(Some(&note)))).await;
    }
    eventually("a client that never reads is cut off and counted", async || {
        slow_readers(address).await.is_ok_and(|now| now > before)
    })
    .await
}

/// How many clients a container has cut off for being too slow.
async fn slow_readers(address: std::net::SocketAddr) -> Result<u64, Trouble> {
    let metrics = reqwest::get(format!("http://{address}/metrics")).await?.text().await?;
    let value = metrics.lines().find_map(|line| line.strip_prefix("sse_slow_readers_total "));
    Ok(value.map(str::parse).transpose()?.unwrap_or_default())
}

async fn connect(service: &Service) -> Result<(Connection, Channel), Trouble> {
    let connection = rabbitmq::connect(&service.rabbitmq.url().into(), "faults").await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok((connection, channel))
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
