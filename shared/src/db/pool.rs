//! The connection pool.

use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio::time::timeout;

/// How many connections a process may hold, when one is checked before use, and how long one may be silent after it.
#[derive(Clone, Debug)]
pub struct PoolSize {
    /// The most connections.
    pub most: u32,
    /// When a connection is checked.
    pub check: Check,
    /// How long a connection may be silent when it is given back, until it is given up. `None`: until TCP does, after some 15
    /// minutes. It costs a round trip, for which only whoever needs the same connection next waits.
    pub silence: Option<Duration>,
}

/// When a connection is checked before use.
#[derive(Clone, Debug)]
pub enum Check {
    /// When it was idle for as long.
    AfterIdle(Duration),
    /// When it was not used since a request began: the environment may have been frozen before.
    OncePerRequest(RequestStart),
}

impl Check {
    fn is_due(&self, idle_for: Duration) -> bool {
        match self {
            Self::AfterIdle(long) => idle_for >= *long,
            Self::OncePerRequest(start) => idle_for >= start.lock().elapsed(),
        }
    }
}

/// When the request began that a process, which serves one at a time, is at.
#[derive(Clone, Debug)]
pub struct RequestStart(Arc<Mutex<Instant>>);

impl Default for RequestStart {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl RequestStart {
    /// A request begins.
    pub fn begin(&self) {
        *self.lock() = Instant::now();
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PoolSize {
    /// The one process that serves everything, beside its database: four connections for each core, at least 8 and at
    /// most 60.
    ///
    /// sqlx hands connections out first in, first out. Whatever a burst has opened stays in turn for an hour, and a server
    /// process that is seldom asked has lost the CPU's caches to the others: docs/DECISIONS.md has the figures.
    pub fn local() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let most = (4 * cores).clamp(8, 60) as u32;
        Self { most, check: Check::AfterIdle(Duration::from_secs(30)), silence: None }
    }

    /// An environment of an HTTP function serves one request at a time, and no request needs two connections at once.
    ///
    /// sqlx gives a connection back in a task of its own. With a second one allowed, the next query of the same request would
    /// find none idle, and log in once more instead of waiting for that: docs/DECISIONS.md has the figures. In an environment
    /// whose connection is silent no other request is served ([`crate::lambda::serve`]).
    pub fn http_function(start: &RequestStart) -> Self {
        Self { most: 1, check: Check::OncePerRequest(start.clone()), silence: None }
    }

    /// An environment of a function that works off events. It may have been frozen since: always checked. One connection may
    /// hold a lock while another works. One that waits for a silent connection is ended by Lambda, with its environment.
    pub const EVENT_FUNCTION: Self = Self { most: 2, check: Check::AfterIdle(Duration::ZERO), silence: None };
    /// A container of streams asks who may open one, and every half minute who still may. It goes on when its database is lost
    /// without a word, and must have it again when that is back.
    pub const STREAM: Self =
        Self { most: 2, check: Check::AfterIdle(Duration::from_secs(30)), silence: Some(Duration::from_secs(1)) };
}

/// How long a query may take before PostgreSQL ends it: beyond the longest request, 10 s, nobody waits for the answer.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle before PostgreSQL ends it. An environment of Lambda that is frozen cannot, and of a version
/// that was replaced some stay for a while. Longer than after what time any pool checks one ([`Check`]).
const LONGEST_IDLE: Duration = Duration::from_secs(5 * 60);
/// The longest wait for a connection. Within it sqlx tries again with exponential back-off, from 10 ms up to 600 ms.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long connections of requests that were cut off are waited for at the end.
pub const CLOSING: Duration = Duration::from_secs(1);
/// A connection is replaced after this time.
const MAX_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// What a database URL means, with the limits that keep a lost client from holding locks.
pub fn connect_options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("table-order").options([
        ("statement_timeout", format!("{}ms", STATEMENT_TIMEOUT.as_millis())),
        ("idle_in_transaction_session_timeout", format!("{}ms", STATEMENT_TIMEOUT.as_millis())),
        ("idle_session_timeout", format!("{}ms", LONGEST_IDLE.as_millis())),
        ("timezone", "UTC".to_owned()),
    ]);
    // Slow queries are told by name, in `telemetry::queries`.
    Ok(options.disable_statement_logging())
}

/// A pool that connects when it is first asked for a connection.
pub fn connect(options: PgConnectOptions, size: PoolSize) -> PgPool {
    let pool = PgPoolOptions::new()
        .max_connections(size.most)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(MAX_LIFETIME)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let check = size.check.is_due(meta.idle_for);
            Box::pin(async move { Ok(!check || connection.ping().await.is_ok()) })
        });
    // sqlx asks every connection that is given back whether it is in order, however long that takes, and lets nobody have
    // another in its place.
    let pool = match size.silence {
        None => pool,
        Some(longest) => pool.after_release(move |connection, _| {
            Box::pin(async move { timeout(longest, connection.ping()).await.map_err(io::Error::from)?.map(|()| true) })
        }),
    };
    pool.connect_lazy_with(options)
}

/// Wait until every connection that was in use is back, and say whether they are.
///
/// A transaction that ends without a commit is rolled back when its connection is given back, which happens after whoever
/// had it is done. A Lambda environment that is frozen before that holds the transaction's locks until it is thawed.
pub async fn at_rest(db: &PgPool, within: Duration) -> bool {
    let back = async {
        while db.num_idle() < db.size() as usize {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(within, back).await.is_ok()
}

/// Close a pool at the end of its process, within [`CLOSING`].
pub async fn close(db: &PgPool) {
    let _ = timeout(CLOSING, db.close()).await;
}
