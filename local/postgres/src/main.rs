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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("with-postgres").join(std::process::id().to_string());
    let server = Server::start(&folder, Durability::None).await?;
    let url = server.url();
    migrate(&url, &root.join("migrations")).await?;
    let mut command = Command::new(program);
    command.args(arguments).env("DATABASE_URL", &url).kill_on_drop(true);
    let failed = |error| Trouble(format!("the command cannot be run: {error}"));
    let mut child = command.spawn().map_err(failed)?;
    // Ctrl-C on a terminal reaches the command too: wait for it, then clear up.
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(failed)?,
            _ = interrupted.recv() => {}
            _ = terminated.recv() => child.start_kill().map_err(failed)?,
        }
    };
    server.stop_and_remove()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

async fn migrate(url: &str, migrations: &Path) -> Result<(), Trouble> {
    let failed = |error: &dyn std::fmt::Display| Trouble(format!("the migrations cannot be run: {error}"));
    let mut connection = PgConnection::connect(url).await.map_err(|error| failed(&error))?;
    let migrator = Migrator::new(migrations).await.map_err(|error| failed(&error))?;
    migrator.run(&mut connection).await.map_err(|error| failed(&error))
}
