//! One stream, from `ready` to its end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use shared::auth::tokens::Claims;
use shared::domain::TableId;
use shared::domain::account::Role;
use shared::events::feed::{Entry, Live, MOST_BEHIND, Position, Signal, for_guest};
use shared::{App, Code, Result};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{Registration, Streams};

/// How often a comment keeps a silent connection open.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// What a client waits before it comes back, in milliseconds.
const RETRY_MS: u32 = 3_000;

/// A stream that is open.
pub(crate) struct Connection {
    /// What is to be sent before anything live: the opening, and what was missed.
    waiting: VecDeque<Bytes>,
    live: Live,
    /// The caller's table, if it is a guest.
    table_id: Option<TableId>,
    /// When the last frame was handed out.
    sent_at: Instant,
    expires_at: Instant,
    /// Ready when a heartbeat may be due, or the token has expired. Set anew only then, not with every event.
    timer: Pin<Box<Sleep>>,
    closed: CancellationToken,
    streams: Streams,
    ended: bool,
    /// It fell further behind than the feed keeps for it.
    too_slow: bool,
    registration: Registration,
}

/// Open a stream. Its first frames are `retry` and `ready`; then comes what was missed, then what happens.
///
/// `ready` carries the position that the stream goes on from. When something is replayed that is where the client left, so
/// that a connection cut off right here loses nothing.
pub(crate) async fn open(
    app: &App,
    streams: Streams,
    claims: Arc<Claims>,
    left_at: Option<String>,
) -> Result<Connection> {
    let now = app.clock.now();
    let store_id = claims.store_id.ok_or(Code::InvalidToken)?;
    let table_id = if claims.role == Role::Table { claims.table_id } else { None };
    let life = Duration::from_secs((claims.exp - now.as_seconds()).try_into().unwrap_or(0));
    let (registration, closed) = streams.register(claims)?;
    let subscription = streams.0.feed.subscribe(store_id, left_at.as_deref(), now).await?;

    let mut waiting = VecDeque::new();
    match subscription.missed {
        Ok(missed) => {
            let missed = match table_id {
                Some(table_id) => for_guest(missed, table_id),
                None => missed,
            };
            let from = match left_at {
                Some(left_at) if !missed.is_empty() => left_at,
                _ => subscription.position.to_string(),
            };
            waiting.push_back(opening(&from));
            waiting.extend(missed.iter().map(|entry| entry.frame.clone()));
        }
        Err(_) => {
            waiting.push_back(opening(&subscription.position.to_string()));
            waiting.push_back(resync(&subscription.position));
        }
    }
    let now = Instant::now();
    let expires_at = now + life;
    Ok(Connection {
        waiting,
        live: subscription.live,
        table_id,
        sent_at: now,
        expires_at,
        timer: Box::pin(sleep_until(expires_at.min(now + HEARTBEAT))),
        closed,
        streams,
        ended: false,
        too_slow: false,
        registration,
    })
}

fn opening(position: &str) -> Bytes {
    format!("retry: {RETRY_MS}\nid: {position}\nevent: ready\ndata: {{}}\n\n").into()
}

/// The order to load again. The feed goes on from here.
fn resync(position: &Position) -> Bytes {
    format!("id: {position}\nevent: resync\ndata: {{}}\n\n").into()
}

impl Connection {
    /// The next frame that waited when the stream was opened.
    pub(crate) fn next_waiting(&mut self) -> Option<Bytes> {
        if self.closed.is_cancelled() { None } else { self.waiting.pop_front() }
    }

    /// The next frame, or `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if self.closed.is_cancelled() {
            return self.close();
        }
        if let Some(frame) = self.waiting.pop_front() {
            return Some(frame);
        }
        loop {
            tokio::select! {
                biased;
                () = self.closed.cancelled() => return self.close(),
                () = &mut self.timer => {
                    if let Some(frame) = self.due() {
                        return Some(frame);
                    }
                }
                received = self.live.next() => match received {
                    Ok(Signal::Event(entry)) if self.may_see(&entry) => {
                        self.sent_at = Instant::now();
                        return Some(entry.frame.clone());
                    }
                    Ok(Signal::Event(_)) => {}
                    Ok(Signal::Resync(position)) => {
                        self.sent_at = Instant::now();
                        return Some(resync(&position));
                    }
                    Err(RecvError::Lagged(_)) => {
                        self.ended = true;
                        self.too_slow = true;
                        return None;
                    }
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    /// What is due when the timer is ready, if anything is.
    fn due(&mut self) -> Option<Bytes> {
        let now = Instant::now();
        if now >= self.expires_at {
            self.ended = true;
            return Some(Bytes::from_static(b"event: token_expired\ndata: {}\n\n"));
        }
        let silent = now >= self.sent_at + HEARTBEAT;
        if silent {
            self.sent_at = now;
        }
        self.timer.as_mut().reset(self.expires_at.min(self.sent_at + HEARTBEAT));
        silent.then(|| Bytes::from_static(b": keep-alive\n\n"))
    }

    /// The end of a stream that was closed. What it has not sent is replayed when its client comes back.
    fn close(&mut self) -> Option<Bytes> {
        self.ended = true;
        self.registration.farewell().map(Bytes::from)
    }

    fn may_see(&self, entry: &Entry) -> bool {
        match (self.table_id, entry.table_id) {
            (Some(own), Some(table)) => own == table,
            (None, _) | (_, None) => true,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A reader that has stopped altogether is found out here, once its socket's write time-out has ended it.
        if self.too_slow || self.live.behind() > MOST_BEHIND {
            self.streams.count_slow_reader();
        }
    }
}
