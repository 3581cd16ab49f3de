//! Whether a token's owner still stands: the account and its store switched on, the token version unchanged.
//!
//! An answer is good for 30 s in one process, so that is how long a deactivated admin stays in.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use lru::LruCache;
use sqlx::PgPool;

use super::tokens::Claims;
use crate::db::owners::{self, Owner, Standing};
use crate::domain::Timestamp;
use crate::error::{Code, Result};

/// How long an answer is good for.
pub const LIFE: TimeDelta = TimeDelta::seconds(30);
/// Owners remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// Owners looked at for company in a check, the latest first. A busy store's tablets are checked a few times a minute then,
/// not each.
const LOOKED_AT: usize = 256;

/// Checks tokens' owners and remembers how they stood.
#[derive(Debug)]
pub struct Owners(Mutex<LruCache<Owner, (Standing, Timestamp)>>);

impl Default for Owners {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Owners {
    /// Check the owner of a good token, as of at most [`LIFE`] ago.
    pub async fn check(&self, db: &PgPool, claims: &Claims, now: Timestamp) -> Result<Owner> {
        let owner = claims.owner().ok_or(Code::InvalidToken)?;
        if let Some(standing) = self.remembered(owner, now)
            // A token newer than what is remembered means that the password has just changed.
            && standing.token_version >= claims.ver
        {
            judge(Some(standing), claims)?;
            return Ok(owner);
        }
        self.check_now(db, claims, now).await
    }

    /// Check the owner of a good token against the database, and in the same query others who will soon have to be.
    pub async fn check_now(&self, db: &PgPool, claims: &Claims, now: Timestamp) -> Result<Owner> {
        let owner = claims.owner().ok_or(Code::InvalidToken)?;
        let mut asked = vec![owner];
        asked.extend(self.soon_due(owner, now));
        let standings = owners::standings(db, &asked).await?;
        let standing = standings.first().copied().flatten();
        let mut remembered = self.lock();
        for (owner, standing) in asked.into_iter().zip(standings).skip(1) {
            // Whoever has been forgotten meanwhile stays forgotten.
            if let (Some(standing), Some(kept)) = (standing, remembered.peek_mut(&owner)) {
                *kept = (standing, now);
            }
        }
        if let Some(standing) = standing {
            remembered.put(owner, (standing, now));
        }
        drop(remembered);
        judge(standing, claims)?;
        Ok(owner)
    }

    /// Who has been seen lately and must be checked within half of [`LIFE`].
    fn soon_due(&self, asking: Owner, now: Timestamp) -> Vec<Owner> {
        let remembered = self.lock();
        let lately = remembered.iter().take(LOOKED_AT);
        let due = lately.filter(|&(&owner, &(_, checked_at))| owner != asking && checked_at + LIFE / 2 <= now);
        due.map(|(&owner, _)| owner).collect()
    }

    /// Forget how an owner stood, after a change to it, so that the change counts here with the next request. A request
    /// that is just being checked may still remember the old standing, for [`LIFE`].
    pub fn forget(&self, owner: Owner) {
        self.lock().pop(&owner);
    }

    fn remembered(&self, owner: Owner, now: Timestamp) -> Option<Standing> {
        let mut remembered = self.lock();
        let &(standing, checked_at) = remembered.get(&owner)?;
        (now < checked_at + LIFE).then_some(standing)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<Owner, (Standing, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a token is good, given how its owner stands.
pub fn judge(standing: Option<Standing>, claims: &Claims) -> Result<(), Code> {
    match standing {
        Some(standing) if standing.is_active && standing.token_version == claims.ver => {
            if standing.store_active {
                Ok(())
            } else {
                Err(Code::StoreInactive)
            }
        }
        _ => Err(Code::InvalidToken),
    }
}
