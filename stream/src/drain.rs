//! The end of a process among others: its streams end little by little, so that their clients do not all come to the others
//! at once.

use std::ops::RangeInclusive;
use std::time::Duration;

use shared::{Code, clock};
use tokio::time::{Instant, sleep_until};

use crate::{Registration, Streams};

/// Within this time every stream is ended, at a moment of its own.
pub const SPREAD: Duration = Duration::from_secs(15);
/// How long a client is told to wait before it comes back: each another time.
pub const RETRY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(5);

impl Streams {
    /// Open no stream any more, and end those that are open within [`SPREAD`]. Returns when the last is gone.
    ///
    /// A stream whose client does not read may stay: it cannot take its last frame.
    pub async fn drain(&self) {
        let begun = Instant::now();
        let mut leaving: Vec<_> = {
            let mut list = self.list();
            list.draining = true;
            list.open.keys().map(|id| (begun + clock::random_time(Duration::ZERO..=SPREAD), *id)).collect()
        };
        leaving.sort_unstable();
        let dismissing = async {
            for (moment, id) in leaving {
                sleep_until(moment).await;
                self.dismiss(id);
            }
            std::future::pending().await
        };
        tokio::select! {
            () = self.all_gone() => {}
            () = dismissing => {}
        }
    }

    /// Refuse a stream while the process drains, before a ticket is used up for it.
    pub(crate) fn check_open(&self) -> Result<(), Code> {
        if self.list().draining { Err(Code::ServiceUnavailable) } else { Ok(()) }
    }

    fn dismiss(&self, id: u64) {
        if let Some(stream) = self.list().open.get_mut(&id) {
            stream.dismissed = true;
            stream.closed.cancel();
        }
    }

    pub(crate) async fn all_gone(&self) {
        loop {
            // Told also of what happens between here and the wait.
            let emptied = self.0.emptied.notified();
            if self.open_count() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Registration {
    /// The last frame of a stream that was closed: when to come back, if the client shall.
    pub(crate) fn farewell(&self) -> Option<String> {
        let dismissed = self.streams.list().open.get(&self.id).is_some_and(|stream| stream.dismissed);
        dismissed.then(|| format!("retry: {}\n\n", clock::random_time(RETRY).as_millis()))
    }
}
