//! Redis: one connection a process, opened when it is first needed, and how long anybody waits for an answer.
//!
//! Every script is a file beside this one. Keys that belong to a store begin `{<store_id>}:`, so that all of them lie in one
//! slot of a cluster.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, RedisResult};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use crate::error::Error;
use crate::rest::Rest;

/// Longest time to open a connection.
const CONNECT: Duration = Duration::from_secs(1);

/// How long an answer may take, and what follows if it does not come.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The longest wait for an answer, the connection's opening included.
    pub answer: Duration,
    /// How long Redis is left alone after it gave none.
    pub rest: Duration,
}

impl Patience {
    /// A request that can do without: it must not become slow with Redis.
    pub const REQUEST: Self = Self { answer: Duration::from_millis(100), rest: Duration::from_secs(5) };
    /// Work that needs Redis and is tried again if it fails.
    pub const WORK: Self = Self { answer: Duration::from_secs(5), rest: Duration::ZERO };
}

/// A connection to Redis that all parts of a process share.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    connection: ConnectionManager,
    patience: Patience,
    rest: Rest,
    /// The first connection is being made, or has been.
    opening: AtomicBool,
}

/// Redis gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis does not answer")
    }
}

impl std::error::Error for Unavailable {}

impl From<Unavailable> for Error {
    fn from(unavailable: Unavailable) -> Self {
        Self::unavailable(unavailable)
    }
}

impl Redis {
    /// A connection to `redis://…`, or with TLS `rediss://…`, made when it is first needed. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn open(url: &SecretString, patience: Patience) -> RedisResult<Self> {
        let client = Client::open(url.expose_secret())?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(patience.answer))
            // Whoever asks next tries again.
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self(Arc::new(Inner {
            client,
            connection,
            patience,
            rest: Rest::of(patience.rest),
            opening: AtomicBool::new(false),
        })))
    }

    /// Ask Redis. No longer than [`Patience::answer`], and not at all for [`Patience::rest`] after a failure.
    pub async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut ConnectionManager) -> RedisResult<T>,
    ) -> Result<T, Unavailable> {
        if self.0.rest.is_on() {
            return Err(Unavailable);
        }
        self.begin_to_open();
        let mut connection = self.0.connection.clone();
        let why = match timeout(self.0.patience.answer, question(&mut connection)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", self.0.patience.answer.as_millis()),
        };
        tracing::warn!(exception = %why, "Redis does not answer");
        self.0.rest.begin();
        Err(Unavailable)
    }

    /// Make the first connection, with TLS perhaps, even if that takes longer than anybody waits: else every request would
    /// begin it anew and give it up. Later ones the client makes by itself.
    fn begin_to_open(&self) {
        if self.0.opening.swap(true, Ordering::Relaxed) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            if this.ping().await.is_ok() {
                this.0.rest.end();
            }
        });
    }

    /// Whether Redis answers, asked also while it is left alone.
    pub async fn ping(&self) -> RedisResult<()> {
        redis::cmd("PING").exec_async(&mut self.0.connection.clone()).await
    }

    /// A connection of its own that messages are received on.
    ///
    /// # Errors
    /// When Redis cannot be reached within a second.
    pub async fn listen(&self) -> RedisResult<PubSub> {
        timeout(CONNECT, self.0.client.get_async_pubsub())
            .await
            .unwrap_or_else(|_| Err((redis::ErrorKind::Io, "no connection within 1 s").into()))
    }
}

impl fmt::Debug for Redis {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("patience", &self.0.patience).finish_non_exhaustive()
    }
}
