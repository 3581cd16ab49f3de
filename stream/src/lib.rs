//! Server-sent events: the staff's board and the tables' tablets, live.

mod connection;
mod recheck;
mod routes;
mod scrape;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use shared::auth::tokens::Claims;
use shared::events::feed::Feed;
use shared::http::Routes;
use tokio_util::sync::CancellationToken;
use utoipa_axum::routes;

pub use connection::HEARTBEAT;
pub use recheck::INTERVAL as RECHECK_INTERVAL;

/// Everything the open streams of a process share.
#[derive(Clone, Debug)]
pub struct Streams(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    feed: Feed,
    stopped: CancellationToken,
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
    slow_readers: AtomicU64,
}

/// An open stream: whose, and how to close it.
#[derive(Debug)]
struct Open {
    claims: Arc<Claims>,
    closed: CancellationToken,
}

/// Takes a stream off the list when it ends, however it ends.
#[derive(Debug)]
struct Registration {
    streams: Streams,
    id: u64,
}

impl Streams {
    /// Streams that read this feed and end at once when `stopped` is.
    pub fn new(feed: Feed, stopped: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            feed,
            stopped,
            open: Mutex::default(),
            next: AtomicU64::new(0),
            slow_readers: AtomicU64::new(0),
        }))
    }

    /// Streams open now.
    pub fn open_count(&self) -> usize {
        self.open().len()
    }

    /// Readers that have been cut off because they fell too far behind.
    pub fn slow_readers(&self) -> u64 {
        self.0.slow_readers.load(Ordering::Relaxed)
    }

    /// Put a stream on the list. The token is cancelled when the stream must close.
    fn register(&self, claims: Arc<Claims>) -> (Registration, CancellationToken) {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let closed = self.0.stopped.child_token();
        self.open().insert(id, Open { claims, closed: closed.clone() });
        (Registration { streams: self.clone(), id }, closed)
    }

    fn count_slow_reader(&self) {
        self.0.slow_readers.fetch_add(1, Ordering::Relaxed);
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.streams.open().remove(&self.id);
    }
}

/// The routes of this piece.
pub fn router(streams: Streams) -> Routes {
    Routes::default()
        .routes(routes!(routes::for_guest))
        .routes(routes!(routes::for_store_admin))
        .routes(routes!(scrape::metrics))
        .layer(Extension(streams))
}
