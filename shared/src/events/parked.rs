//! Messages that the fan-out cannot read: kept in SQS with the reason, so that they stand in nobody's way.

use serde::{Deserialize, Serialize};

use crate::aws::Queue;
use crate::error::Result;

/// The most base64 text of a message that is kept. SQS takes 256 KiB, everything else in [`Parked`] included.
const LONGEST_DATA: usize = 200 * 1024;
/// The most characters that are kept of anything else: all of it may have come with the message.
const LONGEST_TEXT: usize = 1000;

/// A parked message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The RabbitMQ queue it came from, or `null` if it did not say.
    pub queue: Option<String>,
    /// The id its publisher gave it: the event's.
    pub message_id: Option<String>,
    /// Why it cannot be applied.
    pub reason: String,
    /// The message, in base64 as it came.
    pub data: String,
    /// Whether `data` is only the beginning of it. The whole event is in the outbox, under its id, for 7 days.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Parked {
    /// Park what came as `data`; too much of it, and of everything else, is cut off.
    pub fn new(queue: Option<String>, message_id: Option<String>, reason: String, mut data: String) -> Self {
        let cut = data.len() > LONGEST_DATA;
        if cut {
            data.truncate(data.floor_char_boundary(LONGEST_DATA));
        }
        let [queue, message_id] = [queue, message_id].map(|text| text.as_deref().map(plain));
        Self { queue, message_id, reason: plain(&reason), data, cut }
    }

    /// Keep it in this queue.
    pub async fn keep(&self, queue: &Queue) -> Result<()> {
        queue.send(serde_json::to_string(self)?).await
    }
}

/// The beginning of a text, without the two characters that SQS refuses and JSON does not escape.
fn plain(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).map(|c| if matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c }).collect()
}
