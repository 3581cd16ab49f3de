//! A queue of SQS for one test, on the stand-in that `with-services` started.

use std::env;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use tokio::time::timeout;

use crate::aws::Queue;
use crate::clock;

/// A queue that nobody else knows.
#[derive(Debug)]
pub struct TestQueue(Queue);

impl TestQueue {
    /// A new one.
    pub async fn create() -> Self {
        let queue = Self::not_there_yet();
        queue.make().await;
        queue
    }

    /// One that is not there before [`TestQueue::make`].
    pub fn not_there_yet() -> Self {
        let endpoint = env::var("AWS_ENDPOINT_URL").expect("tests need SQS: run `make test`");
        let name = format!("test-{}", uuid::Uuid::from_bytes(clock::random()).simple());
        Self(Queue::new(format!("{endpoint}/123456789012/{name}")))
    }

    /// Make it.
    pub async fn make(&self) {
        let name = self.url().rsplit('/').next().unwrap();
        self.0.client().await.create_queue().queue_name(name).send().await.unwrap();
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Put something into it.
    pub async fn send(&self, body: &str) {
        self.0.send(body).await.unwrap();
    }

    /// Everything in it, taken out of it.
    pub async fn take(&self) -> Vec<String> {
        let (client, mut bodies) = (self.0.client().await, Vec::new());
        loop {
            let received =
                client.receive_message().queue_url(self.url()).max_number_of_messages(10).send().await.unwrap();
            if received.messages().is_empty() {
                return bodies;
            }
            for message in received.messages() {
                bodies.push(message.body().unwrap().to_owned());
                let deleted = client.delete_message().queue_url(self.url());
                deleted.set_receipt_handle(message.receipt_handle.clone()).send().await.unwrap();
            }
        }
    }

    /// How many messages are given out at the moment, and not done with.
    pub async fn hidden(&self) -> usize {
        self.number_of(QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await
    }

    /// Wait until there is none, also none that was given out.
    pub async fn until_empty(&self, patience: Duration) {
        let waiting = async {
            while self.hidden().await + self.number_of(QueueAttributeName::ApproximateNumberOfMessages).await > 0 {}
        };
        timeout(patience, waiting).await.expect("the queue is not emptied");
    }

    async fn number_of(&self, attribute: QueueAttributeName) -> usize {
        let asked = self.0.client().await.get_queue_attributes().queue_url(self.url());
        let answer = asked.attribute_names(attribute.clone()).send().await.unwrap();
        answer.attributes().unwrap()[&attribute].parse().unwrap()
    }

    /// The same, each read as JSON.
    pub async fn take_json(&self) -> Vec<Value> {
        self.take().await.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }
}
