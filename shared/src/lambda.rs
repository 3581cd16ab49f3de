//! Runs a function under AWS Lambda: the routes of an HTTP function, or the handler of one that takes events.
//!
//! What a function is not given, though it needs it, stops it at the start. It connects to nothing before its first request.
//!
//! With its answer an environment may be frozen, in the middle of whatever it is doing. A function whose changes make events
//! has an internal extension that is told of every request: Lambda sends the answer on at once, and freezes only when the
//! nudge is done, too.

use std::sync::Arc;

use lambda_extension::Extension;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::app::{self, App, Parts};
use crate::auth::tokens::Tokens;
use crate::config::Config;
use crate::db::{self, PoolSize};
use crate::events::bus::Bus;
use crate::http::{Routes, layers};
use crate::storage::Storage;
use crate::telemetry;

/// What Lambda and its runtime may say.
pub type Error = lambda_runtime::Error;

/// Serve a function's routes until Lambda stops the process.
pub async fn serve(routes: fn() -> Routes) -> Result<(), Error> {
    let config = start()?;
    let tokens = Tokens::from_config(&config, false)?;
    run_http(routes, parts(config, tokens)?).await
}

/// Serve the routes of `auth`, which alone reads the key that signs tokens.
pub async fn serve_signing(routes: fn() -> Routes) -> Result<(), Error> {
    let config = start()?;
    let tokens = Tokens::from_config(&config, true)?;
    run_http(routes, parts(config, tokens)?).await
}

/// Serve the routes of a function whose changes make events: it tells the relay.
pub async fn serve_changing(routes: fn() -> Routes) -> Result<(), Error> {
    let config = start()?;
    let [_, _, nudge_queue_url] = config.required(["DATABASE_URL", "REDIS_URL", "NUDGE_QUEUE_URL"])?;
    let bus = Bus::sqs(nudge_queue_url.to_owned());
    let tokens = Tokens::from_config(&config, false)?;
    run_http(routes, Parts { bus, ..parts(config, tokens)? }).await
}

/// Serve the routes of `menus`, whose changes make events, and which lets clients upload pictures.
pub async fn serve_uploading(routes: fn() -> Routes) -> Result<(), Error> {
    let config = start()?;
    let [_, _, nudge_queue_url, _, _] =
        config.required(["DATABASE_URL", "REDIS_URL", "NUDGE_QUEUE_URL", "UPLOAD_BUCKET", "IMAGE_BUCKET"])?;
    let (bus, storage) = (Bus::sqs(nudge_queue_url.to_owned()), Some(Arc::new(Storage::from_config(&config)?)));
    let tokens = Tokens::from_config(&config, false)?;
    run_http(routes, Parts { bus, storage, ..parts(config, tokens)? }).await
}

async fn run_http(routes: fn() -> Routes, parts: Parts) -> Result<(), Error> {
    let (db, done) = (parts.db.clone(), Arc::new(Notify::new()));
    let closing = db.clone();
    extend(parts.bus.clone(), done.clone(), async move { closing.close().await }).await?;
    let service = layers::service(routes(), App::new(parts));
    lambda_http::run(lambda_http::service_fn(move |request: lambda_http::Request| {
        let (service, db, done) = (service.clone(), db.clone(), Done(done.clone()));
        async move {
            let _done = done;
            let answer = service.oneshot(request).await?;
            // What succeeds has committed. With its answer the environment may be frozen.
            if !answer.status().is_success() {
                db::at_rest(&db).await;
            }
            Ok::<_, Error>(answer)
        }
    }))
    .await
}

/// Tells, however a request ends, that it has.
struct Done(Arc<Notify>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Register the internal extension that Lambda tells a process of its end through (SIGTERM), when it does `close`. With nudges
/// it also keeps the environment from being frozen after a request is done until they are. Must be called before the first
/// event is asked for.
async fn extend(bus: Bus, done: Arc<Notify>, close: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
    let events: &[&str] = if matches!(bus, Bus::Sqs(_)) { &["INVOKE"] } else { &[] };
    let settle = lambda_extension::service_fn(move |_| {
        let (bus, done) = (bus.clone(), done.clone());
        async move {
            done.notified().await;
            bus.settled().await;
            Ok::<_, Error>(())
        }
    });
    let extension = Extension::new().with_extension_name("table-order").with_events(events);
    let extension = extension.with_events_processor(settle).register().await?;
    let mut ends = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        ends.recv().await;
        close.await;
        std::process::exit(0);
    });
    tokio::spawn(async move {
        let failed = extension.run().await;
        // One that is told of nothing has only to be registered: `cargo lambda watch` refuses it the next event.
        if !events.is_empty() {
            tracing::error!(exception = ?failed, "Lambda's Extensions API fails");
            // Lambda would wait for the extension after every event. A new environment starts well.
            std::process::exit(1);
        }
    });
    Ok(())
}

/// The parts of a process that connects to PostgreSQL and Redis when they are first needed.
fn parts(config: Config, tokens: Tokens) -> Result<Parts, Error> {
    let (db, redis) = app::connect(&config, PoolSize::LAMBDA)?;
    Ok(Parts::new(config, tokens, db, Some(redis)))
}

/// Hand every event to `handle` until Lambda stops the process; then `close` what is open.
///
/// An error is told to whoever sent the event, which for a queue means: send it again.
pub async fn run<T: Serialize>(
    handle: impl AsyncFn(Value) -> crate::Result<T>,
    close: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    extend(Bus::Off, Arc::default(), close).await?;
    let handle = &handle;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        handle(event.payload).await.map_err(|error| {
            tracing::error!(exception = %error, "the event was not handled");
            Error::from(error)
        })
    }))
    .await
}

/// The configuration, with logs going where it says.
pub fn start() -> Result<Config, Error> {
    let config = Config::from_env()?;
    telemetry::init(&config)?;
    Ok(config)
}
