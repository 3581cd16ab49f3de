//! The connection pool.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};

/// How many connections a process may hold, and when one is checked before use.
#[derive(Clone, Copy, Debug)]
pub struct PoolSize {
    /// The most connections.
    pub most: u32,
    /// A connection idle for longer is checked before use.
    pub check_after_idle: Duration,
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
        Self { most, check_after_idle: Duration::from_secs(30) }
    }
    /// A Lambda environment serves one request at a time. It may have been frozen since: always checked.
    pub const LAMBDA: Self = Self { most: 2, check_after_idle: Duration::ZERO };
    /// A container of streams asks who may open one, and every half minute who still may.
    pub const STREAM: Self = Self { most: 2, check_after_idle: Duration::from_secs(30) };
}

/// How long a query may take before PostgreSQL ends it: beyond the longest request, 10 s, nobody waits for the answer.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle before PostgreSQL ends it. An environment of Lambda that is frozen cannot, and of a version
/// that was replaced some stay for a while. Longer than after what time any pool checks one ([`PoolSize::check_after_idle`]).
const LONGEST_IDLE: Duration = Duration::from_secs(5 * 60);
/// Longest wait for a connection. Within it sqlx tries again with exponential back-off, from 10 ms up to 600 ms.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
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
    PgPoolOptions::new()
        .max_connections(size.most)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(MAX_LIFETIME)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            Box::pin(async move {
                if meta.idle_for >= size.check_after_idle {
                    return Ok(connection.ping().await.is_ok());
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

/// Wait until every connection that was in use is back, within [`CLOSING`].
///
/// A transaction that ends without a commit is rolled back when its connection is given back, which happens after whoever
/// had it is done. A Lambda environment that is frozen before that holds the transaction's locks until it is thawed.
pub async fn at_rest(db: &PgPool) {
    let back = async {
        while db.num_idle() < db.size() as usize {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let _ = tokio::time::timeout(CLOSING, back).await;
}

/// Close a pool at the end of its process, within [`CLOSING`].
pub async fn close(db: &PgPool) {
    let _ = tokio::time::timeout(CLOSING, db.close()).await;
}
