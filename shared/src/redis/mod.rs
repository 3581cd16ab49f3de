//! Redis: one connection a process, opened when it is first needed, and how long anybody waits for an answer.
//!
//! Every script is a file beside this one. Keys that belong to a store begin `{<store_id>}:`, so that all of them lie in one
//! slot of a cluster.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{Client, RedisError, RedisResult};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::error::Error;
use crate::rest::Rest;

/// Longest time to open a connection.
const CONNECT: Duration = Duration::from_secs(1);

/// How long an answer may take, and what follows if it does not come.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long somebody waits who can go on without the answer, once there has been one.
    pub glance: Duration,
    /// The longest wait for an answer, the connection's opening included.
    pub answer: Duration,
    /// How long Redis is left alone after it gave none.
    pub rest: Duration,
}

impl Patience {
    /// A request that can do without: it must not become slow with Redis, which takes less than 1 ms.
    pub const REQUEST: Self =
        Self { glance: Duration::from_millis(5), answer: Duration::from_millis(100), rest: Duration::from_secs(5) };
    /// Work that needs Redis and is tried again if it fails.
    pub const WORK: Self =
        Self { glance: Duration::from_secs(5), answer: Duration::from_secs(5), rest: Duration::ZERO };
    /// A stream needs Redis, too. It must have given an answer up before its request is over, or nobody learns that the
    /// connection is silent.
    pub const STREAM: Self = Self { answer: Duration::from_secs(2), ..Self::WORK };
}

/// A connection to Redis that all parts of a process share.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    config: ConnectionManagerConfig,
    connection: Mutex<Connection>,
    patience: Patience,
    rest: Rest,
    has_answered: AtomicBool,
    /// What is still awaited after a glance.
    late: TaskTracker,
}

/// The connection that everybody asks on. The client replaces one that breaks, but not one that is silent, whose server may be
/// gone without a word. That is done here.
#[derive(Clone)]
struct Connection {
    manager: ConnectionManager,
    /// How many there have been before.
    number: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has asked on it yet.
    New,
    /// It is being made, which with TLS may take longer than anybody waits.
    Opening,
    /// It was made, or cannot be.
    Made,
}

impl Connection {
    /// One that is made when somebody asks.
    fn new(client: &Client, config: &ConnectionManagerConfig, number: usize) -> RedisResult<Self> {
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
        Ok(Self { manager, number, state: State::New })
    }
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
        let connection = Mutex::new(Connection::new(&client, &config, 0)?);
        let late = TaskTracker::new();
        // Answers may still become late: it only lets `settled` end whenever none is.
        late.close();
        Ok(Self(Arc::new(Inner {
            client,
            config,
            connection,
            patience,
            rest: Rest::of(patience.rest),
            has_answered: AtomicBool::new(false),
            late,
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
        let Connection { mut manager, number, .. } = self.connection();
        let (asked, longest) = (Instant::now(), self.0.patience.answer);
        let (why, is_silent) = match timeout(longest, question(&mut manager)).await {
            Ok(Ok(answer)) => {
                self.0.has_answered.store(true, Ordering::Relaxed);
                return Ok(answer);
            }
            Ok(Err(error)) => (error.to_string(), error.is_timeout()),
            Err(_) => (format!("no answer within {} ms", longest.as_millis()), true),
        };
        tracing::warn!(exception = %why, "Redis does not answer");
        // A process that was frozen meanwhile has not learnt anything of Redis.
        if asked.elapsed() < 2 * longest {
            self.0.rest.begin();
            if is_silent {
                self.give_up(number);
            }
        }
        Err(Unavailable)
    }

    /// What comes of asking this Redis, for somebody who can go on without it: `None` if it takes longer than
    /// [`Patience::glance`]. Then it goes on in the background.
    pub async fn glance<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        ask: impl FnOnce(Self) -> F,
    ) -> Option<T> {
        let Patience { glance, answer, .. } = self.0.patience;
        // A connection that has to be made first takes longer.
        let longest = if self.0.has_answered.load(Ordering::Relaxed) { glance } else { answer };
        let mut asking = Box::pin(ask(self.clone()));
        if let Ok(answer) = timeout(longest, &mut asking).await {
            return Some(answer);
        }
        // It may lie in the socket, for a task that has not had its turn yet.
        yield_now().await;
        let answer = asking.as_mut().now_or_never();
        if answer.is_none() {
            tracing::info!("Redis is late: the request goes on without it");
            self.0.late.spawn(asking.in_current_span());
        }
        answer
    }

    /// Wait until no answer is late any more, [`Patience::answer`] at most.
    pub async fn settled(&self) {
        self.0.late.wait().await;
    }

    /// The connection to ask on. Whoever is the first has it made, even if that takes longer than anybody waits: else every
    /// request would begin it anew and give it up.
    fn connection(&self) -> Connection {
        let mut connection = self.lock();
        if connection.state == State::New {
            connection.state = State::Opening;
            tokio::spawn(self.clone().make(connection.clone()));
        }
        connection.clone()
    }

    async fn make(self, Connection { mut manager, number, .. }: Connection) {
        let made = redis::cmd("PING").exec_async(&mut manager).await;
        self.lock().state = State::Made;
        match made {
            Ok(()) => self.0.rest.end(),
            Err(_) => self.give_up(number),
        }
    }

    /// Ask on another connection from now on: Redis was found to be gone, and this one may be silent about it.
    pub fn renew(&self) {
        let number = self.lock().number;
        self.give_up(number);
    }

    /// Whoever asks next does so on another connection than this, unless it is still being made.
    fn give_up(&self, number: usize) {
        let mut connection = self.lock();
        if connection.number == number
            && connection.state == State::Made
            // What could be wrong with it would have been wrong with the first.
            && let Ok(next) = Connection::new(&self.0.client, &self.0.config, number + 1)
        {
            *connection = next;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether Redis answers, asked also while it is left alone.
    pub async fn ping(&self) -> RedisResult<()> {
        let Connection { mut manager, number, .. } = self.connection();
        let answer = redis::cmd("PING").exec_async(&mut manager).await;
        if answer.as_ref().is_err_and(RedisError::is_timeout) {
            self.give_up(number);
        }
        answer
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
