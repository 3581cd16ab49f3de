//! The floors of an event's way: what each of its steps takes at the least, on the same servers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lambda_emulator::Lambda;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, Consumer};
use measure::Trouble;
use measure::http::Connection as Http;
use redis::aio::{MultiplexedConnection, PubSub};
use shared::clock::Clock;
use shared::db::outbox;
use shared::rabbitmq;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::mpsc;

use super::parts::{Parts, http_event};
use super::sample;

/// The steps, in the order in which an event takes them.
pub(super) const STEPS: [&str; 7] = [
    "SQS: message sent → received",
    "a function invoked that does nothing, for the relay",
    "SQL of the relay: lock, select, mark, commit",
    "RabbitMQ: published, with confirm → received",
    "a function invoked that does nothing, for the fan-out",
    "Redis: published → received",
    "a chunk of HTTP: sent → received",
];
/// The function that does nothing.
const BARE: &str = "bare-function";
/// The queue and the channel of these measurements.
const NAME: &str = "bench";
/// How long SQS may keep a question until there is a message, in seconds, as the service's sources ask it.
const SQS_WAIT: i32 = 20;
/// AMQP's code for a message that is kept on disk.
const PERSISTENT: u8 = 2;

/// Everything that the steps are measured on.
pub(super) struct Floors {
    event: String,
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
    received: mpsc::Receiver<Result<Instant, String>>,
    _lambda: Lambda,
    invoking: Http,
    db: PgConnection,
    broker: Connection,
    publishing: Channel,
    consuming: Consumer,
    redis: MultiplexedConnection,
    listening: PubSub,
    chunks: [TcpStream; 2],
}

impl Floors {
    /// Connect to everything; `event` is what is sent about.
    pub(super) async fn start(parts: &Parts, event: String) -> Result<Self, Trouble> {
        let sqs = parts.sqs();
        let queue = sqs.create_queue().queue_name(NAME).send().await?;
        let queue_url = queue.queue_url.ok_or("SQS gives the queue no URL")?;
        let (sender, received) = mpsc::channel(1);
        tokio::spawn(receive(sqs.clone(), queue_url.clone(), sender));

        let lambda = Lambda::start([parts.function(BARE, 1)?]).await?;
        let address = lambda.url().trim_start_matches("http://").parse()?;
        let invoking = tokio::task::block_in_place(|| Http::open(address))?;

        let broker = rabbitmq::connect(&parts.rabbitmq_url(), NAME).await?;
        let (publishing, taking) = (broker.create_channel().await?, broker.create_channel().await?);
        publishing.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        taking.queue_declare(NAME.into(), QueueDeclareOptions::durable(), arguments).await?;
        let options = BasicConsumeOptions::default();
        let consuming = taking.basic_consume(NAME.into(), "".into(), options, FieldTable::default()).await?;

        let client = redis::Client::open(parts.redis.url())?;
        let mut listening = client.get_async_pubsub().await?;
        listening.subscribe(NAME).await?;

        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let chunks = [TcpStream::connect(listener.local_addr()?)?, listener.accept()?.0];
        chunks[0].set_nodelay(true)?;
        Ok(Self {
            event,
            sqs,
            queue_url,
            received,
            _lambda: lambda,
            invoking,
            db: PgConnection::connect(&parts.postgres.url()).await?,
            broker,
            publishing,
            consuming,
            redis: client.get_multiplexed_async_connection().await?,
            listening,
            chunks,
        })
    }

    /// How long each step takes, in milliseconds.
    pub(super) async fn once(&mut self, pause: Duration) -> Result<[f64; STEPS.len()], Trouble> {
        // Meanwhile the receiver has begun to wait for the next message.
        tokio::time::sleep(pause).await;
        let nudge = self.nudge().await?;
        let invocations = [self.invoke()?, self.invoke()?];
        let times = [
            nudge,
            invocations[0],
            self.sql().await?,
            self.publish().await?,
            invocations[1],
            self.tell().await?,
            self.chunk()?,
        ];
        Ok(times.map(|time| time.as_secs_f64() * 1e3))
    }

    async fn nudge(&mut self) -> Result<Duration, Trouble> {
        let began = Instant::now();
        self.sqs.send_message().queue_url(&self.queue_url).message_body("nudge").send().await?;
        let received = self.received.recv().await.ok_or("SQS is not asked any more")??;
        Ok(received - began)
    }

    fn invoke(&mut self) -> Result<Duration, Trouble> {
        let body = http_event("GET", "/", None, &[], "");
        let length = body.len();
        let request = format!(
            "POST /2015-03-31/functions/{BARE}/invocations HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {length}\r\n\r\n\
             {body}"
        );
        tokio::task::block_in_place(|| {
            let began = Instant::now();
            let answer = self.invoking.exchange(request.as_bytes())?;
            if answer.status == 200 { Ok(began.elapsed()) } else { Err("the bare function does not answer".into()) }
        })
    }

    async fn sql(&mut self) -> Result<Duration, Trouble> {
        let mut tx = self.db.begin().await?;
        // Not committed before, so that the relay does not take it.
        sample::wait_in_outbox(&mut tx, 1).await?;
        let (began, now) = (Instant::now(), Clock::system().now());
        outbox::lock(&mut tx).await?;
        let ids: Vec<_> = outbox::waiting(&mut tx, now, 0, 1).await?.into_iter().map(|row| row.id).collect();
        outbox::mark_published(&mut tx, &ids, now).await?;
        tx.commit().await?;
        if ids.is_empty() { Err("no event waited".into()) } else { Ok(began.elapsed()) }
    }

    async fn publish(&mut self) -> Result<Duration, Trouble> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let began = Instant::now();
        let sent = self.publishing.basic_publish("".into(), NAME.into(), options, self.event.as_bytes(), properties);
        let confirm = sent.await?;
        let delivery = self.consuming.next().await.ok_or("RabbitMQ gives nothing")??;
        let took = began.elapsed();
        confirm.await?;
        delivery.ack(BasicAckOptions::default()).await?;
        Ok(took)
    }

    async fn tell(&mut self) -> Result<Duration, Trouble> {
        let began = Instant::now();
        let publish = redis::Cmd::publish(NAME, &self.event);
        let sent = publish.exec_async(&mut self.redis);
        let (sent, message) = tokio::join!(sent, async { self.listening.on_message().next().await });
        let took = began.elapsed();
        sent?;
        message.ok_or("Redis tells nothing")?;
        Ok(took)
    }

    fn chunk(&mut self) -> Result<Duration, Trouble> {
        let [from, to] = &mut self.chunks;
        let chunk = format!("{:x}\r\n{}\r\n", self.event.len(), self.event);
        let mut arrived = vec![0; chunk.len()];
        let began = Instant::now();
        from.write_all(chunk.as_bytes())?;
        to.read_exact(&mut arrived)?;
        Ok(began.elapsed())
    }

    /// Let go of everything.
    pub(super) async fn stop(self) -> Result<(), Trouble> {
        drop(self.received);
        self.db.close().await?;
        Ok(self.broker.close(200, "done".into()).await?)
    }
}

/// Wait for messages in SQS, one after the other, and tell when each arrived.
async fn receive(sqs: aws_sdk_sqs::Client, queue_url: String, received: mpsc::Sender<Result<Instant, String>>) {
    while !received.is_closed() {
        let asked = sqs.receive_message().queue_url(&queue_url).max_number_of_messages(1).wait_time_seconds(SQS_WAIT);
        let answer = tokio::select! {
            answer = asked.send() => answer,
            () = received.closed() => return,
        };
        let arrived = Instant::now();
        let told = match answer {
            Ok(answer) => {
                let Some(message) = answer.messages.unwrap_or_default().pop() else { continue };
                let receipt = message.receipt_handle.unwrap_or_default();
                let done = sqs.delete_message().queue_url(&queue_url).receipt_handle(receipt).send().await;
                done.map(|_| arrived).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        // Nobody may be measuring any more.
        if received.send(told).await.is_err() {
            return;
        }
    }
}
