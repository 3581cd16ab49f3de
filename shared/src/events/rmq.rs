//! The event that AWS's event source mapping makes of messages in RabbitMQ: `aws:rmq`.
//!
//! Ours, because the type of `aws_lambda_events` cannot read an ordinary message (`"priority": null`).
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What `eventSource` says.
pub const SOURCE: &str = "aws:rmq";
/// The virtual host that the service's queues are in.
pub const VHOST: &str = "/";

/// A batch of messages, as it is written.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// [`SOURCE`].
    pub event_source: &'static str,
    /// The broker.
    pub event_source_arn: String,
    /// Messages by `<queue>::<virtual host>`.
    pub rmq_messages_by_queue: BTreeMap<String, Vec<Message>>,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// What its publisher said about it.
    pub basic_properties: Properties,
    /// Whether it may have been delivered before.
    #[serde(default)]
    pub redelivered: bool,
    /// The message, in base64.
    pub data: String,
}

/// AMQP's properties of a message. All are there in what AWS sends, most of them `null`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Properties {
    /// MIME type.
    pub content_type: Option<String>,
    /// MIME encoding.
    pub content_encoding: Option<String>,
    /// Headers; a string arrives as `{"bytes": [72, 105]}`.
    pub headers: Map<String, Value>,
    /// 1 or 2; 2 is kept on disk.
    pub delivery_mode: Option<u8>,
    /// 0 to 9.
    pub priority: Option<u8>,
    /// For answers.
    pub correlation_id: Option<String>,
    /// For answers.
    pub reply_to: Option<String>,
    /// Time to live in milliseconds, as text.
    pub expiration: Option<String>,
    /// The publisher's id of the message: the event's id.
    pub message_id: Option<String>,
    /// When it was published, for people: `Jan 1, 1970, 12:33:41 AM`.
    pub timestamp: Option<String>,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The publisher's login.
    pub user_id: Option<String>,
    /// The publisher.
    pub app_id: Option<String>,
    /// Not in use.
    pub cluster_id: Option<String>,
    /// Bytes of the message.
    pub body_size: usize,
}
