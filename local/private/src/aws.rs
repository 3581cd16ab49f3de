//! AWS, as far as the service uses it: SQS, and later S3, played by moto.
//!
//! It takes any account's keys, and proves nothing about signatures or permissions.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::folder::Folder;
use crate::process::{ATTEMPTS, Process, clear, free_port, stop_left_over};
use crate::{Trouble, python};

/// The region that it stands for.
pub const REGION: &str = "ap-northeast-2";
/// How long a start may take: two seconds on an idle machine, many more on a busy one.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server that keeps everything in memory, in a folder of its own. Stopped when dropped; its folder goes, too.
#[derive(Debug)]
pub struct Server {
    process: Process,
    /// Python, of the folder that moto is installed in.
    python: PathBuf,
    port: u16,
    // Last: it may go once the server has stopped.
    folder: Folder,
}

impl Server {
    /// Start a server without queues in `folder`, made if it is not there. What a killed server left is cleared first.
    ///
    /// The first time, moto is installed, which takes about half a minute.
    pub async fn start(folder: &Path) -> Result<Self, Trouble> {
        let python = python::program("moto_server").await?.with_file_name("python");
        let mut folder = Folder::make(folder, None)?;
        stop_left_over(folder.path());
        folder.temporary = true;
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let mut process = launch(&python, &folder, port)?;
            let ready = wait_until_ready(&mut process, &folder, port).await;
            if ready.inspect_err(|_| folder.temporary = false)? {
                return Ok(Self { process, python, port, folder });
            }
        }
        Err(Trouble("moto finds no free port".to_owned()))
    }

    /// Its URL, for all services.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the SDK finds it by. Any account will do, but the SDK sends nothing without one.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "nobody".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "nothing".to_owned()),
        ]
    }

    /// Stop, and remove the folder.
    pub fn stop(mut self) -> Result<(), Trouble> {
        self.kill()?;
        self.folder.remove()
    }

    /// End at once, as in an outage. Nobody answers on its port until [`Server::restart`].
    pub fn kill(&mut self) -> Result<(), Trouble> {
        self.process.halt(&[])
    }

    /// Start again on the same port, empty, after ending if it is running.
    pub async fn restart(&mut self) -> Result<(), Trouble> {
        self.kill()?;
        self.process = launch(&self.python, &self.folder, self.port)?;
        if wait_until_ready(&mut self.process, &self.folder, self.port).await? {
            return Ok(());
        }
        Err(Trouble(format!("port {} of moto is somebody else's by now: start another server", self.port)))
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

fn launch(python: &Path, folder: &Folder, port: u16) -> Result<Process, Trouble> {
    let mut command = Command::new(python);
    command
        .current_dir(folder.path())
        // No setting of this machine's.
        .env_clear()
        .env("LANG", "C.UTF-8")
        // Python lets anything be said so, and does nothing about it: by it a left-over is known.
        .arg("-X")
        .arg(format!("folder={}/", folder.path().display()))
        .args(["-m", "moto.server", "--host", "127.0.0.1", "--port", &port.to_string()]);
    let process = Process::start(command, "moto", log(folder))?;
    process.note()?;
    Ok(process)
}

fn log(folder: &Folder) -> PathBuf {
    folder.path().join("moto.log")
}

/// Wait until the server answers. False if it has ended because its port was taken.
async fn wait_until_ready(process: &mut Process, folder: &Folder, port: u16) -> Result<bool, Trouble> {
    let log = log(folder);
    let ready = async || {
        // Whoever has taken its port answers, too, but is not in our log.
        let listens =
            fs::read_to_string(&log).is_ok_and(|log| log.contains(&format!("Running on http://127.0.0.1:{port}")));
        if !listens {
            return Err("it does not listen yet".to_owned());
        }
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map(drop).map_err(|error| error.to_string())
    };
    Ok(process.answer(PATIENCE, ready).await?.is_some())
}
