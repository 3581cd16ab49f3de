//! Server-sent events: the staff's board and the tables' tablets, live.

mod body;
mod connection;
pub mod container;
mod drain;
mod recheck;
mod routes;
mod scrape;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use shared::auth::tokens::Claims;
use shared::events::feed::Feed;
use shared::http::{Routes, server};
use shared::{App, Code, routes};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use connection::HEARTBEAT;
pub use drain::{RETRY, SPREAD};
pub use recheck::INTERVAL as RECHECK_INTERVAL;

/// Everything the open streams of a process share.
#[derive(Clone, Debug)]
pub struct Streams(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    feed: Feed,
    stopped: CancellationToken,
    list: Mutex<List>,
    /// Told when the last stream on the list has ended.
    emptied: Notify,
    next: AtomicU64,
    slow_readers: AtomicU64,
}

/// The open streams, by their numbers.
#[derive(Debug, Default)]
struct List {
    open: HashMap<u64, Open>,
    /// No stream is taken on any more.
    draining: bool,
}

/// An open stream: whose, and how to close it.
#[derive(Debug)]
struct Open {
    claims: Arc<Claims>,
    closed: CancellationToken,
    /// It is closed because the process ends, and its client shall come back, to another.
    dismissed: bool,
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
            list: Mutex::default(),
            emptied: Notify::new(),
            next: AtomicU64::new(0),
            slow_readers: AtomicU64::new(0),
        }))
    }

    /// Streams open now.
    pub fn open_count(&self) -> usize {
        self.list().open.len()
    }

    /// Readers that have been cut off because they fell too far behind.
    pub fn slow_readers(&self) -> u64 {
        self.0.slow_readers.load(Ordering::Relaxed)
    }

    /// Serve until stopped, and meanwhile do what open streams need. Requests under way then have `patience` to end.
    pub async fn serve(self, app: App, listener: TcpListener, service: Router, patience: Duration) -> io::Result<()> {
        let stopped = self.0.stopped.clone();
        let keeping_up = tokio::spawn(app.metrics.clone().keep_up(stopped.clone()));
        let rechecking = tokio::spawn(self.clone().recheck_regularly(app));
        let serving = async {
            let served = server::serve(listener, service, stopped.clone(), patience).await;
            // Also when serving failed: nothing may outlive it.
            stopped.cancel();
            served
        };
        // Streams go on past the server: their last frames have to get through, too.
        let ending = async {
            stopped.cancelled().await;
            tokio::time::timeout(patience, self.all_gone()).await.is_ok()
        };
        let (served, _) = tokio::join!(serving, ending);
        keeping_up.await?;
        rechecking.await?;
        served
    }

    /// End every stream at once, and what serves them.
    pub(crate) fn stop(&self) {
        self.0.stopped.cancel();
    }

    /// Put a stream on the list, unless the process is about to end. The token is cancelled when the stream must close.
    fn register(&self, claims: Arc<Claims>) -> Result<(Registration, CancellationToken), Code> {
        let mut list = self.list();
        if list.draining {
            return Err(Code::ServiceUnavailable);
        }
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let closed = self.0.stopped.child_token();
        list.open.insert(id, Open { claims, closed: closed.clone(), dismissed: false });
        drop(list);
        Ok((Registration { streams: self.clone(), id }, closed))
    }

    fn count_slow_reader(&self) {
        self.0.slow_readers.fetch_add(1, Ordering::Relaxed);
    }

    fn list(&self) -> std::sync::MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut list = self.streams.list();
        list.open.remove(&self.id);
        if list.open.is_empty() {
            self.streams.0.emptied.notify_waiters();
        }
    }
}

/// The routes of this piece.
pub fn router(streams: Streams) -> Routes {
    Routes::default()
        .routes(routes!(routes::for_guest))
        .routes(routes!(routes::for_store_admin))
        .routes(routes!(scrape::metrics))
        .with_extension(streams)
}
