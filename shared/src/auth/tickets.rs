//! Stream tickets: what a browser's `EventSource`, which cannot send a header, shows instead of its token.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use lru::LruCache;

use super::tokens::Claims;
use crate::clock;
use crate::domain::Timestamp;
use crate::error::{Code, Error, Result};

/// How long a ticket is good for.
pub const LIFE: TimeDelta = TimeDelta::seconds(30);
/// Tickets remembered; the oldest is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

/// Issues tickets and takes them back.
#[derive(Clone, Debug)]
pub enum Tickets {
    /// Kept in this process, which also serves the streams.
    Local(LocalTickets),
    /// This process has no way to hand a ticket to the process that serves the streams.
    Unavailable,
}

/// Tickets kept in this process.
#[derive(Clone, Debug)]
pub struct LocalTickets(Arc<Mutex<LruCache<String, Kept>>>);

/// Whom a ticket was given to.
#[derive(Debug)]
struct Kept {
    claims: Arc<Claims>,
    until: Timestamp,
}

impl Default for LocalTickets {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(REMEMBERED))))
    }
}

impl Tickets {
    /// A ticket for whoever holds these claims.
    pub async fn issue(&self, claims: Arc<Claims>, now: Timestamp) -> Result<String> {
        match self {
            Self::Local(LocalTickets(tickets)) => {
                let ticket = URL_SAFE_NO_PAD.encode(clock::random::<32>());
                tickets
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .put(ticket.clone(), Kept { claims, until: now + LIFE });
                Ok(ticket)
            }
            Self::Unavailable => Err(Error::unavailable("stream tickets are not configured")),
        }
    }

    /// The claims behind a ticket, which is then used up.
    pub async fn redeem(&self, ticket: &str, now: Timestamp) -> Result<Arc<Claims>> {
        match self {
            Self::Local(LocalTickets(tickets)) => {
                let kept = tickets.lock().unwrap_or_else(PoisonError::into_inner).pop(ticket);
                match kept {
                    Some(Kept { claims, until }) if now < until => Ok(claims),
                    _ => Err(Code::InvalidToken.into()),
                }
            }
            Self::Unavailable => Err(Error::unavailable("stream tickets are not configured")),
        }
    }
}
