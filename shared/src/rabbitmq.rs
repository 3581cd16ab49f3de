//! A connection to RabbitMQ, within a time.

use std::fmt;
use std::time::Duration;

use lapin::{Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use crate::error::Error;

/// Longest time to open a connection, or for any single answer.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// RabbitMQ could not be reached, or did not do as asked.
#[derive(Debug)]
pub struct Unavailable(String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RabbitMQ: {}", self.0)
    }
}

impl std::error::Error for Unavailable {}

impl From<lapin::Error> for Unavailable {
    fn from(error: lapin::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Unavailable> for Error {
    fn from(unavailable: Unavailable) -> Self {
        Self::unavailable(unavailable)
    }
}

/// Connect. `name` is what RabbitMQ's own pages call the connection.
pub async fn connect(url: &SecretString, name: &str) -> Result<Connection, Unavailable> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    in_time(Connection::connect(url.expose_secret(), properties)).await
}

/// Wait for an answer, but not longer than [`PATIENCE`].
pub async fn in_time<T>(answer: impl Future<Output = lapin::Result<T>>) -> Result<T, Unavailable> {
    within(Instant::now() + PATIENCE, async { Ok(answer.await?) }).await
}

/// Wait for what needs several answers, but no longer than until then.
pub async fn within<T>(
    until: Instant,
    answers: impl Future<Output = Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    timeout_at(until, answers).await.unwrap_or_else(|_| Err(Unavailable("no answer in time".to_owned())))
}
