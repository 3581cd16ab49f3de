//! Who is calling: tokens, passwords, and the check that a token's owner still stands.

pub mod callers;
pub mod keys;
pub mod login_throttle;
pub mod owners;
pub mod passwords;
pub mod tickets;
pub mod tokens;
