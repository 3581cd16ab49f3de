//! Whether a token's owner still stands: the account and its store switched on, the token version unchanged.
//!
//! An answer is good for 30 s in one process, so that is how long a deactivated admin stays in.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use lru::LruCache;
use sqlx::PgPool;

use super::tokens::Claims;
use crate::bounded::bounded;
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
        Self(Mutex::new(bounded(REMEMBERED)))
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
        // Boxed, or every request would carry the room it takes.
        Box::pin(self.check_now(db, claims, now)).await
    }

    /// Check the owner of a good token against the database, and in the same query others who will soon have to be.
    pub async fn check_now(&self, db: &PgPool, claims: &Claims, now: Timestamp) -> Result<Owner> {
        let owner = claims.owner().ok_or(Code::InvalidToken)?;
        let mut asked = vec![owner];
        asked.extend(self.soon_due(owner, now));
        let standings = owners::standings(db, &asked).await?;
        let standing = standings.first().copied().flatten();
        if let Some(standing) = standing {
            self.lock().put(owner, (standing, now));
        }
        self.renew(asked.into_iter().zip(standings).skip(1), now);
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

    /// Remember how others stood, too: neither those who have been forgotten meanwhile nor those of whom more is known.
    fn renew(&self, others: impl Iterator<Item = (Owner, Option<Standing>)>, now: Timestamp) {
        let mut remembered = self.lock();
        for (owner, standing) in others {
            if let (Some(standing), Some(kept)) = (standing, remembered.peek_mut(&owner))
                && kept.1 < now
            {
                *kept = (standing, now);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::Role;

    const OWNER: Owner = Owner { role: Role::Table, id: 1, store_id: None };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000).unwrap()
    }

    fn of_version(token_version: i32) -> Standing {
        Standing { token_version, is_active: true, store_active: true }
    }

    /// The query of another's check may have read before a change that is known here by now.
    #[test]
    fn company_in_a_check_brings_back_nothing_old() {
        let owners = Owners::default();
        owners.lock().put(OWNER, (of_version(2), at(10)));
        owners.renew([(OWNER, Some(of_version(1)))].into_iter(), at(9));
        assert_eq!(owners.remembered(OWNER, at(10)), Some(of_version(2)));

        owners.forget(OWNER);
        owners.renew([(OWNER, Some(of_version(1)))].into_iter(), at(11));
        assert_eq!(owners.remembered(OWNER, at(11)), None);
    }

    #[test]
    fn company_in_a_check_renews() {
        let owners = Owners::default();
        owners.lock().put(OWNER, (of_version(1), at(10)));
        owners.renew([(OWNER, Some(of_version(2)))].into_iter(), at(25));
        assert_eq!(owners.remembered(OWNER, at(54)), Some(of_version(2)));
    }
}
