//! The key that signs tokens, in Secrets Manager: the present one, the one that is to follow, and the one before.
//!
//! Which is which says Secrets Manager's own stage of a version. All three are published, so that a token is good whichever
//! signed it; a rotation is three steps, with a deployment of what checks tokens after each.

use aws_sdk_secretsmanager::Client;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::auth::keys;
use shared::aws::{secrets_manager, unavailable};
use shared::{Error, Result};

/// The present key, the one that is to follow, and the one before.
const STAGES: [&str; 3] = [CURRENT, PENDING, PREVIOUS];
const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The public halves of all keys that a token may have been signed with, the present one first. The first key is made now.
pub(crate) async fn published(secret: &str) -> Result<Value> {
    let store = Store::open(secret).await;
    if store.version(CURRENT).await?.is_none() {
        store.make(CURRENT).await?;
    }
    store.published().await
}

/// Make the key that is to follow, unless there is one. Nothing is signed with it yet: first whoever checks must know it.
pub(crate) async fn prepare(secret: &str) -> Result<Value> {
    let store = Store::open(secret).await;
    if store.version(PENDING).await?.is_none() {
        store.make(PENDING).await?;
    }
    Ok(json!({ "public_keys": store.published().await? }))
}

/// Sign with the key that was to follow from now on. The present one is the one before.
pub(crate) async fn promote(secret: &str) -> Result<Value> {
    let store = Store::open(secret).await;
    let next =
        store.version(PENDING).await?.ok_or_else(|| Error::internal("no key is to follow: prepare one first"))?;
    let present = store.version(CURRENT).await?;
    store.relabel(CURRENT, present.map(|key| key.version), Some(next.version.clone())).await?;
    store.relabel(PENDING, Some(next.version), None).await?;
    Ok(json!({ "public_keys": store.published().await? }))
}

/// Forget the key before: what it signed is no good any more.
pub(crate) async fn retire(secret: &str) -> Result<Value> {
    let store = Store::open(secret).await;
    if let Some(previous) = store.version(PREVIOUS).await? {
        store.relabel(PREVIOUS, Some(previous.version), None).await?;
    }
    Ok(json!({ "public_keys": store.published().await? }))
}

/// The secret that holds the keys.
struct Store<'a> {
    client: Client,
    secret: &'a str,
}

/// A private key.
struct Key {
    version: String,
    pem: String,
}

impl<'a> Store<'a> {
    async fn open(secret: &'a str) -> Self {
        Self { client: secrets_manager().await, secret }
    }

    async fn version(&self, stage: &str) -> Result<Option<Key>> {
        let got = self.client.get_secret_value().secret_id(self.secret).version_stage(stage).send().await;
        match got {
            Ok(value) => {
                let version = value.version_id.ok_or_else(|| Error::internal("a secret without a version"))?;
                Ok(value.secret_string.map(|pem| Key { version, pem }))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                Ok(None)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn make(&self, stage: &str) -> Result<()> {
        let pair = keys::generate().map_err(Error::internal)?;
        let putting = self.client.put_secret_value().secret_id(self.secret).version_stages(stage);
        let put = putting.secret_string(pair.private_pem.expose_secret()).send().await;
        put.map(drop).map_err(unavailable)
    }

    async fn relabel(&self, stage: &str, from: Option<String>, to: Option<String>) -> Result<()> {
        let moving = self.client.update_secret_version_stage().secret_id(self.secret).version_stage(stage);
        let moved = moving.set_remove_from_version_id(from).set_move_to_version_id(to).send().await;
        moved.map(drop).map_err(unavailable)
    }

    async fn published(&self) -> Result<Value> {
        let mut public = Vec::new();
        for stage in STAGES {
            if let Some(key) = self.version(stage).await? {
                public.push(keys::public_of_private(&key.pem).map_err(Error::internal)?);
            }
        }
        Ok(json!({ "keys": public }))
    }
}
