//! RabbitMQ: a node of one's own, with a port mapper of its own.
//!
//! Erlang's nodes find each other through `epmd`, which the first of them starts and nobody stops. RabbitMQ does not start
//! without one. So each server has its own, on its own port: it goes with the server, and nodes of others are not seen.

use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::folder::Folder;
use crate::packages::{HOMEBREW, Packages, on_path};
use crate::process::{ATTEMPTS, Process, clear, free_port};
use crate::{Trouble, say, trouble};

const RABBITMQ: Packages = Packages { name: "RabbitMQ", debian: &["rabbitmq-server"], homebrew: &["rabbitmq"] };
/// The server's user.
const USER: &str = "table_order";
/// How long a start may take: five seconds on an idle machine, many more on a busy one.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a start may take without a word.
const WORDLESS: Duration = Duration::from_secs(2);

/// A running server in a folder of its own. Stopped when dropped; its folder goes, too.
#[derive(Debug)]
pub struct Server {
    node: Process,
    // Dropped after the node, which needs it.
    _epmd: Process,
    setup: Setup,
}

/// What a node is started with.
#[derive(Debug)]
struct Setup {
    programs: Programs,
    /// Where AMQP is spoken.
    port: u16,
    /// Where other nodes and command line tools would connect.
    distribution_port: u16,
    epmd_port: u16,
    password: String,
    // Last: it may go once the server has stopped.
    folder: Folder,
}

#[derive(Debug)]
struct Programs {
    server: PathBuf,
    epmd: PathBuf,
}

impl Server {
    /// Start a server without queues in `folder`, made if it is not there. What a killed server left is cleared first.
    ///
    /// It takes about five seconds, and says so on standard error when it takes more than two.
    pub async fn start(folder: &Path) -> Result<Self, Trouble> {
        let programs = RABBITMQ.find_or_install(Programs::find)?;
        // Its data must not be that of another password.
        Self::reset(folder)?;
        let mut folder = Folder::make(folder, None)?;
        folder.temporary = true;
        let password = folder.password()?;
        let mut setup = Setup { programs, port: 0, distribution_port: 0, epmd_port: 0, password, folder };
        for _ in 0..ATTEMPTS {
            setup.port = free_port()?;
            setup.distribution_port = free_port()?;
            setup.epmd_port = free_port()?;
            let started = setup.start().await;
            if let Some((node, epmd)) = started.inspect_err(|_| setup.folder.temporary = false)? {
                return Ok(Self { node, _epmd: epmd, setup });
            }
        }
        Err(Trouble("RabbitMQ finds no free port".to_owned()))
    }

    /// Its URL, with the virtual host that every server has.
    pub fn url(&self) -> String {
        let Setup { port, password, .. } = &self.setup;
        format!("amqp://{USER}:{password}@127.0.0.1:{port}/%2f")
    }

    /// Stop, and remove the folder.
    pub fn stop(mut self) -> Result<(), Trouble> {
        self.kill()?;
        self.setup.folder.remove()
    }

    /// End at once, as in a crash. Nobody answers on its port until [`Server::restart`].
    pub fn kill(&mut self) -> Result<(), Trouble> {
        self.node.halt(&[])
    }

    /// Start again on the same port with what had reached the disk, after ending if it is running.
    pub async fn restart(&mut self) -> Result<(), Trouble> {
        self.kill()?;
        self.node = self.setup.launch()?;
        if self.setup.wait_until_ready(&mut self.node).await? {
            return Ok(());
        }
        Err(Trouble(format!("port {} of RabbitMQ is somebody else's by now: start another server", self.setup.port)))
    }

    /// Stand still: connections are accepted, and nothing is answered until [`Server::resume`].
    pub fn pause(&mut self) -> Result<(), Trouble> {
        self.node.pause()
    }

    /// Go on after [`Server::pause`].
    pub fn resume(&mut self) -> Result<(), Trouble> {
        self.node.resume()
    }

    /// Have RabbitMQ's own `rabbitmqctl` do something, which takes a second or two.
    pub async fn control(&self, arguments: &[&str]) -> Result<(), Trouble> {
        self.setup.control(arguments).await
    }

    /// Remove what is in `folder`, stopping a server that was left running there.
    pub fn reset(folder: &Path) -> Result<(), Trouble> {
        clear(folder)
    }
}

impl Setup {
    /// Start the port mapper and the node. `None` if a port was taken.
    async fn start(&self) -> Result<Option<(Process, Process)>, Trouble> {
        let mut epmd = self.launch_epmd()?;
        let port = self.epmd_port;
        let connect = async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| error.to_string());
        // Before the node starts one itself, which would stay. One that has ended has left its port to somebody else.
        if epmd.answer(PATIENCE, connect).await?.is_none() || epmd.ended()? {
            return Ok(None);
        }
        let mut node = self.launch()?;
        Ok(self.wait_until_ready(&mut node).await?.then_some((node, epmd)))
    }

    fn launch_epmd(&self) -> Result<Process, Trouble> {
        let folder = self.folder.path();
        // By the name of a file in the folder a left-over is known.
        let mut command = Command::new(&self.programs.epmd);
        std::os::unix::process::CommandExt::arg0(&mut command, folder.join("epmd"));
        command.args(["-address", "127.0.0.1", "-port", &self.epmd_port.to_string()]).current_dir(folder);
        let process = Process::start(command, "epmd", folder.join("epmd.log"))?;
        process.note()?;
        Ok(process)
    }

    fn launch(&self) -> Result<Process, Trouble> {
        let folder = self.folder.path();
        let settings = [
            format!("listeners.tcp.1 = 127.0.0.1:{}", self.port),
            format!("default_user = {USER}"),
            format!("default_pass = {}", self.password),
            "log.file = false".to_owned(),
            "log.console = true".to_owned(),
        ];
        self.folder.write("rabbitmq.conf", &settings.join("\n"))?;
        self.folder.write("enabled_plugins", "[].")?;
        let mut command = self.command(&self.programs.server)?;
        command
            // Else the script stays, with the server as a child.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            // None of these is there, and none of the machine's is read instead.
            .env("RABBITMQ_CONFIG_FILES", folder.join("conf.d/*.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("advanced.config"))
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"));
        let process = Process::start(command, "RabbitMQ", folder.join("rabbitmq.log"))?;
        process.note()?;
        Ok(process)
    }

    /// One of RabbitMQ's programs, which finds this node and none of the machine's.
    fn command(&self, program: &Path) -> Result<Command, Trouble> {
        let folder = self.folder.path();
        let home = folder.join("home");
        fs::create_dir_all(&home).map_err(trouble(format!("{} cannot be made", home.display())))?;
        // `erl` is found where `epmd` is.
        let own = self.programs.epmd.parent().map(Path::to_owned);
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(env::split_paths(&path).chain(own)).unwrap_or(path);
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            // No setting of this machine's own server.
            .env_clear()
            .env("PATH", path)
            .env("LANG", "C.UTF-8")
            // Its cookie is made there. And by it a left-over is known: it is on the command line.
            .env("HOME", home)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("RABBITMQ_NODENAME", self.node_name())
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("rabbitmq-env.conf"));
        Ok(command)
    }

    async fn control(&self, arguments: &[&str]) -> Result<(), Trouble> {
        let mut command = self.command(&self.programs.server.with_file_name("rabbitmqctl"))?;
        command.args(arguments);
        let output = tokio::process::Command::from(command).kill_on_drop(true).output().await;
        let output = output.map_err(trouble("rabbitmqctl cannot be run"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Trouble(format!("rabbitmqctl {} failed: {}", arguments.join(" "), said.trim())))
    }

    /// The node's name, always the same for one folder: data belong to a name.
    fn node_name(&self) -> String {
        format!("private_{:016x}@localhost", self.folder.number())
    }

    /// Wait until the server answers. False if it has ended because a port was taken.
    async fn wait_until_ready(&self, node: &mut Process) -> Result<bool, Trouble> {
        let name = self.node_name();
        let name = name.split('@').next().unwrap_or(&name);
        let log = self.folder.path().join("rabbitmq.log");
        let ready = async || {
            greet(self.port, name).await.map_err(|error| error.to_string())?;
            // It listens a little earlier: a queue declared by then may be lost if the server is killed.
            let started = fs::read_to_string(&log).is_ok_and(|log| log.contains("Server startup complete"));
            if started { Ok(()) } else { Err("its start is not complete".to_owned()) }
        };
        let mut answer = std::pin::pin!(node.answer(PATIENCE, ready));
        let answer = match tokio::time::timeout(WORDLESS, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                say("Starting RabbitMQ, which takes about five seconds.");
                answer.await
            }
        };
        Ok(answer?.is_some())
    }
}

impl Programs {
    /// Look where Debian and Homebrew keep them, and in `PATH`.
    fn find() -> Option<Self> {
        let homebrew = |path: &'static str| HOMEBREW.into_iter().map(move |folder| Path::new(folder).join(path));
        // Debian has another of this name in `PATH`, which insists on the user `rabbitmq` and on Debian's folders.
        let debian = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server").to_owned();
        let mut servers =
            [debian].into_iter().chain(homebrew("rabbitmq/sbin/rabbitmq-server")).chain(on_path("rabbitmq-server"));
        let mut epmds = on_path("epmd").into_iter().chain(homebrew("erlang/bin/epmd"));
        Some(Self { server: servers.find(|path| path.is_file())?, epmd: epmds.find(|path| path.is_file())? })
    }
}

/// Begin to speak AMQP with whoever listens on the port, and read its first frame, which must name our node.
async fn greet(port: u16, node: &str) -> std::io::Result<()> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    connection.write_all(b"AMQP\0\0\x09\x01").await?;
    // Its type, its channel and the length of what follows.
    let mut head = [0; 7];
    connection.read_exact(&mut head).await?;
    let [1, 0, 0, length @ ..] = head else { return Err(std::io::Error::other("it does not speak AMQP 0-9-1")) };
    let mut frame = Vec::new();
    connection.take(u32::from_be_bytes(length).into()).read_to_end(&mut frame).await?;
    // Class 10, method 10 is `connection.start`, which tells the name of the cluster: that of its first node.
    let start = frame.starts_with(&[0, 10, 0, 10]);
    if start && frame.windows(node.len()).any(|window| window == node.as_bytes()) {
        return Ok(());
    }
    Err(std::io::Error::other("another server has its port"))
}
