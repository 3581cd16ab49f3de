//! What wakes the function: a batch of SQS messages, each with a notification of S3, or its schedule.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

/// What woke the function.
#[derive(Debug)]
pub(crate) enum Event {
    /// Messages of the queue of uploads.
    Messages(Vec<Message>),
    /// The schedule.
    Schedule,
}

/// A message, and what it says.
#[derive(Debug)]
pub(crate) struct Message {
    /// What SQS knows it by.
    pub(crate) id: String,
    /// Keys of uploads; an error when it cannot be read.
    pub(crate) uploads: Result<Vec<String>, String>,
}

#[derive(Deserialize)]
struct Notification {
    /// Absent from the one that S3 sends when it is told where to send them.
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
    #[serde(rename = "Event")]
    event: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    s3: S3,
}

#[derive(Deserialize)]
struct S3 {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    key: String,
}

/// Read what woke the function. Fields that we do not know may be there, whatever version the notification has.
pub(crate) fn read(event: &Value) -> Event {
    match event.get("Records").and_then(Value::as_array) {
        Some(records) => Event::Messages(records.iter().map(message).collect()),
        None => Event::Schedule,
    }
}

fn message(record: &Value) -> Message {
    let text = |name| record.get(name).and_then(Value::as_str).unwrap_or_default();
    Message { id: text("messageId").to_owned(), uploads: uploads(text("body")) }
}

fn uploads(body: &str) -> Result<Vec<String>, String> {
    let notification: Notification = serde_json::from_str(body).map_err(|error| error.to_string())?;
    match (notification.records, notification.event.as_deref()) {
        (Some(records), _) => records.into_iter().map(|record| decoded(&record.s3.object.key)).collect(),
        (None, Some("s3:TestEvent")) => Ok(Vec::new()),
        (None, _) => Err("it is no notification of S3".to_owned()),
    }
}

/// S3 writes keys as in an HTML form.
fn decoded(key: &str) -> Result<String, String> {
    let key = key.replace('+', " ");
    Ok(percent_decode_str(&key).decode_utf8().map_err(|error| error.to_string())?.into_owned())
}
