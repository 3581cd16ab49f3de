//! Redis, or Valkey, which speaks the same.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Trouble;
use crate::folder::Folder;
use crate::packages::{HOMEBREW, Packages, on_path};
use crate::process::{ATTEMPTS, Process, clear, free_port, stop_left_over};

const REDIS: Packages =
    Packages { name: "Redis 7 or newer, or Valkey", debian: &["redis-server"], homebrew: &["redis"] };
/// The oldest version that the service is tested with.
const OLDEST: u32 = 7;
/// How many databases there are, numbered from 0: one for each test.
const DATABASES: u32 = 4096;
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server that keeps nothing on disk, in a folder of its own. Stopped when dropped; its folder goes, too.
#[derive(Debug)]
pub struct Server {
    process: Process,
    program: PathBuf,
    port: u16,
    password: String,
    // Last: it may go once the server has stopped.
    folder: Folder,
}

impl Server {
    /// Start an empty server in `folder`, made if it is not there. What a killed server left is cleared first.
    pub async fn start(folder: &Path) -> Result<Self, Trouble> {
        let program = REDIS.find_or_install(find)?;
        let mut folder = Folder::make(folder, None)?;
        stop_left_over(folder.path());
        folder.temporary = true;
        let password = folder.password()?;
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let mut process = launch(&program, &folder, port, &password)?;
            let ready = wait_until_ready(&mut process, port, &password).await;
            if ready.inspect_err(|_| folder.temporary = false)? {
                return Ok(Self { process, program, port, password, folder });
            }
        }
        Err(Trouble("Redis finds no free port".to_owned()))
    }

    /// Its URL, without the number of a database.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Stop, and remove the folder.
    pub fn stop(mut self) -> Result<(), Trouble> {
        self.kill()?;
        self.folder.remove()
    }

    /// End at once, as in a crash. Nobody answers on its port until [`Server::restart`].
    pub fn kill(&mut self) -> Result<(), Trouble> {
        self.process.halt(&[])
    }

    /// Start again on the same port, empty, after ending if it is running.
    pub async fn restart(&mut self) -> Result<(), Trouble> {
        self.kill()?;
        self.process = launch(&self.program, &self.folder, self.port, &self.password)?;
        if wait_until_ready(&mut self.process, self.port, &self.password).await? {
            return Ok(());
        }
        Err(Trouble(format!("port {} of Redis is somebody else's by now: start another server", self.port)))
    }

    /// Stand still: connections are accepted, and nothing is answered until [`Server::resume`].
    pub fn pause(&mut self) -> Result<(), Trouble> {
        self.process.pause()
    }

    /// Go on after [`Server::pause`].
    pub fn resume(&mut self) -> Result<(), Trouble> {
        self.process.resume()
    }

    /// Remove what is in `folder`, stopping a server that was left running there.
    pub fn reset(folder: &Path) -> Result<(), Trouble> {
        clear(folder)
    }
}

/// A program that is new enough, in `PATH` or where Homebrew keeps it.
fn find() -> Option<PathBuf> {
    let homebrew = HOMEBREW.map(|folder| Path::new(folder).join("redis/bin/redis-server"));
    let found = ["redis-server", "valkey-server"].into_iter().filter_map(on_path).chain(homebrew);
    found.into_iter().find(|program| version(program).is_some_and(|version| version >= OLDEST))
}

/// The major version.
fn version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    // `Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=8f17b9da9a4ff9a1`
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_once("v=")?.1.split('.').next()?.parse().ok()
}

fn launch(program: &Path, folder: &Folder, port: u16, password: &str) -> Result<Process, Trouble> {
    let settings = [
        "bind 127.0.0.1".to_owned(),
        format!("port {port}"),
        format!("requirepass {password}"),
        format!("databases {DATABASES}"),
        "save \"\"".to_owned(),
        "appendonly no".to_owned(),
        // The command line stays the one that names our folder: by it a left-over is known.
        "set-proc-title no".to_owned(),
    ];
    folder.write("redis.conf", &settings.join("\n"))?;
    let mut command = Command::new(program);
    command.arg(folder.path().join("redis.conf")).current_dir(folder.path());
    let process = Process::start(command, "Redis", folder.path().join("redis.log"))?;
    process.note()?;
    Ok(process)
}

/// Wait until the server answers. False if it has ended because its port was taken.
async fn wait_until_ready(process: &mut Process, port: u16, password: &str) -> Result<bool, Trouble> {
    let ping = async || ping(port, password).await.map_err(|error| error.to_string());
    Ok(process.answer(PATIENCE, ping).await?.is_some())
}

/// Ask whoever listens on the port for a sign of life. Only a server with our password gives it.
async fn ping(port: u16, password: &str) -> std::io::Result<()> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    connection.write_all(format!("AUTH {password}\r\nPING\r\n").as_bytes()).await?;
    let expected = b"+OK\r\n+PONG\r\n";
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.as_bytes() == expected {
        return Ok(());
    }
    Err(std::io::Error::other(format!("it says {}", answer.trim_end())))
}
