//! `setup`: everything that must be there before the functions are: keys, tables, exchanges and queues, demo data.

use std::collections::HashMap;

use aws_sdk_s3::types::{
    CorsConfiguration, CorsRule, CreateBucketConfiguration, Event, NotificationConfiguration, QueueConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use local::demo;
use local::laid_aside::dead_uploads;
use serde_json::json;
use shared::aws::{Queue, unavailable};
use shared::clock::Clock;
use shared::config::{AppEnv, Config};
use shared::db::{self, PoolSize};
use shared::storage::{IMAGE_FOLDER, Storage};

use crate::Trouble;
use crate::database::Database;

/// A nudge that nobody took for so long is one that the relay's schedule has made good. In seconds.
const NUDGE_LIFE: &str = "60";
/// How long SQS waits before it gives a nudge out again. In seconds.
const NUDGE_HIDDEN: &str = "30";
/// Parked messages wait for a person as long as SQS lets them: 14 days. In seconds.
const PARKED_LIFE: &str = "1209600";

/// How long SQS waits before it gives a notification of an upload out again: six times what the function may take. In seconds.
const UPLOAD_HIDDEN: &str = "180";
/// How often a notification is given out before it is laid aside.
const UPLOAD_TRIES: u32 = 5;

/// Make what is missing. Doing so twice changes nothing.
pub(crate) async fn run(config: &Config) -> Result<(), Trouble> {
    let [_, nudges, parked, uploads, _, _] = config.required([
        "DATABASE_URL",
        "NUDGE_QUEUE_URL",
        "PARKED_QUEUE_URL",
        "UPLOAD_QUEUE_URL",
        "UPLOAD_BUCKET",
        "IMAGE_BUCKET",
    ])?;
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
    let dead = dead_uploads(uploads);
    let dead_arn = make_queue(&dead, [(QueueAttributeName::MessageRetentionPeriod, PARKED_LIFE.to_owned())]).await?;
    let redrive = json!({ "deadLetterTargetArn": dead_arn, "maxReceiveCount": UPLOAD_TRIES }).to_string();
    let upload_arn = make_queue(
        uploads,
        [
            (QueueAttributeName::VisibilityTimeout, UPLOAD_HIDDEN.to_owned()),
            (QueueAttributeName::RedrivePolicy, redrive),
        ],
    )
    .await?;
    make_buckets(config, &upload_arn).await?;
    if config.app_env != AppEnv::Production {
        let pool = db::connect(db::connect_options(&database.url)?, PoolSize::EVENT_FUNCTION);
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
) -> Result<String, Trouble> {
    let name = url.rsplit('/').next().unwrap_or(url);
    let attributes: HashMap<_, _> = attributes.into_iter().collect();
    let made = Queue::new(url.to_owned());
    let client = made.client().await;
    let making = client.create_queue().queue_name(name).set_attributes(Some(attributes));
    making.send().await.map_err(unavailable)?;
    let asking = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn);
    let answer = asking.send().await.map_err(unavailable)?;
    let arn = answer.attributes().and_then(|attributes| attributes.get(&QueueAttributeName::QueueArn));
    Ok(arn.ok_or_else(|| format!("SQS does not tell the ARN of {name}"))?.clone())
}

/// Make the buckets of pictures. Uploads are told of in the queue with this ARN.
async fn make_buckets(config: &Config, upload_queue: &str) -> Result<(), Trouble> {
    let storage = Storage::from_config(config)?;
    let [uploads, images] = storage.buckets();
    let client = storage.client().await;
    let region = client.config().region().map_or("us-east-1", |region| region.as_ref()).to_owned();
    for bucket in [uploads, images] {
        let place = CreateBucketConfiguration::builder().location_constraint(region.as_str().into()).build();
        match client.create_bucket().bucket(bucket).create_bucket_configuration(place).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_bucket_already_owned_by_you()) => {}
            made => drop(made.map_err(unavailable)?),
        }
    }
    let origins = config.cors_origins.iter().filter_map(|origin| origin.to_str().ok()).map(str::to_owned);
    // The demo page is served by the gateway itself.
    let own = [format!("http://127.0.0.1:{}", config.port), format!("http://localhost:{}", config.port)];
    let rule = CorsRule::builder()
        .allowed_methods("PUT")
        .allowed_headers("*")
        .set_allowed_origins(Some(origins.chain(own).collect()))
        .build()?;
    let cors = CorsConfiguration::builder().cors_rules(rule).build()?;
    client.put_bucket_cors().bucket(uploads).cors_configuration(cors).send().await.map_err(unavailable)?;
    // As CloudFront may read them on AWS, the gateway may here.
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{images}/{IMAGE_FOLDER}*"),
    }]});
    let allowing = client.put_bucket_policy().bucket(images).policy(policy.to_string());
    allowing.send().await.map_err(unavailable)?;
    let queue = QueueConfiguration::builder().queue_arn(upload_queue).events(Event::S3ObjectCreated).build()?;
    let told = NotificationConfiguration::builder().queue_configurations(queue).build();
    let telling = client.put_bucket_notification_configuration().bucket(uploads).notification_configuration(told);
    telling.send().await.map_err(unavailable)?;
    Ok(())
}
