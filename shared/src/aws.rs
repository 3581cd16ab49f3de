//! Queues of SQS.

use aws_config::BehaviorVersion;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use tokio::sync::OnceCell;

use crate::error::{Error, Result};

/// A queue. Its client is made when it is first needed, with the credentials and the region of the environment;
/// `AWS_ENDPOINT_URL` names an emulator instead.
#[derive(Debug)]
pub struct Queue {
    url: String,
    client: OnceCell<Client>,
}

impl Queue {
    /// The queue at this URL.
    pub fn new(url: String) -> Self {
        Self { url, client: OnceCell::new() }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The client to ask it with.
    pub async fn client(&self) -> &Client {
        self.client.get_or_init(async || Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)).await
    }

    /// Send a message. SQS takes no empty one.
    pub async fn send(&self, body: impl Into<String>) -> Result<()> {
        let sent = self.client().await.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(unavailable)
    }
}

/// An error of SQS, with everything it says.
pub fn unavailable(error: impl std::error::Error) -> Error {
    Error::unavailable(DisplayErrorContext(error).to_string())
}
