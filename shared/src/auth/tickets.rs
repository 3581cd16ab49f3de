//! Stream tickets: what a browser's `EventSource`, which cannot send a header, shows instead of its token.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use lru::LruCache;
use redis::AsyncCommands;

use super::tokens::Claims;
use crate::bounded::bounded;
use crate::clock;
use crate::domain::Timestamp;
use crate::error::{Code, Result};
use crate::redis::Redis;

/// How long a ticket is good for.
pub const LIFE: TimeDelta = TimeDelta::seconds(30);
/// Tickets remembered; the oldest is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

/// Issues tickets and takes them back.
#[derive(Clone, Debug)]
pub enum Tickets {
    /// Kept in this process, which also serves the streams.
    Local(LocalTickets),
    /// Kept in Redis, for whichever process serves the stream.
    Redis(Redis),
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
        Self(Arc::new(Mutex::new(bounded(REMEMBERED))))
    }
}

impl Tickets {
    /// A ticket for whoever holds these claims.
    pub async fn issue(&self, claims: Arc<Claims>, now: Timestamp) -> Result<String> {
        let ticket = URL_SAFE_NO_PAD.encode(clock::random::<32>());
        match self {
            Self::Local(LocalTickets(tickets)) => {
                let kept = Kept { claims, until: now + LIFE };
                tickets.lock().unwrap_or_else(PoisonError::into_inner).put(ticket.clone(), kept);
            }
            Self::Redis(redis) => {
                let claims = serde_json::to_string(&*claims)?;
                let life = LIFE.num_seconds().unsigned_abs();
                redis.ask(async |redis| redis.set_ex::<_, _, ()>(key(&ticket), claims, life).await).await?;
            }
        }
        Ok(ticket)
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
            Self::Redis(redis) => {
                let kept: Option<String> = redis.ask(async |redis| redis.get_del(key(ticket)).await).await?;
                let kept = kept.ok_or(Code::InvalidToken)?;
                Ok(Arc::new(serde_json::from_str(&kept)?))
            }
        }
    }
}

fn key(ticket: &str) -> String {
    format!("ticket:{ticket}")
}
