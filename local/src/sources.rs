//! What AWS's event source mappings do, for the functions under `cargo lambda watch`: RabbitMQ's queues to `fanout`, SQS and
//! a timer to `relay` and `images`.
//!
//! A mapping reads one queue, one batch after the other. An error of the function brings the whole batch back.

use std::time::Duration;

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message as SqsMessage, MessageSystemAttributeName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value, json};
use shared::aws::{Queue, unavailable};
use shared::domain::event::EventType;
use shared::events::rmq::{Batch, Message, Properties, SOURCE, VHOST};
use shared::rabbitmq::{self, in_time};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

/// Whatever went wrong; it is logged and tried again.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// The most an invocation's payload may have, in bytes of base64: Lambda takes 6 MiB, envelope included.
const LARGEST_PAYLOAD: usize = 5 * 1024 * 1024;
/// The most messages SQS gives at once.
const SQS_BATCH: i32 = 10;
/// How long SQS may keep a question until there is a message, in seconds.
const SQS_WAIT: i32 = 20;
/// Functions that are called by a schedule, and how often.
const SCHEDULES: [(&str, Duration); 2] = [("relay", Duration::from_secs(60)), ("images", Duration::from_secs(60 * 60))];
/// The longest an invocation may take. A function may have to be compiled first.
const INVOCATION: Duration = Duration::from_secs(300);
/// Pauses after an error: the first, and the longest. Each is twice the one before. What waits behind a function that failed
/// is late by no more than this when the function is well again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// What to read, and whom to call.
#[derive(Clone, Debug)]
pub struct Sources {
    /// RabbitMQ.
    pub rabbitmq_url: SecretString,
    /// The SQS queue of nudges.
    pub nudge_queue_url: String,
    /// The SQS queue of uploads.
    pub upload_queue_url: String,
    /// Where functions are invoked.
    pub lambda: Lambda,
    /// The most messages of RabbitMQ in one invocation.
    pub batch: u16,
    /// How long messages are gathered. With none, an invocation has what is there already.
    pub window: Duration,
}

/// Lambda's invoke endpoint.
#[derive(Clone, Debug)]
pub struct Lambda {
    client: reqwest::Client,
    url: String,
}

impl Lambda {
    /// The endpoint at this URL.
    pub fn at(url: &str) -> Self {
        // Without a time-out a function that dies would keep its queue waiting for ever.
        let client = reqwest::Client::builder().timeout(INVOCATION).build().unwrap_or_default();
        Self { client, url: url.trim_end_matches('/').to_owned() }
    }

    /// Invoke a function and wait for its answer.
    ///
    /// # Errors
    /// When it cannot be reached, or answers with an error.
    pub async fn invoke(&self, function: &str, payload: &impl Serialize) -> Result<String, Trouble> {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.url);
        let answer = self.client.post(url).json(payload).send().await?;
        let failed = !answer.status().is_success() || answer.headers().contains_key("x-amz-function-error");
        let text = answer.text().await?;
        if failed { Err(format!("{function} answers: {text}").into()) } else { Ok(text) }
    }
}

impl Sources {
    /// Read everything until stopped. An error is logged and tried again.
    pub async fn run(self, stopped: CancellationToken) {
        let queues = EventType::ALL.iter().map(|event_type| {
            let (this, queue) = (self.clone(), event_type.queue());
            again_and_again(queue, move || this.clone().read_rabbitmq(queue))
        });
        let reading = async {
            tokio::join!(
                join_all(queues),
                again_and_again("nudges", || self.read_sqs(&self.nudge_queue_url, "relay")),
                again_and_again("uploads", || self.read_sqs(&self.upload_queue_url, "images")),
                join_all(SCHEDULES.map(|(function, every)| self.keep_schedule(function, every))),
            )
        };
        stopped.run_until_cancelled(reading).await;
    }

    /// Hand a queue's messages to the fan-out, until something fails.
    async fn read_rabbitmq(self, queue: &'static str) -> Result<(), Trouble> {
        let connection = rabbitmq::connect(&self.rabbitmq_url, &format!("sources {queue}")).await?;
        let channel = in_time(connection.create_channel()).await?;
        in_time(channel.basic_qos(self.batch, BasicQosOptions::default())).await?;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let mut consumer = in_time(channel.basic_consume(queue.into(), "".into(), options, arguments)).await?;
        let mut left_over = None;
        loop {
            let batch = self.gather(&mut consumer, &mut left_over).await?;
            self.hand_over(&channel, queue, batch).await?;
        }
    }

    /// The next batch: at least one message, and no more than fit into an invocation.
    async fn gather(
        &self,
        consumer: &mut Consumer,
        left_over: &mut Option<Delivery>,
    ) -> Result<Vec<Delivery>, Trouble> {
        let first = match left_over.take() {
            Some(delivery) => delivery,
            None => consumer.next().await.ok_or("the queue is gone")??,
        };
        let deadline = Instant::now() + self.window;
        let mut size = encoded_size(&first);
        let mut batch = vec![first];
        while batch.len() < usize::from(self.batch) {
            let next = if self.window.is_zero() {
                consumer.next().now_or_never()
            } else {
                timeout_at(deadline, consumer.next()).await.ok()
            };
            let Some(next) = next else { break };
            let delivery = next.ok_or("the queue is gone")??;
            size += encoded_size(&delivery);
            if size > LARGEST_PAYLOAD {
                *left_over = Some(delivery);
                break;
            }
            batch.push(delivery);
        }
        Ok(batch)
    }

    /// Invoke the fan-out with a batch, which is done with when it succeeds, and comes back whole when it does not.
    async fn hand_over(&self, channel: &Channel, queue: &str, batch: Vec<Delivery>) -> Result<(), Trouble> {
        let Some(last) = batch.last().map(|delivery| delivery.delivery_tag) else { return Ok(()) };
        let messages = batch.into_iter().map(message).collect();
        let event = Batch {
            event_source: SOURCE,
            event_source_arn: "arn:aws:mq:ap-northeast-2:000000000000:broker:table-order:b-local".to_owned(),
            rmq_messages_by_queue: [(format!("{queue}::{VHOST}"), messages)].into(),
        };
        match self.lambda.invoke("fanout", &event).await {
            Ok(_) => {
                in_time(channel.basic_ack(last, BasicAckOptions { multiple: true })).await?;
                Ok(())
            }
            Err(error) => {
                let options = BasicNackOptions { multiple: true, requeue: true };
                in_time(channel.basic_nack(last, options)).await?;
                Err(error)
            }
        }
    }

    /// Hand a queue's messages to a function, until something fails. Those it fails on come back after their visibility
    /// time-out.
    async fn read_sqs(&self, queue_url: &str, function: &str) -> Result<(), Trouble> {
        let queue = Queue::new(queue_url.to_owned());
        let client = queue.client().await;
        loop {
            let received = client
                .receive_message()
                .queue_url(queue.url())
                .max_number_of_messages(SQS_BATCH)
                .wait_time_seconds(SQS_WAIT)
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
                .await
                .map_err(unavailable)?;
            let messages = received.messages();
            if messages.is_empty() {
                continue;
            }
            let records: Vec<_> = messages.iter().map(|message| record(message, queue_url)).collect();
            let answer = self.lambda.invoke(function, &json!({ "Records": records })).await?;
            let failed = failures(&answer);
            let done: Vec<_> = messages.iter().filter(|message| !failed.contains(&message.message_id)).collect();
            if done.is_empty() {
                continue;
            }
            let mut deleting = client.delete_message_batch().queue_url(queue.url());
            for (number, message) in done.into_iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
                deleting = deleting.entries(entry.set_receipt_handle(message.receipt_handle.clone()).build()?);
            }
            deleting.send().await.map_err(unavailable)?;
        }
    }

    /// Call a function at once, and then from time to time.
    async fn keep_schedule(&self, function: &str, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let event = json!({
                "source": "aws.scheduler",
                "detail-type": "Scheduled Event",
                "resources": [format!("arn:aws:scheduler:ap-northeast-2:000000000000:schedule/default/{function}")],
                "detail": {},
            });
            if let Err(error) = self.lambda.invoke(function, &event).await {
                tracing::warn!(function, exception = %error, "a function failed; its schedule calls it again");
            }
        }
    }
}

/// Do something that only ends in trouble, over and over, with longer and longer pauses while it fails at once.
async fn again_and_again<F: Future<Output = Result<(), Trouble>>>(source: &str, mut work: impl FnMut() -> F) {
    let [first, longest] = PAUSES;
    let mut pause = first;
    loop {
        let begun = Instant::now();
        if let Err(error) = work().await {
            tracing::warn!(source, exception = %error, "a source failed; trying again");
        }
        if begun.elapsed() > longest {
            pause = first;
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// The ids of the messages that a function names as failed; of one that names none, none are.
fn failures(answer: &str) -> Vec<Option<String>> {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let failures = answer["batchItemFailures"].as_array();
    let ids = failures.into_iter().flatten().map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned));
    ids.collect()
}

fn encoded_size(delivery: &Delivery) -> usize {
    delivery.data.len().div_ceil(3) * 4
}

/// A message of RabbitMQ as AWS shows it.
fn message(delivery: Delivery) -> Message {
    let properties = &delivery.properties;
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(ToString::to_string);
    let headers = properties.headers().as_ref().map(table).unwrap_or_default();
    let timestamp = properties.timestamp().and_then(|seconds| DateTime::from_timestamp(seconds.try_into().ok()?, 0));
    Message {
        basic_properties: Properties {
            content_type: text(properties.content_type()),
            content_encoding: text(properties.content_encoding()),
            headers,
            delivery_mode: *properties.delivery_mode(),
            priority: *properties.priority(),
            correlation_id: text(properties.correlation_id()),
            reply_to: text(properties.reply_to()),
            expiration: text(properties.expiration()),
            message_id: text(properties.message_id()),
            timestamp: timestamp.map(|time| time.format("%b %-d, %Y, %-I:%M:%S %p").to_string()),
            kind: text(properties.kind()),
            user_id: text(properties.user_id()),
            app_id: text(properties.app_id()),
            cluster_id: text(properties.cluster_id()),
            body_size: delivery.data.len(),
        },
        redelivered: delivery.redelivered,
        data: STANDARD.encode(&delivery.data),
    }
}

fn table(table: &FieldTable) -> Map<String, Value> {
    table.inner().iter().map(|(name, value)| (name.to_string(), header(value))).collect()
}

fn header(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => json!(value),
        AMQPValue::ShortShortInt(value) => json!(value),
        AMQPValue::ShortShortUInt(value) => json!(value),
        AMQPValue::ShortInt(value) => json!(value),
        AMQPValue::ShortUInt(value) => json!(value),
        AMQPValue::LongInt(value) => json!(value),
        AMQPValue::LongUInt(value) => json!(value),
        AMQPValue::LongLongInt(value) => json!(value),
        AMQPValue::Float(value) => json!(value),
        AMQPValue::Double(value) => json!(value),
        AMQPValue::Timestamp(value) => json!(value),
        AMQPValue::ShortString(value) => json!({ "bytes": value.as_str().as_bytes() }),
        AMQPValue::LongString(value) => json!({ "bytes": value.as_bytes() }),
        AMQPValue::ByteArray(value) => json!({ "bytes": value.as_slice() }),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(header).collect(),
        AMQPValue::FieldTable(values) => table(values).into(),
        AMQPValue::DecimalValue(_) | AMQPValue::Void => Value::Null,
    }
}

/// A message of SQS as AWS shows it.
fn record(message: &SqsMessage, queue_url: &str) -> Value {
    let name = queue_url.rsplit('/').next().unwrap_or_default();
    let attributes: Map<String, Value> = message
        .attributes
        .iter()
        .flatten()
        .map(|(attribute, value)| (attribute.as_str().to_owned(), json!(value)))
        .collect();
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:ap-northeast-2:000000000000:{name}"),
        "awsRegion": "ap-northeast-2",
    })
}
