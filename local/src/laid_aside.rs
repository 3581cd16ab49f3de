//! Messages that were laid aside: those the fan-out parked in SQS, and those RabbitMQ's queues gave up. To look at, and to
//! send again once what was wrong has been mended.

use std::time::Duration;

use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, QueueAttributeName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use metrics::gauge;
use secrecy::SecretString;
use shared::aws::{Queue, unavailable};
use shared::domain::event::EventType;
use shared::events::parked::Parked;
use shared::events::topology;
use shared::rabbitmq::{self, in_time};
use shared::telemetry::metrics::LAID_ASIDE_MESSAGES;

/// What went wrong, as a sentence.
pub type Trouble = Box<dyn std::error::Error>;

/// How long SQS hides from others what is being looked at, in seconds.
const HIDDEN: i32 = 60;
/// How long SQS looks for messages on all its servers, in seconds.
const LOOKING: i32 = 1;
/// The most messages SQS gives or takes at once.
const SQS_BATCH: i32 = 10;
/// How long SQS may take to tell how many messages lie in a queue.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where S3's notifications lie that `images` failed on too often: beside the queue of uploads.
pub fn dead_uploads(upload_queue_url: &str) -> String {
    format!("{upload_queue_url}-dead")
}

/// Measure how many messages lie in these queues of SQS, as CloudWatch does on AWS.
pub async fn measure(queues: &[Queue]) {
    join_all(queues.iter().map(async |queue| {
        // With SQS away the gauge keeps its last value.
        if let Ok(Some(messages)) = tokio::time::timeout(PATIENCE, count(queue)).await {
            let name = queue.url().rsplit('/').next().unwrap_or_default().to_owned();
            gauge!(LAID_ASIDE_MESSAGES, "queue" => name).set(messages);
        }
    }))
    .await;
}

/// How many messages lie in a queue, those that somebody is looking at included.
async fn count(queue: &Queue) -> Option<f64> {
    let kinds =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    let asked = queue.client().await.get_queue_attributes().queue_url(queue.url());
    let answer = asked.set_attribute_names(Some(kinds.to_vec())).send().await.ok()?;
    let attributes = answer.attributes()?;
    kinds.iter().map(|kind| attributes.get(kind)?.parse::<f64>().ok()).sum()
}

/// A message that was laid aside.
#[derive(Debug)]
pub struct Message {
    /// The RabbitMQ queue it came from, if that is known.
    pub queue: Option<String>,
    /// The id its publisher gave it: the event's.
    pub message_id: Option<String>,
    /// Why it was laid aside.
    pub reason: String,
    /// What it says, as far as it was kept.
    pub data: Vec<u8>,
    /// Whether all of it was kept.
    pub whole: bool,
    lies: Lies,
}

/// Where a message lies, and how to take it away.
#[derive(Debug)]
enum Lies {
    Parked { receipt: String },
    Dead { delivery_tag: u64 },
}

impl Message {
    /// `parked` in SQS by the fan-out, or `dead`, given up by its queue in RabbitMQ.
    pub fn place(&self) -> &'static str {
        match self.lies {
            Lies::Parked { .. } => "parked",
            Lies::Dead { .. } => "dead",
        }
    }
}

/// Everything that was laid aside, held as long as this value lives: nobody else sees it meanwhile.
pub struct LaidAside {
    /// The messages.
    pub messages: Vec<Message>,
    parked: Queue,
    channel: Channel,
    connection: Connection,
}

impl LaidAside {
    /// Look for it in both places.
    pub async fn find(rabbitmq_url: &SecretString, parked_queue_url: &str) -> Result<Self, Trouble> {
        let connection = rabbitmq::connect(rabbitmq_url, "table-order events").await?;
        let channel = in_time(connection.create_channel()).await?;
        in_time(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        in_time(topology::declare(&channel)).await?;
        let parked = Queue::new(parked_queue_url.to_owned());
        let mut messages = find_parked(&parked).await?;
        for event_type in EventType::ALL {
            messages.extend(find_dead(&channel, event_type.queue()).await?);
        }
        Ok(Self { messages, parked, channel, connection })
    }

    /// Put everything back where it lay.
    pub async fn put_back(self) -> Result<(), Trouble> {
        let receipt = |message: &'_ Message| match &message.lies {
            Lies::Parked { receipt } => Some(receipt.clone()),
            Lies::Dead { .. } => None,
        };
        let receipts: Vec<_> = self.messages.iter().filter_map(receipt).collect();
        for receipts in receipts.chunks(SQS_BATCH as usize) {
            let mut shown = self.parked.client().await.change_message_visibility_batch().queue_url(self.parked.url());
            for (number, receipt) in receipts.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(number.to_string());
                shown = shown.entries(entry.receipt_handle(receipt).visibility_timeout(0).build()?);
            }
            shown.send().await.map_err(unavailable)?;
        }
        // What was not acknowledged goes back with the connection.
        Ok(in_time(self.connection.close(200, "done".into())).await?)
    }

    /// Send a message to its queue again and take it away from where it lay. The fan-out counts an event once, however
    /// often it comes.
    ///
    /// # Errors
    /// When it cannot be sent: then it stays where it lies.
    pub async fn replay(&self, message: &Message) -> Result<(), Trouble> {
        let queue = message.queue.as_deref().ok_or("its queue is not known")?;
        if !message.whole {
            return Err("only its beginning was kept; the whole event is in the outbox".into());
        }
        let mut properties =
            BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into());
        if let Some(id) = &message.message_id {
            properties = properties.with_message_id(id.as_str().into());
        }
        let confirmation = in_time(async {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            // The nameless exchange takes a queue's name for a routing key.
            let published = self.channel.basic_publish("".into(), queue.into(), options, &message.data, properties);
            published.await?.await
        })
        .await?;
        if confirmation != Confirmation::Ack(None) {
            return Err(format!("there is no queue {queue}").into());
        }
        match &message.lies {
            Lies::Parked { receipt } => {
                let deleted = self.parked.client().await.delete_message().queue_url(self.parked.url());
                deleted.receipt_handle(receipt).send().await.map_err(unavailable)?;
            }
            Lies::Dead { delivery_tag } => {
                in_time(self.channel.basic_ack(*delivery_tag, BasicAckOptions::default())).await?;
            }
        }
        Ok(())
    }
}

async fn find_parked(queue: &Queue) -> Result<Vec<Message>, Trouble> {
    let mut messages = Vec::new();
    loop {
        let received = queue
            .client()
            .await
            .receive_message()
            .queue_url(queue.url())
            .max_number_of_messages(SQS_BATCH)
            .visibility_timeout(HIDDEN)
            .wait_time_seconds(LOOKING)
            .send()
            .await
            .map_err(unavailable)?;
        if received.messages().is_empty() {
            return Ok(messages);
        }
        for received in received.messages.unwrap_or_default() {
            let (body, receipt) = (received.body.unwrap_or_default(), received.receipt_handle.unwrap_or_default());
            let lies = Lies::Parked { receipt };
            messages.push(match serde_json::from_str::<Parked>(&body) {
                Ok(parked) => {
                    // What was no base64 when it came cannot be told from text.
                    let data = STANDARD.decode(&parked.data).unwrap_or_else(|_| parked.data.into_bytes());
                    let Parked { queue, message_id, reason, cut, .. } = parked;
                    Message { queue, message_id, reason, data, whole: !cut, lies }
                }
                Err(error) => Message {
                    queue: None,
                    message_id: None,
                    reason: format!("the fan-out did not park it: {error}"),
                    data: body.into_bytes(),
                    whole: true,
                    lies,
                },
            });
        }
    }
}

async fn find_dead(channel: &Channel, queue: &str) -> Result<Vec<Message>, Trouble> {
    let dead_letters = topology::dead_letter_queue(queue);
    let mut messages = Vec::new();
    while let Some(got) = in_time(channel.basic_get(dead_letters.as_str().into(), BasicGetOptions::default())).await? {
        let delivery = got.delivery;
        messages.push(Message {
            queue: Some(queue.to_owned()),
            message_id: delivery.properties.message_id().as_ref().map(ToString::to_string),
            reason: format!("{queue} gave it up after too many deliveries"),
            data: delivery.data,
            whole: true,
            lies: Lies::Dead { delivery_tag: delivery.delivery_tag },
        });
    }
    Ok(messages)
}
