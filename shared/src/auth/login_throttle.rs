//! Limits wrong logins: 5 in 15 minutes for an account, 20 for an address.
//!
//! With Redis all processes count together, on its clock. Logins are never unlimited: while it does not answer, each
//! process counts for itself.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use lru::LruCache;
use redis::Script;

use crate::bounded::bounded;
use crate::domain::account::Role;
use crate::domain::{StoreId, Timestamp};
use crate::error::LimitReached;
use crate::redis::{Redis, Unavailable};
use crate::window::Window;
use crate::{clock, sha256};

/// Wrong logins an account may have within [`WINDOW`].
pub const PER_ACCOUNT: usize = 5;
/// Wrong logins an address may have within [`WINDOW`].
pub const PER_ADDRESS: usize = 20;
/// How long a wrong login counts.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// When to try again while only logins under way stand in the way.
const SHORTLY: TimeDelta = TimeDelta::seconds(2);
/// How long a login under way takes a guess if nobody gives it back: longer than any request lasts.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// Accounts and addresses remembered, each; the least recently seen is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

static GUESS: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("../redis/window.lua"), include_str!("../redis/guess.lua"))));
static WRONG: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../redis/wrong.lua")));

/// An account as a login names it, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountName {
    /// What kind of account.
    pub role: Role,
    /// In which store.
    pub store_id: Option<StoreId>,
    /// The username or table number.
    pub name: String,
}

/// Remembers wrong logins.
#[derive(Clone, Debug)]
pub struct LoginThrottle {
    /// Where processes count together; without it, or while it does not answer, this one counts alone.
    redis: Option<Redis>,
    failures: Arc<Mutex<Failures>>,
}

#[derive(Debug)]
struct Failures {
    accounts: LruCache<AccountName, Guesses>,
    addresses: LruCache<IpAddr, Guesses>,
}

/// What is held against an account or an address.
#[derive(Debug, Default)]
struct Guesses {
    /// When logins turned out wrong.
    wrong: Window,
    /// Logins under way, which may become wrong.
    under_way: usize,
}

impl Guesses {
    /// Take a guess, unless enough was wrong, or may become so.
    fn take(&mut self, most: usize, now: Timestamp) -> Result<(), LimitReached> {
        if self.wrong.check(most, WINDOW, now)? + self.under_way >= most {
            return Err(LimitReached { now, until: now + SHORTLY });
        }
        self.under_way += 1;
        Ok(())
    }
}

impl LoginThrottle {
    /// Remembers wrong logins in Redis, for all processes, or without it in this one.
    pub fn new(redis: Option<Redis>) -> Self {
        let failures = Failures { accounts: bounded(REMEMBERED), addresses: bounded(REMEMBERED) };
        Self { redis, failures: Arc::new(Mutex::new(failures)) }
    }

    /// Begin a login.
    ///
    /// Until there is a verdict it takes one of the account's guesses, so that many at once are no more than one after
    /// the other. Dropped without a verdict it was no guess.
    pub async fn begin(
        &self,
        account: AccountName,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Attempt, LimitReached> {
        if let Some(redis) = &self.redis {
            let shared = SharedAttempt::new(redis.clone(), &account, address);
            // Those under way from the address may wait for their turn: a restaurant's tablets share one.
            let free = match &shared.address {
                Some(address) => shared.guess(address, PER_ADDRESS, None, now).await,
                None => Ok(Ok(())),
            };
            let free = match free {
                Ok(Ok(())) => shared.guess(&shared.account, PER_ACCOUNT, Some(&shared.lease), now).await,
                refused => refused,
            };
            if let Ok(free) = free {
                free?;
                return Ok(Attempt { throttle: self.clone(), account, address, holds: Holds::Shared(shared) });
            }
        }
        let mut failures = self.lock();
        if let Some(guesses) = address.and_then(|address| failures.addresses.get_mut(&address)) {
            guesses.wrong.check(PER_ADDRESS, WINDOW, now)?;
        }
        failures.accounts.get_or_insert_mut(account.clone(), Guesses::default).take(PER_ACCOUNT, now)?;
        drop(failures);
        Ok(Attempt { throttle: self.clone(), account, address, holds: Holds::Account })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remember a wrong login in this process.
    fn wrong_here(&self, account: &AccountName, address: Option<IpAddr>, now: Timestamp) {
        let mut failures = self.lock();
        failures.accounts.get_or_insert_mut(account.clone(), Guesses::default).wrong.add(now);
        if let Some(address) = address {
            failures.addresses.get_or_insert_mut(address, Guesses::default).wrong.add(now);
        }
    }
}

/// A login under way.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    throttle: LoginThrottle,
    account: AccountName,
    address: Option<IpAddr>,
    holds: Holds,
}

/// Whose guesses a login under way takes, and where they are counted.
#[derive(Debug)]
enum Holds {
    /// The account's, in this process.
    Account,
    /// The account's and the address's, in this process.
    AccountAndAddress,
    /// In Redis, until they are given back or their time is over.
    Shared(SharedAttempt),
}

impl Attempt {
    /// Take one of the address's guesses: others from there may have been wrong while this one waited.
    pub async fn judge(&mut self, now: Timestamp) -> Result<(), LimitReached> {
        let Some(address) = self.address else { return Ok(()) };
        if let Holds::Shared(shared) = &self.holds {
            let Some(address) = &shared.address else { return Ok(()) };
            // It has been checked when the login began.
            return shared.guess(address, PER_ADDRESS, Some(&shared.lease), now).await.unwrap_or(Ok(()));
        }
        let mut failures = self.throttle.lock();
        failures.addresses.get_or_insert_mut(address, Guesses::default).take(PER_ADDRESS, now)?;
        self.holds = Holds::AccountAndAddress;
        Ok(())
    }

    /// The login was right: the account begins anew. Its address does not, or one known account would open all others.
    pub async fn right(self) {
        if let Some(guesses) = self.throttle.lock().accounts.get_mut(&self.account) {
            guesses.wrong.clear();
        }
        if let Holds::Shared(shared) = &self.holds {
            shared.right().await;
        }
    }

    /// The login was wrong.
    pub async fn wrong(self, now: Timestamp) {
        match &self.holds {
            Holds::Shared(shared) if shared.wrong().await.is_ok() => {}
            _ => self.throttle.wrong_here(&self.account, self.address, now),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let address = match self.holds {
            Holds::Account => None,
            Holds::AccountAndAddress => self.address,
            Holds::Shared(_) => return,
        };
        let mut failures = self.throttle.lock();
        let failures = &mut *failures;
        let guesses = [
            failures.accounts.get_mut(&self.account),
            address.and_then(|address| failures.addresses.get_mut(&address)),
        ];
        for guesses in guesses.into_iter().flatten() {
            guesses.under_way = guesses.under_way.saturating_sub(1);
        }
    }
}

/// A login under way as Redis knows it.
#[derive(Debug)]
struct SharedAttempt {
    redis: Redis,
    /// Names the guesses that this login takes.
    lease: String,
    account: Keys,
    address: Option<Keys>,
}

/// Where Redis keeps what is held against an account or an address.
#[derive(Debug)]
struct Keys {
    /// When logins were wrong.
    wrong: String,
    /// Logins under way, and until when they count.
    under_way: String,
}

impl Keys {
    fn new(what: &str) -> Self {
        Self { wrong: format!("{{{what}}}:wrong_logins"), under_way: format!("{{{what}}}:logins_under_way") }
    }
}

impl SharedAttempt {
    fn new(redis: Redis, account: &AccountName, address: Option<IpAddr>) -> Self {
        let store = account.store_id.map(|id| id.to_string()).unwrap_or_default();
        // Of any length and content, as the client sent it.
        let name = sha256(format!("{}/{store}/{}", account.role, account.name).as_bytes());
        Self {
            redis,
            lease: URL_SAFE_NO_PAD.encode(clock::random::<16>()),
            account: Keys::new(&format!("account:{}", URL_SAFE_NO_PAD.encode(name))),
            address: address.map(|address| Keys::new(&format!("address:{address}"))),
        }
    }

    /// Take a guess under the lease; without one only see whether there is any.
    async fn guess(
        &self,
        keys: &Keys,
        most: usize,
        lease: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<(), LimitReached>, Unavailable> {
        let mut guess = GUESS.key(&keys.wrong);
        guess.key(&keys.under_way).arg(most).arg(WINDOW.num_microseconds()).arg(lease.unwrap_or_default());
        guess.arg(LEASE.num_microseconds()).arg(SHORTLY.num_microseconds());
        let micros = self.redis.ask(async |redis| guess.invoke_async(redis).await).await?;
        Ok(LimitReached::unless_zero(micros, now))
    }

    async fn right(&self) {
        let mut forget = redis::pipe();
        forget.del(&self.account.wrong).zrem(&self.account.under_way, &self.lease);
        if let Some(address) = &self.address {
            forget.zrem(&address.under_way, &self.lease);
        }
        // Nothing lasts longer than its window.
        let _ = self.redis.ask(async |redis| forget.exec_async(redis).await).await;
    }

    async fn wrong(&self) -> Result<(), Unavailable> {
        let mut wrong = WRONG.arg(&self.lease);
        wrong.arg(WINDOW.num_microseconds());
        for keys in std::iter::once(&self.account).chain(&self.address) {
            wrong.key(&keys.wrong).key(&keys.under_way);
        }
        self.redis.ask(async |redis| wrong.invoke_async(redis).await).await
    }
}
