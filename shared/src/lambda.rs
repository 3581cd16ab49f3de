//! Runs a function under AWS Lambda: the routes of an HTTP function, or the handler of one that takes events.
//!
//! What a function is not given, though it needs it, stops it at the start. It connects to nothing before its first request.
//!
//! With its answer an environment may be frozen, in the middle of whatever it is doing. A function whose changes make events
//! has an internal extension that is told of every request: Lambda sends the answer on at once, and freezes only when the
//! nudge is done, too, and Redis has said what it was late to say.

use std::env;
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
use crate::clock::Clock;
use crate::config::Config;
use crate::db::login::Login;
use crate::db::{self, PoolSize, RequestStart};
use crate::environment;
use crate::events::bus::Bus;
use crate::http::{Routes, layers};
use crate::redis::Redis;
use crate::storage::Storage;
use crate::telemetry;
use crate::telemetry::metrics::Metrics;

/// What Lambda and its runtime may say.
pub type Error = lambda_runtime::Error;

/// Serve a function's routes until Lambda stops the process.
///
/// What it works with follows from the variables that it reads: with `NUDGE_QUEUE_URL` it tells the relay of new events, with
/// `UPLOAD_BUCKET` clients may upload pictures, and with `JWT_PRIVATE_KEY` it signs tokens.
pub async fn serve(routes: fn() -> Routes, variables: &[&[&str]]) -> Result<(), Error> {
    let config = start(variables).await?;
    let reads = |name| variables.iter().any(|names| names.contains(&name));
    let tokens = Tokens::from_config(&config, reads("JWT_PRIVATE_KEY"))?;
    let bus = match &config.nudge_queue_url {
        Some(url) => Bus::sqs(url.clone()),
        None => Bus::Off,
    };
    let storage = if reads("UPLOAD_BUCKET") { Some(Arc::new(Storage::from_config(&config)?)) } else { None };
    let metrics = metrics_of(&config);
    let start = RequestStart::default();
    let (db, redis) = app::connect(&config, PoolSize::http_function(&start))?;
    run_http(routes, Parts { bus, storage, metrics, ..Parts::new(config, tokens, db, Some(redis)) }, start).await
}

async fn run_http(routes: fn() -> Routes, parts: Parts, start: RequestStart) -> Result<(), Error> {
    let (db, done) = (parts.db.clone(), Arc::new(Notify::new()));
    let closing = db.clone();
    let (bus, redis) = (parts.bus.clone(), parts.redis.clone());
    extend(bus, redis, done.clone(), async move { closing.close().await }).await?;
    let app = App::new(parts);
    let login = Login::new(&app.config, &db, &app.clock);
    let service = layers::service(routes(), app.clone());
    lambda_http::run(lambda_http::service_fn(move |request: lambda_http::Request| {
        let (service, db, login, app, done) =
            (service.clone(), db.clone(), login.clone(), app.clone(), Done(done.clone()));
        start.begin();
        async move {
            let _done = done;
            if !db::at_rest(&db, db::ACQUIRE_TIMEOUT).await {
                // Its only connection was asked something by the request before, and is silent: its server is gone without
                // a word. No request would get another one.
                tracing::error!("the connection to PostgreSQL hangs: a new environment starts well");
                std::process::exit(1);
            }
            if let Err(error) = login.renew().await {
                // Whatever needs no database is answered all the same.
                tracing::error!(exception = %error, "no token to log in to the database with");
            }
            let answer = service.oneshot(request).await?;
            app.metrics.write(app.clock.now());
            // What succeeds has committed. With its answer the environment may be frozen.
            if !answer.status().is_success() {
                db::at_rest(&db, db::CLOSING).await;
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
/// it also keeps the environment from being frozen after a request is done until they are, and no answer of Redis is late. Must
/// be called before the first event is asked for.
async fn extend(
    bus: Bus,
    redis: Option<Redis>,
    done: Arc<Notify>,
    close: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let events: &[&str] = if matches!(bus, Bus::Sqs(_)) && !is_watched() { &["INVOKE"] } else { &[] };
    let settle = lambda_extension::service_fn(move |_| {
        let (bus, redis, done) = (bus.clone(), redis.clone(), done.clone());
        async move {
            done.notified().await;
            bus.settled().await;
            if let Some(redis) = redis {
                redis.settled().await;
            }
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

/// Whether this is `cargo lambda watch`, which freezes nothing and does not get on with an extension that is told of requests
/// (docs/DECISIONS.md). Its Runtime API has a path for each function, where AWS' is a host and a port, and it does not say how
/// the environment came to be.
fn is_watched() -> bool {
    let has_path = env::var("AWS_LAMBDA_RUNTIME_API").is_ok_and(|api| api.contains('/'));
    has_path && env::var_os("AWS_LAMBDA_INITIALIZATION_TYPE").is_none()
}

/// Hand every event to `handle` until Lambda stops the process; then `close` what is open.
///
/// An error is told to whoever sent the event, which for a queue means: send it again.
pub async fn run<T: Serialize>(
    config: &Config,
    handle: impl AsyncFn(Value) -> crate::Result<T>,
    close: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    extend(Bus::Off, None, Arc::default(), close).await?;
    let (handle, metrics) = (&handle, &metrics_of(config));
    let clock = &Clock::system();
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let answer = handle(event.payload).await;
        metrics.write(clock.now());
        answer.map_err(|error| {
            tracing::error!(exception = %error, "the event was not handled");
            Error::from(error)
        })
    }))
    .await
}

/// The configuration that these variables make, with logs going where it says.
///
/// # Errors
/// When something is missing or wrong; what, is named.
pub async fn start(variables: &[&[&str]]) -> Result<Config, Error> {
    let config = environment::read(variables).await?;
    telemetry::init(&config)?;
    Ok(config)
}

/// Where a function's metrics go.
fn metrics_of(config: &Config) -> Metrics {
    // Lambda's runtime says what it is called.
    let function = env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    Metrics::embedded(config.metrics_namespace.as_deref(), &function)
}
