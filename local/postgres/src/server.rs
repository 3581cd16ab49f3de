//! The server: its folder, its start and its stop.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};

use crate::{Programs, Trouble, trouble};

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
    process: Child,
    folder: PathBuf,
    port: u16,
    password: String,
    durability: Durability,
    // Held as long as the server runs: one server in a folder.
    _lock: File,
}

/// Whom the server runs as: PostgreSQL refuses to run as root.
#[derive(Clone, Copy, Debug)]
struct RunAs {
    uid: u32,
    gid: u32,
}

impl Server {
    /// Start a server whose data lives in `folder`, made if it is not there. What a killed server left is cleared first.
    ///
    /// As root, when another user cannot reach `folder`, the data lives below `/var/tmp` instead.
    pub async fn start(folder: &Path, durability: Durability) -> Result<Self, Trouble> {
        let programs = Programs::find_or_install()?;
        let run_as = run_as()?;
        let (folder, lock) = prepare(folder, run_as)?;
        let data = folder.join("data");
        let password = password(&folder, run_as)?;
        if data.join("PG_VERSION").exists() {
            stop_left_over(&programs, &folder, run_as).await;
        } else {
            initialise(&programs, &folder, run_as)?;
        }
        let port = free_port()?;
        let process = launch(&programs, &folder, port, durability, run_as)?;
        let mut server = Self { process, folder, port, password, durability, _lock: lock };
        // A port that was free may be somebody's by the time PostgreSQL asks for it.
        for _ in 0..3 {
            if server.wait_until_ready().await? {
                return Ok(server);
            }
            server.port = free_port()?;
            server.process = launch(&programs, &server.folder, server.port, durability, run_as)?;
        }
        Err(Trouble("PostgreSQL finds no free port".to_owned()))
    }

    /// Clear what killed servers have left in the folders below `parent`.
    pub async fn sweep(parent: &Path) -> Result<(), Trouble> {
        let Ok(folders) = fs::read_dir(parent) else { return Ok(()) };
        for folder in folders.flatten().map(|entry| entry.path()) {
            let free = File::open(folder.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
            if free {
                Self::reset(&folder).await?;
            }
        }
        Ok(())
    }

    /// The URL of the service's database.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// Where its data lives.
    pub fn folder(&self) -> &Path {
        &self.folder
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
                remove(&self.folder)
            }
        }
    }

    /// Remove the data in `folder`, stopping a server that was left running there.
    pub async fn reset(folder: &Path) -> Result<(), Trouble> {
        let run_as = run_as()?;
        let (folder, _lock) = prepare(folder, run_as)?;
        if let Some(programs) = Programs::find() {
            stop_left_over(&programs, &folder, run_as).await;
        }
        remove(&folder)
    }

    fn url_of(&self, database: &str) -> String {
        url(&self.password, self.port, database)
    }

    /// Wait until the server answers. False if it has ended because its port was taken.
    async fn wait_until_ready(&mut self) -> Result<bool, Trouble> {
        let log_path = self.folder.join("postgres.log");
        let deadline = Instant::now() + PATIENCE;
        let mut connection = loop {
            let ended = self.process.try_wait().map_err(trouble("PostgreSQL cannot be watched"))?;
            match PgConnection::connect(&self.url_of("postgres")).await {
                Ok(connection) => break connection,
                Err(_) if ended.is_none() && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => {
                    let log = fs::read_to_string(&log_path).unwrap_or_default();
                    if log.contains("Address already in use") {
                        return Ok(false);
                    }
                    let last = log.lines().last().unwrap_or("its log is empty");
                    let log_path = log_path.display();
                    return Err(Trouble(format!(
                        "PostgreSQL did not start ({error}); see {log_path}, which ends: {last}"
                    )));
                }
            }
        };
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
        for (signal, patience) in [(signal, PATIENCE), (Signal::QUIT, Duration::from_secs(5))] {
            signal_process(&self.process, signal);
            let deadline = Instant::now() + patience;
            while Instant::now() < deadline {
                if self.process.try_wait().map_err(trouble("PostgreSQL cannot be watched"))?.is_some() {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.process.kill().map_err(trouble("PostgreSQL cannot be stopped"))?;
        self.process.wait().map(drop).map_err(trouble("PostgreSQL cannot be watched"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            // The process ends anyway; nobody is left to be told.
            let _ = self.halt(Signal::INT);
            if self.durability == Durability::None {
                let _ = remove(&self.folder);
            }
        }
    }
}

fn url(password: &str, port: u16, database: &str) -> String {
    format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}")
}

fn remove(folder: &Path) -> Result<(), Trouble> {
    fs::remove_dir_all(folder).map_err(trouble(format!("{} cannot be removed", folder.display())))
}

fn launch(
    programs: &Programs,
    folder: &Path,
    port: u16,
    durability: Durability,
    run_as: Option<RunAs>,
) -> Result<Child, Trouble> {
    let log = File::create(folder.join("postgres.log")).map_err(trouble("the log of PostgreSQL cannot be written"))?;
    let mut command = as_user(programs.command("postgres"), run_as);
    command.arg("-D").arg(folder.join("data"));
    for setting in settings(port, durability) {
        command.arg("-c").arg(setting);
    }
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(trouble("the log of PostgreSQL cannot be written"))?)
        .stderr(log)
        // Ctrl-C on the terminal is for us: we stop the server when requests are done.
        .process_group(0)
        .spawn()
        .map_err(trouble("PostgreSQL cannot be started"))
}

fn signal_process(process: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(process.id()).ok().and_then(Pid::from_raw) {
        // Already gone is as good.
        let _ = kill_process(pid, signal);
    }
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
fn run_as() -> Result<Option<RunAs>, Trouble> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(trouble("/etc/passwd cannot be read"))?;
    let find = |wanted: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let found = fields.next()? == wanted;
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            found.then_some(RunAs { uid, gid })
        })
    };
    let found = find("postgres").or_else(|| find("nobody"));
    found.map(Some).ok_or_else(|| Trouble("PostgreSQL cannot run as root, and there is no other user".to_owned()))
}

fn as_user(mut command: Command, run_as: Option<RunAs>) -> Command {
    if let Some(RunAs { uid, gid }) = run_as {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/");
    command
}

/// Make the folder, let the server's user own it, and lock it.
fn prepare(wanted: &Path, run_as: Option<RunAs>) -> Result<(PathBuf, File), Trouble> {
    let mut folder = make_folder(wanted, run_as)?;
    if !reachable(&folder, run_as) {
        // Goes if it was only just made.
        let _ = fs::remove_dir(&folder);
        let mut hasher = DefaultHasher::new();
        folder.hash(&mut hasher);
        folder = make_folder(&Path::new("/var/tmp").join(format!("table-order-{:016x}", hasher.finish())), run_as)?;
    }
    let path = folder.join("lock");
    let lock = File::create(&path).map_err(trouble(format!("{} cannot be written", path.display())))?;
    if lock.try_lock().is_err() {
        let folder = folder.display();
        return Err(Trouble(format!("the database in {folder} is in use: stop the other `make run` first")));
    }
    Ok((folder, lock))
}

fn make_folder(folder: &Path, run_as: Option<RunAs>) -> Result<PathBuf, Trouble> {
    let failed = |error| trouble(format!("the folder {} cannot be made", folder.display()))(error);
    fs::create_dir_all(folder).map_err(failed)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    if let Some(RunAs { uid, gid }) = run_as {
        chown(folder, Some(uid), Some(gid)).map_err(failed)?;
    }
    folder.canonicalize().map_err(failed)
}

fn reachable(folder: &Path, run_as: Option<RunAs>) -> bool {
    let mut test = as_user(Command::new("test"), run_as);
    test.arg("-w").arg(folder).status().is_ok_and(|status| status.success())
}

/// The superuser's password, made once and kept beside the data.
fn password(folder: &Path, run_as: Option<RunAs>) -> Result<String, Trouble> {
    let path = folder.join("password");
    let failed = |error| trouble(format!("{} cannot be used", path.display()))(error);
    if let Ok(password) = fs::read_to_string(&path) {
        return Ok(password);
    }
    let mut bytes = [0u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Trouble("there is no source of randomness".to_owned()))?;
    let password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(&path, &password).map_err(failed)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    if let Some(RunAs { uid, gid }) = run_as {
        chown(&path, Some(uid), Some(gid)).map_err(failed)?;
    }
    Ok(password)
}

fn initialise(programs: &Programs, folder: &Path, run_as: Option<RunAs>) -> Result<(), Trouble> {
    let data = folder.join("data");
    // A start that was cut short.
    if data.exists() {
        fs::remove_dir_all(&data).map_err(trouble(format!("{} cannot be removed", data.display())))?;
    }
    let output = as_user(programs.command("initdb"), run_as)
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
async fn stop_left_over(programs: &Programs, folder: &Path, run_as: Option<RunAs>) {
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
    let _ = as_user(programs.command("pg_ctl"), run_as)
        .arg("-D")
        .arg(&data)
        .args(["stop", "-m", "fast", "-w", "-t", "20"])
        .output();
}

fn free_port() -> Result<u16, Trouble> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(trouble("there is no free port"))?;
    Ok(listener.local_addr().map_err(trouble("there is no free port"))?.port())
}
