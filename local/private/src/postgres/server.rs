//! The server: its folder, its start and its stop.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sqlx::{Connection, PgConnection};

use super::Programs;
use crate::folder::Folder;
use crate::process::{ATTEMPTS, Process, free_port};
use crate::user::{User, as_user};
use crate::{Trouble, trouble};

/// The database's own superuser.
const USER: &str = "table_order";
/// The database of the service.
const DATABASE: &str = "table_order";
/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a crash of the machine may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was acknowledged.
    Full,
    /// Everything: for tests.
    None,
}

/// A running server in a folder of its own. Stopped when dropped; without durability its folder goes, too.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
    password: String,
    durability: Durability,
    // Last: it may go once the server has stopped.
    folder: Folder,
}

impl Server {
    /// Start a server whose data lives in `folder`, made if it is not there. What a killed server left is cleared first.
    ///
    /// As root, when another user cannot reach `folder`, the data lives below `/var/tmp` instead.
    pub async fn start(folder: &Path, durability: Durability) -> Result<Self, Trouble> {
        let programs = Programs::find_or_install()?;
        let user = user()?;
        let mut folder = Folder::make(folder, user)?;
        let password = folder.password()?;
        if folder.path().join("data/PG_VERSION").exists() {
            stop_left_over(&programs, folder.path(), user).await;
        } else {
            initialise(&programs, folder.path(), user)?;
        }
        let port = free_port()?;
        let process = launch(&programs, folder.path(), port, durability, user)?;
        folder.temporary = durability == Durability::None;
        let mut server = Self { process, port, password, durability, folder };
        for _ in 0..ATTEMPTS {
            if server.wait_until_ready().await.inspect_err(|_| server.folder.temporary = false)? {
                return Ok(server);
            }
            server.port = free_port()?;
            server.process = launch(&programs, server.folder.path(), server.port, durability, user)?;
        }
        Err(Trouble("PostgreSQL finds no free port".to_owned()))
    }

    /// The URL of the service's database.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// Where its data lives.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its first process, the parent of all others.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Stop. Transactions are let go, as in PostgreSQL's "fast" shutdown, or without durability at once.
    pub fn stop(mut self) -> Result<(), Trouble> {
        match self.durability {
            Durability::Full => self.halt(Signal::INT),
            Durability::None => {
                self.halt(Signal::QUIT)?;
                self.folder.remove()
            }
        }
    }

    /// End at once, as in a crash: with full durability, nothing that was acknowledged is lost. Nobody answers on its port
    /// until [`Server::restart`].
    pub fn kill(&mut self) -> Result<(), Trouble> {
        self.process.halt(&[])
    }

    /// Start again on the same port with the same data, after ending if it is running.
    pub async fn restart(&mut self) -> Result<(), Trouble> {
        self.kill()?;
        let programs = Programs::find_or_install()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.process = launch(&programs, self.folder.path(), self.port, self.durability, user()?)?;
            if self.wait_until_ready().await? {
                return Ok(());
            }
            // The processes of its connections end a moment after it, and hold its memory until then.
            if Instant::now() > deadline {
                return Err(Trouble(format!("PostgreSQL does not start again on port {}: see its log", self.port)));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Remove the data in `folder`, stopping a server that was left running there.
    pub async fn reset(folder: &Path) -> Result<(), Trouble> {
        let user = user()?;
        let mut folder = Folder::make(folder, user)?;
        if let Some(programs) = Programs::find() {
            stop_left_over(&programs, folder.path(), user).await;
        }
        folder.remove()
    }

    fn url_of(&self, database: &str) -> String {
        url(&self.password, self.port, database)
    }

    /// Wait until the server answers. False if it has ended because its port was taken.
    async fn wait_until_ready(&mut self) -> Result<bool, Trouble> {
        let url = self.url_of("postgres");
        let connect = async || PgConnection::connect(&url).await.map_err(|error| error.to_string());
        let Some(mut connection) = self.process.answer(PATIENCE, connect).await? else { return Ok(false) };
        let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await
            .map_err(|error| Trouble(format!("PostgreSQL does not answer: {error}")))?;
        if !exists {
            sqlx::query("create database table_order")
                .execute(&mut connection)
                .await
                .map_err(|error| Trouble(format!("the database cannot be made: {error}")))?;
        }
        Ok(true)
    }

    fn halt(&mut self, signal: Signal) -> Result<(), Trouble> {
        self.process.halt(&[(signal, PATIENCE), (Signal::QUIT, Duration::from_secs(5))])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process ends anyway; nobody is left to be told.
        let _ = self.halt(Signal::INT);
    }
}

fn url(password: &str, port: u16, database: &str) -> String {
    format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}")
}

fn launch(
    programs: &Programs,
    folder: &Path,
    port: u16,
    durability: Durability,
    user: Option<User>,
) -> Result<Process, Trouble> {
    let mut command = as_user(programs.command("postgres"), user);
    command.arg("-D").arg(folder.join("data"));
    for setting in settings(port, durability) {
        command.arg("-c").arg(setting);
    }
    Process::start(command, "PostgreSQL", folder.join("postgres.log"))
}

fn settings(port: u16, durability: Durability) -> Vec<String> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        // No socket file: its path could be too long, and nobody else needs it.
        "unix_socket_directories=".to_owned(),
        "timezone=UTC".to_owned(),
        "max_connections=100".to_owned(),
    ];
    if durability == Durability::None {
        let fast = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=400"];
        settings.extend(fast.map(str::to_owned));
    }
    settings
}

/// The user of the server: this one, or as root the one Debian makes for it, or nobody.
fn user() -> Result<Option<User>, Trouble> {
    User::instead_of_root("PostgreSQL", &["postgres", "nobody"])
}

fn initialise(programs: &Programs, folder: &Path, user: Option<User>) -> Result<(), Trouble> {
    let data = folder.join("data");
    // A start that was cut short.
    if data.exists() {
        fs::remove_dir_all(&data).map_err(trouble(format!("{} cannot be removed", data.display())))?;
    }
    let output = as_user(programs.command("initdb"), user)
        .arg("-D")
        .arg(&data)
        .args(["--username", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .arg(format!("--pwfile={}", folder.join("password").display()))
        .output()
        .map_err(trouble("initdb cannot be run"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Trouble(format!("initdb failed: {}", said.trim())));
    }
    Ok(())
}

/// Stop a server that outlived whoever started it.
///
/// Only if it answers on its port to our password: the process id in its file may be somebody else's by now, and the next
/// server clears a file that means nothing.
async fn stop_left_over(programs: &Programs, folder: &Path, user: Option<User>) {
    let data = folder.join("data");
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let (Some(port), Ok(password)) =
        (file.lines().nth(3).and_then(|line| line.trim().parse().ok()), fs::read_to_string(folder.join("password")))
    else {
        return;
    };
    let url = url(&password, port, "postgres");
    let answer = tokio::time::timeout(Duration::from_secs(2), PgConnection::connect(&url)).await;
    if !matches!(answer, Ok(Ok(_))) {
        return;
    }
    let _ = as_user(programs.command("pg_ctl"), user)
        .arg("-D")
        .arg(&data)
        .args(["stop", "-m", "fast", "-w", "-t", "20"])
        .output();
}
