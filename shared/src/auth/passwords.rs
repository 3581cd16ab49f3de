//! Passwords, kept as bcrypt hashes.
//!
//! Hashing takes about 0.2 s of CPU. It runs off the async threads and only so much at a time, so that a flood of logins
//! makes logins wait and nothing else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Code, Error, Result};

/// The work factor: 2^12 rounds.
pub const COST: u32 = 12;
/// bcrypt reads no more bytes of a password.
pub const LONGEST: usize = 71;
/// How long a login waits for its turn before it is told to come again. Below the time-out of a write, 10 s.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// The most that are hashed at a time, on however many cores: fewer than an address may get wrong.
const MOST_AT_WORK: usize = 16;
/// How many may wait: what one core hashes in that time.
const MOST_WAITING: usize = 40;

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    cost: u32,
    at_work: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

/// A place at work, without which nothing is hashed.
#[derive(Debug)]
pub struct Turn {
    cost: u32,
    _at_work: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

impl Passwords {
    /// With a work factor (4 to 31), leaving one core to everything else.
    pub fn new(cost: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_work = cores.saturating_sub(1).clamp(1, MOST_AT_WORK);
        Self {
            cost,
            at_work: Arc::new(Semaphore::new(at_work)),
            admitted: Arc::new(Semaphore::new(at_work + MOST_WAITING)),
        }
    }

    /// Wait for a turn. 503 when too many wait already, or it takes too long.
    pub async fn turn(&self) -> Result<Turn> {
        let busy = || Error::unavailable("too many passwords to hash at once");
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| busy())?;
        let waited = tokio::time::timeout(LONGEST_WAIT, self.at_work.clone().acquire_owned()).await;
        let at_work = waited.map_err(|_| busy())?.map_err(Error::internal)?;
        Ok(Turn { cost: self.cost, _at_work: at_work, _admitted: admitted })
    }

    /// Hash a new password of at most [`LONGEST`] bytes.
    pub async fn hash(&self, password: String) -> Result<String> {
        let turn = self.turn().await?;
        blocking(move || {
            let _turn = &turn;
            bcrypt::non_truncating_hash(password, turn.cost)
        })
        .await?
        .map_err(Error::internal)
    }
}

impl Turn {
    /// Check a password against an account's hash, or, if there is no such account, against one that nothing fits: it
    /// takes the same time.
    pub async fn verify(self, password: String, hash: Option<String>) -> Result<(), Error> {
        let known = hash.is_some() && password.len() <= LONGEST;
        let hash = hash.filter(|_| known).unwrap_or_else(|| unfitting(self.cost));
        let fits = blocking(move || {
            let _turn = &self;
            bcrypt::verify(password, &hash)
        })
        .await?
        .map_err(Error::internal)?;
        if known && fits { Ok(()) } else { Err(Code::InvalidCredentials.into()) }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

/// A well-formed hash of nothing known.
fn unfitting(cost: u32) -> String {
    format!("$2b${cost:02}$CwTycUXWue0Thq9StjUM0uJ8.PkJxNzSBYXwK7TYtSHs8bGRpoQ1G")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_alone() {
        let passwords = Passwords::new(4);
        let hash = passwords.hash("비밀번호".into()).await.unwrap();
        let verify = async |password: &str, hash: Option<&String>| {
            passwords.turn().await.unwrap().verify(password.into(), hash.cloned()).await.map_err(|error| error.code)
        };
        assert_eq!(verify("비밀번호", Some(&hash)).await, Ok(()));
        assert_eq!(verify("비밀번효", Some(&hash)).await, Err(Code::InvalidCredentials));
        assert_eq!(verify("비밀번호", None).await, Err(Code::InvalidCredentials));
    }

    #[tokio::test]
    async fn the_72nd_byte_is_never_ignored() {
        let passwords = Passwords::new(4);
        let longest = "a".repeat(LONGEST);
        let hash = passwords.hash(longest.clone()).await.unwrap();
        assert!(passwords.hash(format!("{longest}b")).await.is_err());
        let verified = passwords.turn().await.unwrap().verify(format!("{longest}b"), Some(hash)).await;
        assert_eq!(verified.unwrap_err().code, Code::InvalidCredentials);
    }

    /// Whether a future has its answer at once.
    fn is_ready(future: impl Future) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(future).poll(&mut context).is_ready()
    }

    #[tokio::test]
    async fn nothing_is_hashed_on_the_async_threads() {
        let passwords = Passwords::new(4);
        let turn = passwords.turn().await.unwrap();
        assert!(!is_ready(turn.verify("guess".into(), None)));
        assert!(!is_ready(passwords.hash("new password".into())));
    }

    #[tokio::test]
    async fn only_so_many_are_hashed_at_a_time() {
        let passwords = Passwords::new(4);
        let mut turns = Vec::new();
        for _ in 0..passwords.at_work.available_permits() {
            turns.push(passwords.turn().await.unwrap());
        }
        assert!(!is_ready(passwords.turn()));
        turns.pop();
        assert!(is_ready(passwords.turn()));
    }

    #[tokio::test]
    async fn what_cannot_wait_is_refused() {
        let passwords = Passwords::new(4);
        let mut turns = Vec::new();
        while let Ok(permit) = passwords.admitted.clone().try_acquire_owned() {
            turns.push(permit);
        }
        assert_eq!(passwords.turn().await.unwrap_err().code, Code::ServiceUnavailable);
    }

    #[test]
    fn the_unfitting_hash_costs_as_much_as_a_real_one() {
        assert_eq!(unfitting(COST).parse::<bcrypt::HashParts>().unwrap().get_cost(), COST);
    }
}
