//! The nudge: tells the relay, after a commit, that the outbox has something.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::aws::Queue;
use crate::rest::Rest;

/// How long a nudge may keep an answer waiting.
const PATIENCE: Duration = Duration::from_millis(150);
/// How long SQS is left alone after a failure.
const REST: Duration = Duration::from_secs(5);

/// Tells the relay of new events.
#[derive(Clone, Debug)]
pub enum Bus {
    /// The relay runs in this process.
    Local(Arc<Notify>),
    /// The relay is a function that SQS wakes.
    Sqs(Arc<NudgeQueue>),
    /// This process makes no events.
    Off,
}

/// The queue that wakes the relay.
#[derive(Debug)]
pub struct NudgeQueue {
    queue: Queue,
    rest: Rest,
}

impl Bus {
    /// A bus over the SQS queue at this URL. Nothing is connected to before the first nudge.
    pub fn sqs(queue_url: String) -> Self {
        Self::Sqs(Arc::new(NudgeQueue { queue: Queue::new(queue_url), rest: Rest::of(REST) }))
    }

    /// Tell the relay. Never fails: a lost nudge delays an event, until the next or the relay's own schedule, and loses
    /// none.
    pub async fn nudge(&self) {
        match self {
            Self::Local(notify) => notify.notify_one(),
            Self::Sqs(queue) => queue.nudge().await,
            Self::Off => {}
        }
    }
}

impl NudgeQueue {
    async fn nudge(&self) {
        if self.rest.is_on() {
            return;
        }
        // What it says does not matter; SQS takes no empty message.
        let why = match timeout(PATIENCE, self.queue.send("nudge")).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", PATIENCE.as_millis()),
        };
        tracing::warn!(exception = %why, "the relay could not be nudged; its schedule will find the event");
        self.rest.begin();
    }
}
