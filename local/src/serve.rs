//! Wires the parts that live in this process and serves them.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::InvalidHeaderValue;
use shared::app::{App, Parts};
use shared::auth::tokens::Tokens;
use shared::clock::{self, Clock};
use shared::config::{AppEnv, Config};
use shared::db;
use shared::events::bus::Bus;
use shared::events::feed::Feed;
use shared::events::publisher::Publisher;
use shared::events::relay::Relay;
use shared::http::layers;
use shared::telemetry::metrics::Metrics;
use sqlx::PgPool;
use stream::Streams;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::demo_page;
use crate::pictures::Pictures;

/// How long requests under way may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serve everything until `stopped`.
pub async fn serve(
    config: Config,
    tokens: Tokens,
    db: PgPool,
    clock: Clock,
    listener: TcpListener,
    pictures: Pictures,
    stopped: CancellationToken,
) -> Result<(), Box<dyn Error>> {
    let production = config.app_env == AppEnv::Production;
    let nudged = Arc::new(Notify::new());
    // A feed of its own for each start: whoever comes back is told to load again.
    let feed = Feed::local(&Uuid::from_bytes(clock::random()).simple().to_string());
    let streams = Streams::new(feed.clone(), stopped.clone());
    let app = App::new(Parts {
        clock,
        bus: Bus::Local(nudged.clone()),
        storage: Some(pictures.storage.clone()),
        metrics: Metrics::install(),
        ..Parts::new(config, tokens, db.clone(), None)
    });
    let publisher = Publisher::Local { feed, cache: app.cache.clone() };
    let relay = Relay { db: db.clone(), publisher, clock: app.clock.clone() };
    let relaying = tokio::spawn(relay.run(nudged, stopped.clone()));
    let mut service = layers::service(crate::routes(streams.clone()), app.clone()).merge(pictures.router());
    let own = origins(&listener.local_addr()?)?;
    if !production {
        service = service.merge(demo_page::router(&[&app.config.image_base_url, &pictures.url()?]));
    }
    let handler = images::Handler::of(&app, pictures.storage.clone());
    let allowed = own.into_iter().chain(app.config.cors_origins.iter().cloned()).collect();
    let taking_pictures = tokio::spawn(pictures.serve(handler, allowed, stopped));
    let served = streams.serve(app, listener, service, PATIENCE).await;
    relaying.await?;
    taking_pictures.await??;
    db::close(&db).await;
    Ok(served?)
}

/// What a browser calls the pages that are served at this address.
fn origins(address: &SocketAddr) -> Result<[HeaderValue; 2], InvalidHeaderValue> {
    Ok([format!("http://{address}").parse()?, format!("http://localhost:{}", address.port()).parse()?])
}
