//! Open streams are checked again, all together: who has been logged out meanwhile is cut off.

use std::collections::HashMap;
use std::time::Duration;

use shared::auth::owners::judge;
use shared::db::owners::{self, Owner};
use shared::http::layers::READ_TIMEOUT;
use shared::{App, Code, Result};
use tokio::time::timeout;

use crate::Streams;

/// How often.
pub const INTERVAL: Duration = Duration::from_secs(30);

impl Streams {
    /// Check again until stopped. With the database down, open streams stay.
    pub async fn recheck_regularly(self, app: App) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let checked = self.0.stopped.run_until_cancelled(async {
                ticks.tick().await;
                self.recheck(&app).await
            });
            // Not waited for: a database that is away would keep the process from ending.
            let Some(checked) = checked.await else { return };
            if let Err(error) = checked {
                tracing::warn!(exception = %error, "open streams could not be checked; they stay");
            }
        }
    }

    /// Close the streams whose owners no longer stand. One query, however many are open, which may take as long as a request.
    pub async fn recheck(&self, app: &App) -> Result<()> {
        let owners: Vec<Owner> = {
            let list = self.list();
            let owners = list.open.values().filter_map(|stream| stream.claims.owner());
            owners.collect::<std::collections::HashSet<_>>().into_iter().collect()
        };
        if owners.is_empty() {
            return Ok(());
        }
        let asked = timeout(READ_TIMEOUT, owners::standings(&app.db, &owners));
        let standings = asked.await.map_err(|_| Code::ServiceUnavailable)??;
        let standings: HashMap<_, _> = owners.into_iter().zip(standings).collect();
        for stream in self.list().open.values() {
            let standing = stream.claims.owner().and_then(|owner| standings.get(&owner));
            // A stream opened since the question was asked is not among the answers.
            if let Some(standing) = standing
                && judge(*standing, &stream.claims).is_err()
            {
                stream.closed.cancel();
            }
        }
        Ok(())
    }
}
