//! What has failed is left alone for a while, so that not every request waits for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Whether something is being left alone.
#[derive(Debug)]
pub struct Rest {
    length: Duration,
    until: Mutex<Option<Instant>>,
}

impl Rest {
    /// A rest of this length after each failure.
    pub fn of(length: Duration) -> Self {
        Self { length, until: Mutex::default() }
    }

    /// Whether it is being left alone now.
    pub fn is_on(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    /// It has failed: leave it alone from now on.
    pub fn begin(&self) {
        *self.until() = Some(Instant::now() + self.length);
    }

    /// It is well again.
    pub fn end(&self) {
        *self.until() = None;
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
