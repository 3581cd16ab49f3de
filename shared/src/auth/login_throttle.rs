//! Limits wrong logins: 5 in 15 minutes for an account, 20 for an address.

use std::collections::VecDeque;
use std::hash::Hash;
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
    accounts: LruCache<AccountName, VecDeque<Timestamp>>,
    addresses: LruCache<IpAddr, VecDeque<Timestamp>>,
}

impl Default for LoginThrottle {
    fn default() -> Self {
        let failures = Failures { accounts: LruCache::new(REMEMBERED), addresses: LruCache::new(REMEMBERED) };
        Self(Arc::new(Mutex::new(failures)))
    }
}

impl LoginThrottle {
    /// Begin a login. It counts against the account until [`Self::succeeded`], so that many at once are no more guesses
    /// than one after the other.
    pub fn begin(&self, account: &AccountName, address: Option<IpAddr>, now: Timestamp) -> Result<(), LimitReached> {
        let mut failures = self.lock();
        if let Some(address) = address {
            check(&mut failures.addresses, &address, PER_ADDRESS, now)?;
        }
        check(&mut failures.accounts, account, PER_ACCOUNT, now)?;
        failures.accounts.get_or_insert_mut(account.clone(), VecDeque::new).push_back(now);
        Ok(())
    }

    /// Check the address again, just before the password is looked at: others from there may have failed meanwhile.
    pub fn check_address(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), LimitReached> {
        match address {
            Some(address) => check(&mut self.lock().addresses, &address, PER_ADDRESS, now),
            None => Ok(()),
        }
    }

    /// The login was right: the account begins anew. Its address does not, or one known account would open all others.
    pub fn succeeded(&self, account: &AccountName) {
        self.lock().accounts.pop(account);
    }

    /// The login was wrong.
    pub fn failed(&self, address: Option<IpAddr>, now: Timestamp) {
        if let Some(address) = address {
            self.lock().addresses.get_or_insert_mut(address, VecDeque::new).push_back(now);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check<K: Hash + Eq>(
    failures: &mut LruCache<K, VecDeque<Timestamp>>,
    key: &K,
    most: usize,
    now: Timestamp,
) -> Result<(), LimitReached> {
    let Some(times) = failures.get_mut(key) else { return Ok(()) };
    while times.front().is_some_and(|&time| time + WINDOW <= now) {
        times.pop_front();
    }
    match times.front() {
        Some(&oldest) if times.len() >= most => Err(LimitReached { now, until: oldest + WINDOW }),
        _ => Ok(()),
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
        for second in 0..5 {
            throttle.begin(&account("a"), None, at(second)).unwrap();
        }
        let refused = throttle.begin(&account("a"), None, at(10)).unwrap_err();
        assert_eq!(refused.until, at(15 * 60));
        assert!(throttle.begin(&account("b"), None, at(10)).is_ok());
        assert!(throttle.begin(&account("a"), None, at(15 * 60 - 1)).is_err());
        assert!(throttle.begin(&account("a"), None, at(15 * 60)).is_ok());
    }

    #[test]
    fn a_right_login_clears_the_account_and_not_the_address() {
        let throttle = LoginThrottle::default();
        let address = Some("192.0.2.1".parse().unwrap());
        for second in 0..20 {
            throttle.begin(&account(&second.to_string()), address, at(second)).unwrap();
            throttle.failed(address, at(second));
        }
        throttle.succeeded(&account("19"));
        assert!(throttle.begin(&account("new"), address, at(30)).is_err());
        assert!(throttle.check_address(address, at(30)).is_err());
        assert!(throttle.begin(&account("new"), Some("192.0.2.2".parse().unwrap()), at(30)).is_ok());
    }
}
