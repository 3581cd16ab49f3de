//! A sliding window in this process, as `redis/window.lua` is one in Redis: what happened lately, and how much may.

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::domain::Timestamp;
use crate::error::LimitReached;

/// When something happened, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Window(VecDeque<Timestamp>);

impl Window {
    /// How often it happened within the window.
    ///
    /// # Errors
    /// When that was `most` times already.
    pub(crate) fn check(&mut self, most: usize, window: TimeDelta, now: Timestamp) -> Result<usize, LimitReached> {
        while self.0.front().is_some_and(|&time| time + window <= now) {
            self.0.pop_front();
        }
        match self.0.front() {
            Some(&oldest) if self.0.len() >= most => Err(LimitReached { now, until: oldest + window }),
            _ => Ok(self.0.len()),
        }
    }

    /// It happens.
    pub(crate) fn add(&mut self, now: Timestamp) {
        self.0.push_back(now);
    }

    /// Forget that it ever happened.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
