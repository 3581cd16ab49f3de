//! Limits wrong logins: 5 in 15 minutes for an account, 20 for an address.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use lru::LruCache;

use crate::domain::account::Role;
use crate::domain::{StoreId, Timestamp};
use crate::error::LimitReached;

/// Wrong logins an account may have within [`WINDOW`].
pub const PER_ACCOUNT: usize = 5;
/// Wrong logins an address may have within [`WINDOW`].
pub const PER_ADDRESS: usize = 20;
/// How long a wrong login counts.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// When to try again while only logins under way stand in the way.
const SHORTLY: TimeDelta = TimeDelta::seconds(2);
/// Accounts and addresses remembered, each; the least recently seen is forgotten first.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

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

/// Remembers wrong logins in this process.
#[derive(Clone, Debug)]
pub struct LoginThrottle(Arc<Mutex<Failures>>);

#[derive(Debug)]
struct Failures {
    accounts: LruCache<AccountName, Guesses>,
    addresses: LruCache<IpAddr, Guesses>,
}

/// What is held against an account or an address.
#[derive(Debug, Default)]
struct Guesses {
    /// When logins turned out wrong.
    wrong: VecDeque<Timestamp>,
    /// Logins under way, which may become wrong.
    under_way: usize,
}

impl Guesses {
    /// Refuse when enough was wrong within the window.
    fn check(&mut self, most: usize, now: Timestamp) -> Result<(), LimitReached> {
        while self.wrong.front().is_some_and(|&time| time + WINDOW <= now) {
            self.wrong.pop_front();
        }
        match self.wrong.front() {
            Some(&oldest) if self.wrong.len() >= most => Err(LimitReached { now, until: oldest + WINDOW }),
            _ => Ok(()),
        }
    }

    /// Take a guess, unless enough was wrong, or may become so.
    fn take(&mut self, most: usize, now: Timestamp) -> Result<(), LimitReached> {
        self.check(most, now)?;
        if self.wrong.len() + self.under_way >= most {
            return Err(LimitReached { now, until: now + SHORTLY });
        }
        self.under_way += 1;
        Ok(())
    }
}

impl Default for LoginThrottle {
    fn default() -> Self {
        let failures = Failures { accounts: LruCache::new(REMEMBERED), addresses: LruCache::new(REMEMBERED) };
        Self(Arc::new(Mutex::new(failures)))
    }
}

impl LoginThrottle {
    /// Begin a login.
    ///
    /// Until there is a verdict it takes one of the account's guesses, so that many at once are no more than one after
    /// the other. Dropped without a verdict it was no guess.
    pub fn begin(
        &self,
        account: AccountName,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Attempt, LimitReached> {
        let mut failures = self.lock();
        if let Some(guesses) = address.and_then(|address| failures.addresses.get_mut(&address)) {
            // Those under way from there may wait for their turn: a restaurant's tablets share one address.
            guesses.check(PER_ADDRESS, now)?;
        }
        failures.accounts.get_or_insert_mut(account.clone(), Guesses::default).take(PER_ACCOUNT, now)?;
        Ok(Attempt { throttle: self.clone(), account, address, judged: false })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A login under way.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    throttle: LoginThrottle,
    account: AccountName,
    address: Option<IpAddr>,
    /// It takes one of its address's guesses, too.
    judged: bool,
}

impl Attempt {
    /// Take one of the address's guesses: others from there may have been wrong while this one waited.
    pub fn judge(&mut self, now: Timestamp) -> Result<(), LimitReached> {
        if let Some(address) = self.address {
            let mut failures = self.throttle.lock();
            failures.addresses.get_or_insert_mut(address, Guesses::default).take(PER_ADDRESS, now)?;
            self.judged = true;
        }
        Ok(())
    }

    /// The login was right: the account begins anew. Its address does not, or one known account would open all others.
    pub fn right(self) {
        if let Some(guesses) = self.throttle.lock().accounts.get_mut(&self.account) {
            guesses.wrong.clear();
        }
    }

    /// The login was wrong.
    pub fn wrong(self, now: Timestamp) {
        let mut failures = self.throttle.lock();
        failures.accounts.get_or_insert_mut(self.account.clone(), Guesses::default).wrong.push_back(now);
        if let Some(address) = self.address {
            failures.addresses.get_or_insert_mut(address, Guesses::default).wrong.push_back(now);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut failures = self.throttle.lock();
        let address = self.address.filter(|_| self.judged);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountName {
        AccountName { role: Role::StoreAdmin, store_id: None, name: name.into() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000).unwrap()
    }

    #[test]
    fn an_account_has_five_guesses_in_fifteen_minutes_even_at_once() {
        let throttle = LoginThrottle::default();
        let at_once: Vec<_> = (0..5).map(|second| throttle.begin(account("a"), None, at(second)).unwrap()).collect();
        let refused = throttle.begin(account("a"), None, at(10)).unwrap_err();
        assert_eq!(refused.until, at(12), "nothing was wrong yet");
        at_once.into_iter().zip(0..).for_each(|(attempt, second)| attempt.wrong(at(second)));
        let refused = throttle.begin(account("a"), None, at(10)).unwrap_err();
        assert_eq!(refused.until, at(15 * 60));
        assert!(throttle.begin(account("b"), None, at(10)).is_ok());
        assert!(throttle.begin(account("a"), None, at(15 * 60 - 1)).is_err());
        assert!(throttle.begin(account("a"), None, at(15 * 60)).is_ok());
    }

    #[test]
    fn a_login_without_a_verdict_was_no_guess() {
        let throttle = LoginThrottle::default();
        let address = Some("192.0.2.1".parse().unwrap());
        for second in 0..100 {
            let mut attempt = throttle.begin(account("a"), address, at(second)).unwrap();
            attempt.judge(at(second)).unwrap();
        }
    }

    #[test]
    fn a_right_login_clears_the_account_and_not_the_address() {
        let throttle = LoginThrottle::default();
        let address = Some("192.0.2.1".parse().unwrap());
        for second in 0..19 {
            throttle.begin(account(&second.to_string()), address, at(second)).unwrap().wrong(at(second));
        }
        for _ in 0..4 {
            throttle.begin(account("right"), None, at(19)).unwrap().wrong(at(19));
        }
        throttle.begin(account("right"), address, at(20)).unwrap().right();
        throttle.begin(account("right"), address, at(20)).unwrap().wrong(at(20));
        assert!(throttle.begin(account("right"), None, at(21)).is_ok());
        assert!(throttle.begin(account("new"), address, at(21)).is_err());
        assert!(throttle.begin(account("new"), Some("192.0.2.2".parse().unwrap()), at(21)).is_ok());
    }

    #[test]
    fn an_address_has_twenty_guesses_even_at_once() {
        let throttle = LoginThrottle::default();
        let address = Some("192.0.2.1".parse().unwrap());
        let begin = |name: usize| throttle.begin(account(&name.to_string()), address, at(0)).unwrap();
        let mut waiting: Vec<_> = (0..30).map(begin).collect();
        waiting.pop().unwrap().wrong(at(0));
        let (judged, refused): (Vec<_>, Vec<_>) =
            waiting.iter_mut().map(|attempt| attempt.judge(at(1))).partition(Result::is_ok);
        assert_eq!((judged.len(), refused.len()), (19, 10));
    }
}
