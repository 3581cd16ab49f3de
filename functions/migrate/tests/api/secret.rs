//! A secret of Secrets Manager for one test, on the stand-in that `with-services` started.

use aws_sdk_secretsmanager::Client;
use shared::aws::secrets_manager;
use shared::clock;

/// A secret that nobody else knows. Nothing is in it yet, as in one that a stack has made.
pub(crate) struct TestSecret {
    client: Client,
    pub(crate) arn: String,
}

impl TestSecret {
    pub(crate) async fn create() -> Self {
        let client = secrets_manager().await;
        let name = format!("test/{}", u128::from_ne_bytes(clock::random()));
        let created = client.create_secret().name(name).send().await.unwrap();
        Self { client, arn: created.arn.unwrap() }
    }

    /// What is in it at a stage.
    pub(crate) async fn value(&self, stage: &str) -> Option<String> {
        let got = self.client.get_secret_value().secret_id(&self.arn).version_stage(stage).send().await;
        got.ok()?.secret_string
    }
}
