//! Every query by name: how long it took, and whether that was too long.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};

use super::metrics::{DB_QUERY_DURATION_SECONDS, SLOW_QUERIES_TOTAL};

/// Beyond this a query is slow.
static SLOW: OnceLock<Duration> = OnceLock::new();

/// From now on, say of every query that takes longer that it is slow. The first call counts.
pub fn slow_after(limit: Duration) {
    let _ = SLOW.set(limit);
}

/// Gives a query its name.
pub(crate) trait Named: Future + Send + Sized {
    /// Carry it out under a name: its file and function, such as `orders.find`.
    fn named(self, name: &'static str) -> impl Future<Output = Self::Output> + Send {
        async move {
            let _measured = Measured { name, begun: Instant::now() };
            self.await
        }
    }
}

impl<T: Future + Send> Named for T {}

/// Measures until it is dropped: a query that is given up, because its request has timed out, counts too.
struct Measured {
    name: &'static str,
    begun: Instant,
}

impl Drop for Measured {
    fn drop(&mut self) {
        let (query_name, took) = (self.name, self.begun.elapsed());
        histogram!(DB_QUERY_DURATION_SECONDS, "query_name" => query_name).record(took);
        if SLOW.get().is_some_and(|&limit| took > limit) {
            counter!(SLOW_QUERIES_TOTAL, "query_name" => query_name).increment(1);
            tracing::warn!(query_name, duration_ms = took.as_millis() as u64, "slow query");
        }
    }
}
