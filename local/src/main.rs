//! `table-order-local`: the service in one process, and what a developer does around it.

#![expect(clippy::print_stderr, reason = "this is a program for a terminal")]

mod database;
mod environment;
mod welcome;

use std::fs;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use local::{demo, serve};
use shared::auth::keys;
use shared::clock::Clock;
use shared::config::{AppEnv, Config};
use shared::db::{self, PoolSize};
use shared::telemetry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::database::Database;

/// What went wrong, as a sentence that says what to do next.
type Trouble = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(about = "The table-order service in one process")]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Clone, Copy, Subcommand)]
enum Task {
    /// Serve everything on one port (the default)
    Run,
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
}

#[tokio::main]
async fn main() -> ExitCode {
    match carry_out(Cli::parse().task.unwrap_or(Task::Run)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("table-order: {trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(task: Task) -> Result<(), Trouble> {
    environment::load()?;
    let config = Config::from_env()?;
    match task {
        Task::Run => run(config).await,
        Task::Migrate => {
            let database = Database::open(&config).await?;
            let migrated = database.migrate().await;
            database.close()?;
            Ok(migrated?)
        }
        Task::MigrateDown => {
            let database = Database::open(&config).await?;
            let undone = database.migrate_down().await;
            database.close()?;
            Ok(undone?)
        }
        Task::Seed => {
            let database = Database::open(&config).await?;
            let pool = db::connect(db::connect_options(&database.url)?, PoolSize::LAMBDA);
            let seeded = demo::seed(&pool, config.app_env, &Clock::system()).await;
            pool.close().await;
            database.close()?;
            Ok(seeded?)
        }
        Task::Reset => database::reset(),
        Task::Keys => make_keys(&config),
    }
}

async fn run(config: Config) -> Result<(), Trouble> {
    let address = (config.host, config.port);
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let (port, next) = (config.port, config.port.wrapping_add(1));
            format!("port {port} is taken: stop what uses it, or choose another with PORT={next} make run")
        }
        _ => format!("{}:{} cannot be listened on: {error}", address.0, address.1),
    })?;
    telemetry::init(config.log_level);
    if !config.jwt_private_key_path.exists() && config.jwt_public_keys.is_none() && config.app_env != AppEnv::Production
    {
        make_keys(&config)?;
    }
    let stopped = stop_on_signal()?;
    let database = Database::open(&config).await?;
    database.migrate().await?;
    let clock = Clock::system();
    let pool = db::connect(db::connect_options(&database.url)?, PoolSize::LOCAL);
    if config.app_env != AppEnv::Production {
        demo::seed(&pool, config.app_env, &clock).await?;
    }
    welcome::print(&config, &database, listener.local_addr()?);
    let served = serve::serve(config, pool, clock, listener, stopped).await;
    database.close()?;
    served
}

/// A token that is cancelled by Ctrl-C, or when the process is told to end.
fn stop_on_signal() -> Result<CancellationToken, Trouble> {
    let stopped = CancellationToken::new();
    let token = stopped.clone();
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        token.cancel();
        // Nobody may be reading any more; that must not keep the service from stopping.
        let _ = writeln!(std::io::stderr(), "\nStopping.");
    });
    Ok(stopped)
}

fn make_keys(config: &Config) -> Result<(), Trouble> {
    let (private, public) = (&config.jwt_private_key_path, &config.jwt_public_key_path);
    // A private key without its public half, or the other way round, is for a person to look at.
    if let Some(there) = [private, public].into_iter().find(|path| path.exists()) {
        return Err(format!("{} is there already: move it away to make new keys", there.display()).into());
    }
    keys::write_new(private, public).map_err(|error| format!("the keys cannot be written: {error}"))?;
    let size = fs::metadata(private)?.len();
    eprintln!("Made keys: {} ({size} bytes, keep it secret) and {}.", private.display(), public.display());
    Ok(())
}
