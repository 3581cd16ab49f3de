//! `table-order-local`: the service in one process, and what a developer does around it.

#![expect(clippy::print_stderr, reason = "this is a program for a terminal")]

mod database;
mod environment;
mod events;
mod setup;
mod watch;
mod welcome;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use axum::http::Uri;
use clap::{Parser, Subcommand};
use local::gateway::{self, Upstream, Upstreams};
use local::laid_aside::dead_uploads;
use local::pictures::Pictures;
use local::sources::{Lambda, Sources};
use local::{changes, demo, demo_page, openapi, serve};
use shared::auth::keys;
use shared::auth::tokens::Tokens;
use shared::aws::Queue;
use shared::clock::{self, Clock};
use shared::config::{AppEnv, Config};
use shared::db::{self, PoolSize};
use shared::telemetry;
use shared::telemetry::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::database::Database;

/// What went wrong, as a sentence that says what to do next.
type Trouble = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(about = "The table-order service in one process")]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Serve everything on one port (the default)
    Run,
    /// Serve everything in the shape it has in production
    Watch(watch::Ports),
    /// Do what AWS's event source mappings do
    Sources {
        /// Where functions are invoked
        #[arg(long, default_value = "http://127.0.0.1:9000")]
        lambda: String,
        /// The most messages of RabbitMQ in one invocation
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        batch: u16,
        /// How long messages are gathered, in milliseconds
        #[arg(long, default_value_t = 0)]
        window: u64,
    },
    /// Make what the functions need: keys, tables, queues, demo data
    Setup,
    /// Show or replay messages that were laid aside
    #[command(subcommand)]
    Events(Events),
    /// Serve what runs as several programs at one address, as CloudFront does on AWS
    Gateway {
        /// Where the functions are: `cargo lambda watch`
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9000")]
        api: Upstream,
        /// Where the live streams are
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8001")]
        stream: Upstream,
        /// Where the pictures are, a bucket for example; without it there are none
        #[arg(long, value_name = "URL")]
        pictures: Option<Upstream>,
    },
    /// Bring the database up to date
    Migrate,
    /// Take the last migration back
    MigrateDown,
    /// Add the demo data
    Seed,
    /// Drop the private database
    Reset,
    /// Make the keys that tokens are signed with
    Keys,
    /// Write the description of the API
    Openapi {
        /// Where to
        file: PathBuf,
    },
    /// Tell what has changed in the API, and fail when a client would break on it
    OpenapiCheck {
        /// The description before
        old: PathBuf,
        /// The description now
        new: PathBuf,
    },
}

#[derive(Subcommand)]
enum Events {
    /// Show what the fan-out parked and what the queues gave up
    List,
    /// Send it again
    Replay {
        /// Ids of events; all when none is given
        ids: Vec<String>,
    },
}

fn main() -> ExitCode {
    match carry_out(Cli::parse().task.unwrap_or(Task::Run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            // Nobody may be reading any more.
            let _ = writeln!(io::stderr(), "table-order: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(task: Task) -> Result<(), Trouble> {
    match &task {
        Task::Openapi { file } => return Ok(std::fs::write(file, openapi::document()?)?),
        Task::OpenapiCheck { old, new } => return check_changes(old, new),
        _ => {}
    }
    // Before there are threads that could be reading the environment.
    environment::load()?;
    let config = Config::from_env()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let stopped = stop_on_signal(matches!(task, Task::Run | Task::Watch(_)))?;
        match task {
            Task::Run => run(config, stopped).await,
            Task::Watch(ports) => watch::watch(config, ports, stopped).await,
            Task::Sources { lambda, batch, window } => sources(config, &lambda, batch, window, stopped).await,
            Task::Setup => unless(stopped, setup::run(&config)).await,
            Task::Events(Events::List) => unless(stopped, events::list(&config)).await,
            Task::Events(Events::Replay { ids }) => unless(stopped, events::replay(&config, &ids)).await,
            Task::Gateway { api, stream, pictures } => {
                serve_gateway(config, Upstreams { api, stream, pictures }, stopped).await
            }
            Task::Migrate => unless(stopped, with_database(&config, Database::migrate)).await,
            Task::MigrateDown => unless(stopped, with_database(&config, Database::migrate_down)).await,
            Task::Seed => unless(stopped, with_database(&config, async |database| seed(&config, database).await)).await,
            Task::Reset => reset().await,
            Task::Keys => make_keys(&config),
            Task::Openapi { .. } | Task::OpenapiCheck { .. } => Ok(()),
        }
    })
}

/// Do something, unless it is interrupted: what it holds, a private server among it, is then let go.
async fn unless<T>(stopped: CancellationToken, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    tokio::select! {
        done = work => done,
        () = stopped.cancelled() => Err("interrupted".into()),
    }
}

async fn with_database(
    config: &Config,
    work: impl AsyncFnOnce(&Database) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let database = Database::open(config).await?;
    let done = work(&database).await;
    database.close()?;
    done
}

async fn seed(config: &Config, database: &Database) -> Result<(), Trouble> {
    if config.app_env != AppEnv::Production {
        database.migrate().await?;
    }
    let pool = db::connect(db::connect_options(&database.url)?, PoolSize::EVENT_FUNCTION);
    let seeded = demo::seed(&pool, config.app_env, &Clock::system()).await;
    pool.close().await;
    Ok(seeded?)
}

async fn sources(
    config: Config,
    lambda: &str,
    batch: u16,
    window: u64,
    stopped: CancellationToken,
) -> Result<(), Trouble> {
    telemetry::init(&config)?;
    let [rabbitmq_url, nudge_queue_url, upload_queue_url] =
        config.required(["RABBITMQ_URL", "NUDGE_QUEUE_URL", "UPLOAD_QUEUE_URL"])?;
    let sources = Sources {
        rabbitmq_url: rabbitmq_url.into(),
        nudge_queue_url: nudge_queue_url.to_owned(),
        upload_queue_url: upload_queue_url.to_owned(),
        lambda: Lambda::at(lambda),
        batch,
        window: Duration::from_millis(window),
    };
    sources.run(stopped).await;
    Ok(())
}

async fn run(mut config: Config, stopped: CancellationToken) -> Result<(), Trouble> {
    let listener = listen(&config, "make run").await?;
    let pictures = open_pictures(&config).await?;
    telemetry::init(&config).map_err(|error| format!("LOG_FILE cannot be written: {error}"))?;
    if std::env::var_os("IMAGE_BASE_URL").is_none() {
        config.image_base_url = format!("http://{}/images", listener.local_addr()?);
    }
    let production = config.app_env == AppEnv::Production;
    let keys_are_files = config.jwt_public_keys.is_none();
    if keys_are_files && !production && !config.jwt_private_key_path.exists() {
        make_keys(&config)?;
    }
    let tokens = Tokens::from_config(&config, true)?;
    let clock = Clock::system();
    let (database, pool) = unless(stopped.clone(), async {
        let database = Database::open(&config).await?;
        database.migrate().await?;
        let pool = db::connect(db::connect_options(&database.url)?, PoolSize::local());
        Ok((database, pool))
    })
    .await?;
    if !production {
        // Somebody's own database may hold the same names already: the service is no worse for it.
        if let Err(trouble) =
            unless(stopped.clone(), async { Ok(demo::seed(&pool, config.app_env, &clock).await?) }).await
        {
            eprintln!("{trouble}");
        }
    }
    let menu = if production { None } else { demo::available_menu(&pool).await };
    welcome::print(&database, &format!("http://{}", listener.local_addr()?), menu);
    let served = serve::serve(config, tokens, pool, clock, listener, pictures, stopped).await;
    database.close()?;
    served
}

/// Drop the private database, and the pictures that it knows.
async fn reset() -> Result<(), Trouble> {
    database::reset().await?;
    match std::fs::remove_dir_all(pictures_folder()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("the pictures cannot be removed: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Where the buckets of the one process are.
fn pictures_folder() -> PathBuf {
    environment::target().join("local/pictures")
}

/// The buckets of the one process, at the port that clients are told, or at a free one.
async fn open_pictures(config: &Config) -> Result<Pictures, Trouble> {
    let public = config.s3_public_endpoint.clone();
    let port = match &public {
        Some(endpoint) => endpoint
            .parse::<Uri>()
            .map_err(|error| format!("S3_PUBLIC_ENDPOINT is wrong: {error}"))?
            .port_u16()
            .unwrap_or(80),
        None => 0,
    };
    let listener = TcpListener::bind((config.host, port)).await;
    let listener = listener.map_err(|error| format!("port {port}, for uploads, cannot be listened on: {error}"))?;
    let folder = pictures_folder();
    let random = || Uuid::from_bytes(clock::random()).simple().to_string();
    Pictures::open(&folder, listener, [random(), random()], public)
        .map_err(|error| format!("{} cannot be made: {error}", folder.display()).into())
}

async fn serve_gateway(config: Config, upstreams: Upstreams, stopped: CancellationToken) -> Result<(), Trouble> {
    let listener = listen(&config, "table-order-local gateway").await?;
    telemetry::init(&config).map_err(|error| format!("LOG_FILE cannot be written: {error}"))?;
    // Where the demo page finds pictures, and uploads them to.
    let s3 = config.s3_public_endpoint.or_else(|| std::env::var("AWS_ENDPOINT_URL").ok());
    let origins: Vec<_> = [Some(config.image_base_url), s3].into_iter().flatten().collect();
    let laid_aside = [config.parked_queue_url, config.upload_queue_url.as_deref().map(dead_uploads)];
    let options = gateway::Options {
        demo_page: (config.app_env != AppEnv::Production).then(|| demo_page::router(&origins)),
        origin_secret: config.origin_secret,
        timeout: gateway::TIMEOUT,
        laid_aside: laid_aside.into_iter().flatten().map(Queue::new).collect(),
        metrics: Metrics::install_some(|name| gateway::METRICS.contains(&name)),
    };
    if options.origin_secret.is_none() {
        tracing::warn!("all viewers have one limit: without ORIGIN_SECRET their addresses are not believed");
    }
    welcome::print_gateway(listener.local_addr()?);
    gateway::serve(listener, upstreams, options, stopped).await
}

/// Listen where the configuration says; `command` is what is typed to begin.
async fn listen(config: &Config, command: &str) -> Result<TcpListener, Trouble> {
    let (host, port) = (config.host, config.port);
    let listener = TcpListener::bind((host, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let next = port.wrapping_add(1);
            format!("port {port} is taken: stop what uses it, or choose another with PORT={next} {command}")
        }
        _ => format!("{host}:{port} cannot be listened on: {error}"),
    })?;
    Ok(listener)
}

/// A token that is cancelled by Ctrl-C, when the terminal is closed, or when the process is told to end, which is said
/// where a person may be waiting for it.
fn stop_on_signal(say: bool) -> Result<CancellationToken, Trouble> {
    let stopped = CancellationToken::new();
    let token = stopped.clone();
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
            _ = hung_up.recv() => {}
        }
        token.cancel();
        if say {
            // Nobody may be reading any more; that must not keep the service from stopping.
            let _ = writeln!(io::stderr(), "\nStopping.");
        }
    });
    Ok(stopped)
}

/// Print what has changed between two descriptions of the API.
fn check_changes(old: &Path, new: &Path) -> Result<(), Trouble> {
    let read = |path: &Path| -> Result<serde_json::Value, Trouble> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
    };
    let (breaking, additions): (Vec<_>, Vec<_>) =
        changes::between(&read(old)?, &read(new)?).into_iter().partition(|change| change.breaking);
    for (heading, changes) in [("breaking", &breaking), ("addition", &additions)] {
        changes.iter().for_each(|change| eprintln!("{heading:<10}{change}"));
    }
    if breaking.is_empty() {
        eprintln!("No breaking change, {} additions.", additions.len());
        return Ok(());
    }
    Err(format!("{} breaking changes: clients that work today would not any more", breaking.len()).into())
}

fn make_keys(config: &Config) -> Result<(), Trouble> {
    let (private, public) = (&config.jwt_private_key_path, &config.jwt_public_key_path);
    // A private key without its public half, or the other way round, is for a person to look at.
    if let Some(there) = [private, public].into_iter().find(|path| path.exists()) {
        return Err(format!("{} is there already: move it away to make new keys", there.display()).into());
    }
    keys::write_new(private, public).map_err(|error| format!("the keys cannot be written: {error}"))?;
    eprintln!("Made keys: {} (keep it secret) and {}.", private.display(), public.display());
    Ok(())
}
