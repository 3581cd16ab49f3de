//! Makes pictures of uploads: what guests see, and its thumbnail.
//!
//! S3 tells of an upload through SQS. A message that fails comes again, and ends in the dead-letter queue when it always does;
//! the others of its batch count. An upload that is no use is no failure: the picture is rejected, with a reason. The same
//! message twice changes nothing.
//!
//! On its schedule the function removes what no menu uses any more.

mod event;

use std::sync::Arc;

use chrono::TimeDelta;
use picture::{Pictures, Refusal};
use serde_json::{Value, json};
use shared::cache::{Cache, Entity};
use shared::clock::Clock;
use shared::config::Config;
use shared::db::images::Upload;
use shared::db::login::Login;
use shared::db::{self, PoolSize, images, menus, outbox, stores};
use shared::domain::event::{Event, MenuChanged};
use shared::domain::image::RejectionReason;
use shared::domain::{ImageId, StoreId};
use shared::environment;
use shared::error::Error;
use shared::events::bus::Bus;
use shared::lambda;
use shared::redis::{Patience, Redis};
use shared::storage::{Storage, Uploaded};
use shared::{App, Result};
use sqlx::PgPool;

/// How long a picture is kept that no menu uses, so that one may still be given to a menu, or back to it.
pub const UNUSED_LIFE: TimeDelta = TimeDelta::days(1);
/// How long after its last moment an upload may still turn up.
const UPLOAD_GRACE: TimeDelta = TimeDelta::hours(1);
/// How many pictures are removed at once: S3 takes the keys of 1,000 objects, and each picture has two.
const REMOVED_AT_ONCE: i64 = 500;

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 3] = [
    environment::EVERYWHERE,
    environment::DATABASE,
    &["REDIS_URL", "NUDGE_QUEUE_URL", "UPLOAD_BUCKET", "IMAGE_BUCKET", "IMAGE_BASE_URL"],
];

/// Handles uploads.
#[derive(Debug)]
pub struct Handler {
    db: PgPool,
    storage: Arc<Storage>,
    cache: Cache,
    bus: Bus,
    clock: Clock,
    login: Login,
    image_base_url: String,
}

impl Handler {
    /// A handler of what the configuration names. It connects when it is first needed.
    ///
    /// # Errors
    /// When something is not named.
    pub fn new(config: &Config) -> std::result::Result<Self, lambda::Error> {
        let [database_url, redis_url, nudge_queue_url, _, _] =
            config.required(["DATABASE_URL", "REDIS_URL", "NUDGE_QUEUE_URL", "UPLOAD_BUCKET", "IMAGE_BUCKET"])?;
        let (db, clock) = (db::connect(db::connect_options(database_url)?, PoolSize::EVENT_FUNCTION), Clock::system());
        Ok(Self {
            login: Login::new(config, &db, &clock),
            db,
            clock,
            storage: Arc::new(Storage::from_config(config)?),
            cache: Cache::Redis(Redis::open(&redis_url.into(), Patience::REQUEST)?),
            bus: Bus::sqs(nudge_queue_url.to_owned()),
            image_base_url: config.image_base_url.clone(),
        })
    }

    /// A handler of what this app has.
    pub fn of(app: &App, storage: Arc<Storage>) -> Self {
        Self {
            db: app.db.clone(),
            storage,
            cache: app.cache.clone(),
            bus: app.bus.clone(),
            clock: app.clock.clone(),
            login: Login::new(&app.config, &app.db, &app.clock),
            image_base_url: app.config.image_base_url.clone(),
        }
    }

    /// Handle a batch of messages, one after the other, for the sake of memory. Answers which of them failed.
    pub async fn handle(&self, event: Value) -> Result<Value> {
        self.login.renew().await?;
        let answer = match event::read(&event) {
            event::Event::Messages(messages) => {
                let mut failures = Vec::new();
                for message in messages {
                    if let Err(error) = self.handle_message(message.uploads).await {
                        tracing::error!(message.id, exception = %error, "an upload was not handled; it comes again");
                        failures.push(json!({ "itemIdentifier": message.id }));
                    }
                }
                Ok(json!({ "batchItemFailures": failures }))
            }
            event::Event::Schedule => self.sweep().await.map(|removed| json!({ "removed": removed })),
        };
        self.bus.settled().await;
        // With the answer the environment may be frozen.
        db::at_rest(&self.db, db::CLOSING).await;
        answer
    }

    async fn handle_message(&self, uploads: std::result::Result<Vec<String>, String>) -> Result<()> {
        for key in uploads.map_err(Error::internal)? {
            // Boxed: what the SDK nests in one another would be too deep for the compiler.
            Box::pin(self.handle_upload(&key)).await?;
        }
        Ok(())
    }

    /// Make the pictures of an upload, or reject it.
    ///
    /// # Errors
    /// When the database or S3 is out of reach: then nothing has changed that another try would not change, too.
    pub async fn handle_upload(&self, key: &str) -> Result<()> {
        match images::find_upload(&self.db, key).await? {
            Some(upload) if upload.is_open => self.decide(key, upload).await?,
            Some(_) => tracing::info!(upload.key = key, "an upload has come again"),
            None => tracing::warn!(upload.key = key, "nobody asked for an upload"),
        }
        // What was made of it is kept, and it may say where it was taken.
        self.storage.remove_upload(key).await
    }

    async fn decide(&self, key: &str, upload: Upload) -> Result<()> {
        let Upload { id, store_id, .. } = upload;
        let decided = match self.storage.upload(key, upload.size.into()).await? {
            Uploaded::Missing => {
                tracing::warn!(image.id = %id, "an upload is gone before it was looked at");
                return Ok(());
            }
            Uploaded::TooLarge => Err(RejectionReason::SizeMismatch),
            Uploaded::Whole(original) => {
                let made = tokio::task::spawn_blocking(move || make(&original, &upload));
                made.await.unwrap_or_else(|panic| {
                    tracing::error!(image.id = %id, exception = %panic, "a picture makes the decoder panic");
                    Err(RejectionReason::Damaged)
                })
            }
        };
        match decided {
            Ok(pictures) => self.publish(store_id, id, pictures).await,
            Err(reason) => {
                tracing::info!(store.id = %store_id, image.id = %id, ?reason, "a picture is rejected");
                images::reject(&self.db, store_id, id, reason).await
            }
        }
    }

    /// Put the pictures where guests see them, and tell the screens of the menus that use them.
    async fn publish(&self, store_id: StoreId, id: ImageId, pictures: Pictures) -> Result<()> {
        // An object belongs to one picture alone, so that it can go with it.
        let key = |jpeg: &[u8]| format!("{store_id}/{id}-{}.jpg", name(jpeg));
        let (image_key, thumbnail_key) = (key(&pictures.display), key(&pictures.thumbnail));
        tokio::try_join!(
            self.storage.put_image(&image_key, pictures.display),
            self.storage.put_image(&thumbnail_key, pictures.thumbnail),
        )?;

        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        stores::lock(&mut tx, store_id).await?;
        let mut shown = Vec::new();
        if images::make_ready(&mut tx, store_id, id, &image_key, &thumbnail_key).await? {
            shown = menus::show_picture(&mut tx, store_id, &self.image_base_url, id, now).await?;
        }
        for menu in &shown {
            outbox::record(&mut tx, store_id, Event::MenuChanged(MenuChanged::menu(menu)), now).await?;
        }
        tx.commit().await?;

        if !shown.is_empty() {
            // The event makes good for a drop that fails.
            let _ = self.cache.drop_all(store_id, &[Entity::Menus]).await;
            self.bus.nudge();
        }
        Ok(())
    }

    /// Remove what was never uploaded, what was rejected, and what no menu has used for [`UNUSED_LIFE`]. Returns how many
    /// pictures went.
    ///
    /// Objects go before the row that knows their keys: what is interrupted goes on the next time.
    pub async fn sweep(&self) -> Result<u64> {
        let now = self.clock.now();
        let before = now - UNUSED_LIFE;
        images::reject_missing(&self.db, now - UPLOAD_GRACE).await?;
        let mut removed = images::forget_rejected(&self.db, before).await?;
        loop {
            let unused = images::begin_removing(&self.db, before, REMOVED_AT_ONCE).await?;
            if unused.is_empty() {
                return Ok(removed);
            }
            let keys = unused.iter().flat_map(|image| [image.image_key.as_str(), image.thumbnail_key.as_str()]);
            self.storage.remove_images(keys).await?;
            let ids: Vec<_> = unused.iter().map(|image| image.id).collect();
            removed += images::forget(&self.db, &ids).await?;
        }
    }

    /// Close what is open.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

/// The pictures of an original, if it is what was announced.
fn make(original: &[u8], announced: &Upload) -> std::result::Result<Pictures, RejectionReason> {
    if usize::try_from(announced.size) != Ok(original.len()) {
        return Err(RejectionReason::SizeMismatch);
    }
    if shared::sha256(original)[..] != announced.sha256[..] {
        return Err(RejectionReason::DigestMismatch);
    }
    picture::make(original).map_err(|refusal| match refusal {
        Refusal::NotAnImage => RejectionReason::NotAnImage,
        Refusal::TooManyPixels => RejectionReason::TooManyPixels,
        Refusal::Damaged => RejectionReason::Damaged,
    })
}

/// A name for what never changes: the first 128 bits of its SHA-256, in hexadecimal.
fn name(content: &[u8]) -> String {
    shared::hex(&shared::sha256(content)[..16])
}
