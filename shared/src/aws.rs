//! What AWS is reached with: the configuration of its clients, queues of SQS, secrets, and how an error of AWS is told.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_secretsmanager as secretsmanager;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use tokio::sync::OnceCell;

use crate::error::{Error, Result};

/// Pause before SQS is asked for the second and last time. The SDK would try three times with up to a second in between, when
/// nobody waits any more: whoever needs a queue comes again by itself.
const BEFORE_RETRY: Duration = Duration::from_millis(10);

/// How AWS is reached: with the credentials and the region of the environment. `AWS_ENDPOINT_URL` names an emulator instead.
pub async fn config() -> SdkConfig {
    config_loader().load().await
}

/// The same, before it is loaded.
pub fn config_loader() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
}

/// A client of Secrets Manager.
pub async fn secrets_manager() -> secretsmanager::Client {
    secretsmanager::Client::new(&config().await)
}

/// A queue. Its client is made when it is first needed.
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
        self.client
            .get_or_init(async || {
                let retry = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(BEFORE_RETRY);
                Client::new(&config_loader().retry_config(retry).load().await)
            })
            .await
    }

    /// Send a message. SQS takes no empty one.
    pub async fn send(&self, body: impl Into<String>) -> Result<()> {
        let sent = self.client().await.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(unavailable)
    }
}

/// An error of AWS, with everything it says.
pub fn unavailable(error: impl std::error::Error) -> Error {
    Error::unavailable(DisplayErrorContext(error).to_string())
}
