//! `setup`: everything that must be there before the functions are: keys, tables, exchanges and queues, demo data.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;
use local::demo;
use shared::aws::{Queue, unavailable};
use shared::clock::Clock;
use shared::config::{AppEnv, Config};
use shared::db::{self, PoolSize};

use crate::Trouble;
use crate::database::Database;

/// A nudge that nobody took for so long is one that the relay's schedule has made good. In seconds.
const NUDGE_LIFE: &str = "60";
/// How long SQS waits before it gives a nudge out again. In seconds.
const NUDGE_HIDDEN: &str = "30";
/// Parked messages wait for a person as long as SQS lets them: 14 days. In seconds.
const PARKED_LIFE: &str = "1209600";

/// Make what is missing. Doing so twice changes nothing.
pub(crate) async fn run(config: &Config) -> Result<(), Trouble> {
    let [_, nudges, parked] = config.required(["DATABASE_URL", "NUDGE_QUEUE_URL", "PARKED_QUEUE_URL"])?;
    if config.jwt_public_keys.is_none() && !config.jwt_private_key_path.exists() {
        crate::make_keys(config)?;
    }
    let database = Database::open(config).await?;
    migrate::migrate(config).await?;
    make_queue(
        nudges,
        [
            (QueueAttributeName::MessageRetentionPeriod, NUDGE_LIFE.to_owned()),
            (QueueAttributeName::VisibilityTimeout, NUDGE_HIDDEN.to_owned()),
        ],
    )
    .await?;
    make_queue(parked, [(QueueAttributeName::MessageRetentionPeriod, PARKED_LIFE.to_owned())]).await?;
    if config.app_env != AppEnv::Production {
        let pool = db::connect(db::connect_options(&database.url)?, PoolSize::LAMBDA);
        let seeded = demo::seed(&pool, config.app_env, &Clock::system()).await;
        pool.close().await;
        if let Err(trouble) = seeded {
            // Somebody's own database may hold the same names already: the service is no worse for it.
            eprintln!("{trouble}");
        }
    }
    database.close()
}

async fn make_queue(
    url: &str,
    attributes: impl IntoIterator<Item = (QueueAttributeName, String)>,
) -> Result<(), Trouble> {
    let name = url.rsplit('/').next().unwrap_or(url);
    let attributes: HashMap<_, _> = attributes.into_iter().collect();
    let made = Queue::new(url.to_owned());
    made.client()
        .await
        .create_queue()
        .queue_name(name)
        .set_attributes(Some(attributes))
        .send()
        .await
        .map_err(unavailable)?;
    Ok(())
}
