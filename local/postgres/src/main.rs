//! `with-postgres COMMAND…`: runs a command with `DATABASE_URL` set to a migrated database on a server of its own, which
//! is gone afterwards.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use private_postgres::{Durability, Server, Trouble};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(trouble) => {
            #[expect(clippy::print_stderr)]
            {
                eprintln!("with-postgres: {trouble}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, Trouble> {
    let mut arguments = env::args_os().skip(1);
    let program = arguments.next().ok_or_else(|| Trouble("name a command to run".to_owned()))?;
    let failed = |error| Trouble(format!("the command cannot be run: {error}"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(failed)?;
    // Dropped half-way, the server stops and its folder goes.
    let server = tokio::select! {
        server = start() => server?,
        _ = interrupted.recv() => return Ok(ExitCode::FAILURE),
        _ = terminated.recv() => return Ok(ExitCode::FAILURE),
        _ = hung_up.recv() => return Ok(ExitCode::FAILURE),
    };
    let mut command = Command::new(program);
    let mut child = command.args(arguments).env("DATABASE_URL", server.url()).spawn().map_err(failed)?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(failed)?,
            // Ctrl-C on a terminal, and its end, reach the command too: wait for it, then clear up.
            _ = interrupted.recv() => {}
            _ = hung_up.recv() => {}
            _ = terminated.recv() => child.start_kill().map_err(failed)?,
        }
    };
    server.stop()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// A server with a migrated database, in a folder that goes with it.
async fn start() -> Result<Server, Trouble> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folders = target.join("with-postgres");
    Server::sweep(&folders).await?;
    let server = Server::start(&folders.join(std::process::id().to_string()), Durability::None).await?;
    migrate(&server.url(), &root.join("migrations")).await?;
    Ok(server)
}

async fn migrate(url: &str, migrations: &Path) -> Result<(), Trouble> {
    let failed = |error: &dyn std::fmt::Display| Trouble(format!("the migrations cannot be run: {error}"));
    let mut connection = PgConnection::connect(url).await.map_err(|error| failed(&error))?;
    let migrator = Migrator::new(migrations).await.map_err(|error| failed(&error))?;
    migrator.run(&mut connection).await.map_err(|error| failed(&error))
}
