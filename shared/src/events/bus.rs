//! The nudge: tells the relay, after a commit, that the outbox has something.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::aws::Queue;
use crate::rest::Rest;

/// How long a nudge may take. No answer waits for it, but under Lambda the environment takes no other request meanwhile.
const PATIENCE: Duration = Duration::from_millis(150);
/// How long one may take before any has arrived: it makes the client and its connection.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);
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
    under_way: TaskTracker,
    /// A nudge has arrived.
    has_arrived: AtomicBool,
}

impl Bus {
    /// A bus over the SQS queue at this URL. Nothing is connected to before the first nudge.
    pub fn sqs(queue_url: String) -> Self {
        let under_way = TaskTracker::new();
        // Nudges may still begin: it only lets `settled` end whenever there is none.
        under_way.close();
        let (queue, rest) = (Queue::new(queue_url), Rest::of(REST));
        Self::Sqs(Arc::new(NudgeQueue { queue, rest, under_way, has_arrived: AtomicBool::new(false) }))
    }

    /// Tell the relay, in the background. Never fails: a lost nudge delays an event, until the next or the relay's own
    /// schedule, and loses none.
    pub fn nudge(&self) {
        match self {
            Self::Local(notify) => notify.notify_one(),
            Self::Sqs(queue) => {
                let this = queue.clone();
                queue.under_way.spawn(async move { this.nudge().await });
            }
            Self::Off => {}
        }
    }

    /// Wait until no nudge is under way, half a second at most.
    pub async fn settled(&self) {
        if let Self::Sqs(queue) = self {
            queue.under_way.wait().await;
        }
    }
}

impl NudgeQueue {
    async fn nudge(&self) {
        if self.rest.is_on() {
            return;
        }
        let patience = if self.has_arrived.load(Ordering::Relaxed) { PATIENCE } else { FIRST_PATIENCE };
        // What it says does not matter; SQS takes no empty message.
        let why = match timeout(patience, self.queue.send("nudge")).await {
            Ok(Ok(())) => return self.has_arrived.store(true, Ordering::Relaxed),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", patience.as_millis()),
        };
        tracing::warn!(exception = %why, "the relay could not be nudged; its schedule will find the event");
        self.rest.begin();
    }
}
