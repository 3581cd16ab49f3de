//! nginx with nchan, which serves server-sent events: what our own streams are measured beside.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Trouble;
use crate::folder::Folder;
use crate::packages::{Packages, on_path};
use crate::process::{ATTEMPTS, Process, clear, free_port, stop_left_over};

/// Only measurements need it, and they need Linux: Homebrew has no nchan.
const NGINX: Packages = Packages { name: "nginx with nchan", debian: &["nginx", "libnginx-mod-nchan"], homebrew: &[] };
/// Where Debian keeps nginx, which is in `PATH` for root alone.
const PROGRAM: &str = "/usr/sbin/nginx";
/// Where Debian keeps the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What streams are like.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most connections at once.
    pub connections: usize,
    /// Messages kept for each channel.
    pub kept: usize,
    /// How long they are kept.
    pub kept_for: Duration,
    /// How often a comment keeps a silent stream open.
    pub heartbeat: Duration,
}

/// A running server with one worker, in a folder of its own. Stopped when dropped; its folder goes, too.
///
/// `POST /publish/<channel>` publishes, `GET /subscribe/<channel>` is a stream of what is published from then on.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
    // Last: it may go once the server has stopped.
    folder: Folder,
}

impl Server {
    /// Start a server in `folder`, made if it is not there. What a killed server left is cleared first.
    pub async fn start(folder: &Path, options: Options) -> Result<Self, Trouble> {
        let program = NGINX.find_or_install(find)?;
        let mut folder = Folder::make(folder, None)?;
        stop_left_over(folder.path());
        folder.temporary = true;
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let mut process = launch(&program, &folder, port, options)?;
            let ready = wait_until_ready(&mut process, port).await;
            if ready.inspect_err(|_| folder.temporary = false)? {
                return Ok(Self { process, port, folder });
            }
        }
        Err(Trouble("nginx finds no free port".to_owned()))
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its first process, whose only child is the worker.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Stop, and remove the folder.
    pub fn stop(mut self) -> Result<(), Trouble> {
        self.process.halt(&[])?;
        self.folder.remove()
    }

    /// Remove what is in `folder`, stopping a server that was left running there.
    pub fn reset(folder: &Path) -> Result<(), Trouble> {
        clear(folder)
    }
}

/// The program, if the module is there, too.
fn find() -> Option<PathBuf> {
    let program = on_path("nginx").or_else(|| Some(PathBuf::from(PROGRAM)).filter(|path| path.is_file()))?;
    Path::new(MODULE).is_file().then_some(program)
}

fn launch(program: &Path, folder: &Folder, port: u16, options: Options) -> Result<Process, Trouble> {
    folder.write("nginx.conf", &settings(folder.path(), port, options))?;
    let mut command = Command::new(program);
    // The folder's name with a slash: by it a left-over is known.
    command.arg("-p").arg(format!("{}/", folder.path().display())).args(["-e", "stderr", "-c", "nginx.conf"]);
    command.current_dir(folder.path()).env_clear();
    let process = Process::start(command, "nginx", folder.path().join("nginx.log"))?;
    process.note()?;
    Ok(process)
}

fn settings(folder: &Path, port: u16, options: Options) -> String {
    let folder = folder.display();
    let Options { connections, kept, kept_for, heartbeat } = options;
    let (kept_for, heartbeat) = (kept_for.as_secs(), heartbeat.as_secs());
    // Each connection is a file, and some are its own.
    let files = connections + 1024;
    format!(
        r#"load_module {MODULE};
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.master;
error_log stderr warn;
events {{
    worker_connections {files};
}}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000;
    keepalive_timeout 600s;
    nchan_shared_memory_size 512M;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location ~ ^/publish/([^/]+)$ {{
            nchan_publisher;
            nchan_channel_id $1;
            nchan_message_buffer_length {kept};
            nchan_message_timeout {kept_for}s;
        }}
        location ~ ^/subscribe/([^/]+)$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
            nchan_eventsource_ping_interval {heartbeat};
        }}
    }}
}}
"#
    )
}

/// Wait until the server answers. False if it has ended because its port was taken.
async fn wait_until_ready(process: &mut Process, port: u16) -> Result<bool, Trouble> {
    let ask = async || ask(port).await.map_err(|error| error.to_string());
    Ok(process.answer(PATIENCE, ask).await?.is_some())
}

/// Ask whoever listens on the port about a channel that is not there. Only nchan has a word for that.
async fn ask(port: u16) -> std::io::Result<()> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    connection.write_all(b"GET /publish/nobody HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    connection.take(4096).read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 404") && answer.contains("nginx") {
        return Ok(());
    }
    Err(std::io::Error::other(format!("it says {}", answer.lines().next().unwrap_or("nothing"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_settings_name_nothing_outside_its_folder() {
        let second = Duration::from_secs(1);
        let options = Options { connections: 100, kept: 10, kept_for: 60 * second, heartbeat: 15 * second };
        let settings = settings(Path::new("/there"), 8123, options);
        assert!(
            settings.contains("listen 127.0.0.1:8123 ") && settings.contains("worker_connections 1124;"),
            "{settings}"
        );
        let paths = settings.split_whitespace().filter(|word| word.starts_with('/') && *word != format!("{MODULE};"));
        assert!(paths.clone().count() == 6 && paths.into_iter().all(|path| path.starts_with("/there/")), "{settings}");
    }
}
