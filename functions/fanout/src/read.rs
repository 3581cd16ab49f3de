//! What a batch says: events, and what cannot be read as such.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use shared::domain::event::Envelope;
use shared::events::parked::Parked;
use shared::events::rmq::{SOURCE, VHOST};

/// What a batch says.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Events, in the order of their queues.
    pub(crate) events: Vec<Envelope>,
    /// What is to be parked.
    pub(crate) unreadable: Vec<Parked>,
}

/// Read a batch. What cannot be read stands in nobody's way.
pub(crate) fn batch(mut event: Value) -> Batch {
    let mut batch = Batch::default();
    if event.get("eventSource").and_then(Value::as_str) != Some(SOURCE) {
        batch.unreadable.push(whole(&event, format!("it is no event of {SOURCE}")));
        return batch;
    }
    let Some(Value::Object(queues)) = event.get_mut("rmqMessagesByQueue").map(Value::take) else {
        batch.unreadable.push(whole(&event, "it has no rmqMessagesByQueue".to_owned()));
        return batch;
    };
    for (key, messages) in queues {
        let (queue, vhost) = key.split_once("::").unwrap_or((&key, VHOST));
        let Value::Array(messages) = messages else {
            batch.unreadable.push(whole(&messages, format!("{key} is no list of messages")));
            continue;
        };
        for message in messages {
            match read(&message, vhost) {
                Ok(envelope) => batch.events.push(envelope),
                Err(reason) => batch.unreadable.push(unreadable(queue, message, reason)),
            }
        }
    }
    batch
}

/// An event whose handling panics.
pub(crate) fn panicked(envelope: &Envelope) -> Parked {
    let queue = envelope.event.event_type().queue().to_owned();
    let data = serde_json::to_vec(envelope).map(|json| STANDARD.encode(json)).unwrap_or_default();
    Parked::new(Some(queue), Some(envelope.event_id.to_string()), "its handling panics".to_owned(), data)
}

fn read(message: &Value, vhost: &str) -> Result<Envelope, String> {
    if vhost != VHOST {
        return Err(format!("it is of another virtual host: {vhost}"));
    }
    let data = message.get("data").and_then(Value::as_str).ok_or("it has no data")?;
    let json = STANDARD.decode(data).map_err(|error| format!("its data is no base64: {error}"))?;
    serde_json::from_slice(&json).map_err(|error| format!("it is no event: {error}"))
}

fn unreadable(queue: &str, mut message: Value, reason: String) -> Parked {
    let message_id = message.pointer("/basicProperties/messageId").and_then(Value::as_str).map(str::to_owned);
    match message.get_mut("data").map(Value::take) {
        Some(Value::String(data)) => Parked::new(Some(queue.to_owned()), message_id, reason, data),
        _ => Parked::new(Some(queue.to_owned()), message_id, reason, base64_of(&message)),
    }
}

/// All of it, because nobody can tell what is the message in it.
fn whole(value: &Value, reason: String) -> Parked {
    Parked::new(None, None, reason, base64_of(value))
}

fn base64_of(value: &Value) -> String {
    STANDARD.encode(value.to_string())
}
