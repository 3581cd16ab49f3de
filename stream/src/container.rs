//! The container: streams for as long as they last, beside other containers, on what Redis keeps for all of them.

use std::error::Error;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use shared::app::{self, App, Parts};
use shared::auth::tokens::Tokens;
use shared::db::login::Login;
use shared::db::{self, PoolSize};
use shared::environment;
use shared::events::feed::{Feed, RedisFeed};
use shared::http::{Routes, layers, live};
use shared::redis::{Patience, Redis};
use shared::routes;
use shared::telemetry;
use shared::telemetry::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Streams, scrape};

/// The variables it reads.
pub const VARIABLES: [&[&str]; 4] =
    [environment::EVERYWHERE, environment::DATABASE, environment::HTTP, &["HOST", "PORT"]];

/// How often it sees to its login at the database, and tells CloudWatch how it is.
const UPKEEP: Duration = Duration::from_secs(60);
/// How long all of the end may take: what is left then is cut off.
pub const LIMIT: Duration = Duration::from_secs(30);
/// How long of that streams may take: their clients' last frame has to get through, too.
const STREAMS: Duration = Duration::from_secs(20);
/// How long requests may then take: longer than any that only reads.
const REQUESTS: Duration = LIMIT.saturating_sub(STREAMS).saturating_sub(db::CLOSING);

/// Serve until the process is told to end, and then drain.
///
/// # Errors
/// When the configuration is wrong or lacks what is needed, or its address cannot be listened on.
pub async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = environment::read(&VARIABLES).await?;
    telemetry::init(&config)?;
    let (host, port) = (config.host, config.port);
    let (db, redis) = app::connect(&config, PoolSize::STREAM)?;
    let tokens = Tokens::from_config(&config, false)?;
    // A connection of its own: a stream can wait longer for Redis than a request that does without.
    let [redis_url] = config.required(["REDIS_URL"])?;
    let feed = Feed::Redis(RedisFeed::new(Redis::open(&redis_url.into(), Patience::STREAM)?));
    let streams = Streams::new(feed, CancellationToken::new());
    let metrics = match &config.metrics_namespace {
        Some(namespace) => Metrics::embedded(Some(namespace), "stream"),
        None => Metrics::install(),
    };
    let app = App::new(Parts { metrics, ..Parts::new(config, tokens, db.clone(), Some(redis)) });
    let login = Login::new(&app.config, &db, &app.clock);
    login.renew().await?;
    tokio::spawn(keep_up(login, app.clone(), streams.clone()));
    let told_to_end = told_to_end()?;
    let listener = TcpListener::bind((host, port));
    let listener = listener.await.map_err(|error| format!("{host}:{port} cannot be listened on: {error}"))?;
    tracing::info!(address = %listener.local_addr()?, "serving streams");
    let service = layers::service(routes(streams.clone()), app.clone());
    let served = serve(streams, app, listener, service, told_to_end).await;
    db::close(&db).await;
    Ok(served?)
}

/// See to the login at the database, and tell CloudWatch how it is, until the process ends.
async fn keep_up(login: Login, app: App, streams: Streams) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Err(error) = login.renew().await {
            tracing::warn!(exception = %error, "no token to log in to the database with; trying again");
        }
        if app.config.metrics_namespace.is_some() {
            scrape::measure(&app, &streams).await;
            app.metrics.write(app.clock.now());
        }
    }
}

/// The routes of a container.
pub fn routes(streams: Streams) -> Routes {
    crate::router(streams).routes(routes!(live::live))
}

/// Serve until told to end; then answer no new streams, end those that are open, and let requests under way end.
pub async fn serve(
    streams: Streams,
    app: App,
    listener: TcpListener,
    service: Router,
    told_to_end: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut serving = pin!(streams.clone().serve(app, listener, service, REQUESTS));
    tokio::select! {
        served = &mut serving => return served,
        () = told_to_end => {}
    }
    tracing::info!(streams = streams.open_count(), "draining");
    let drained = async {
        if timeout(STREAMS, streams.drain()).await.is_err() {
            tracing::warn!(streams = streams.open_count(), "streams were cut off: their clients do not read");
        }
        streams.stop();
    };
    tokio::join!(serving, drained).0
}

/// Ready when the process gets the signal to end.
fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}
