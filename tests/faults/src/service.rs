//! The service in the shape it has in production, on servers of its own, so that each part can be taken away.
//!
//! The functions are the real Lambda binaries; the streams are two containers' processes; the event source mappings are
//! `table-order-local sources`. `relay` and `fanout` reach their servers through proxies, by which they are killed at chosen
//! moments; for `fanout` and the streams Redis can be lost there.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lambda_emulator::{Function, Lambda};
use measure::Trouble;
use private_services::postgres::Durability;
use private_services::{Run, aws, free_port, postgres, rabbitmq, redis};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::proxy::Proxy;

/// How long a part may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The account that the emulator's queues are in.
const ACCOUNT: &str = "123456789012";

/// Everything that runs.
pub struct Service {
    /// PostgreSQL, with full durability.
    pub postgres: postgres::Server,
    /// Redis.
    pub redis: redis::Server,
    /// RabbitMQ.
    pub rabbitmq: rabbitmq::Server,
    /// The functions.
    pub lambda: Lambda,
    /// Before PostgreSQL, for `relay`.
    pub relay_postgres: Proxy,
    /// Before RabbitMQ, for `relay`.
    pub relay_rabbitmq: Proxy,
    /// Before Redis, for `fanout`.
    pub fanout_redis: Proxy,
    /// Before Redis, for the containers of streams.
    pub streams_redis: Proxy,
    /// Before SQS, for everybody.
    pub sqs: Proxy,
    /// SQS behind the proxy.
    pub aws: aws::Server,
    /// The two containers of streams.
    pub streams: [Part; 2],
    /// The event source mappings.
    pub sources: Part,
    /// A pool of our own, past the proxies.
    pub db: PgPool,
    /// Processes killed with `SIGKILL` so far.
    pub kills: AtomicU64,
    binaries: PathBuf,
    variables: Vec<(String, String)>,
    // Last: its folder goes when they are gone.
    _run: Run,
}

impl Service {
    /// Start it with binaries from this folder, and keep logs in another.
    ///
    /// # Errors
    /// When a part does not come up: the message says which, and where its log is.
    pub async fn start(binaries: &Path, logs: &Path) -> Result<Self, Trouble> {
        std::fs::create_dir_all(logs)?;
        allow_many_connections()?;
        let run = Run::begin(&logs.join("servers")).await?;
        let folders = (run.rabbitmq(), run.aws(), run.redis());
        let (rabbitmq, aws, redis) = tokio::try_join!(
            rabbitmq::Server::start(&folders.0),
            aws::Server::start(&folders.1),
            redis::Server::start(&folders.2),
        )?;
        let postgres = postgres::Server::start(&run.postgres(), Durability::Full).await?;
        let relay_postgres = Proxy::before(address(&postgres.url())?).await?;
        let relay_rabbitmq = Proxy::before(address(&rabbitmq.url())?).await?;
        let fanout_redis = Proxy::before(address(&redis.url())?).await?;
        let streams_redis = Proxy::before(address(&redis.url())?).await?;
        let sqs = Proxy::before(aws.url().trim_start_matches("http://")).await?;

        let keys = logs.join("keys");
        let endpoint = format!("http://{}", sqs.address);
        let mut variables: Vec<(String, String)> =
            aws.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        variables.retain(|(name, _)| name != "AWS_ENDPOINT_URL");
        variables.extend(
            [
                ("APP_ENV", "development".to_owned()),
                ("LOG_LEVEL", "info".to_owned()),
                ("AWS_ENDPOINT_URL", endpoint.clone()),
                ("DATABASE_URL", postgres.url()),
                ("REDIS_URL", redis.url()),
                ("RABBITMQ_URL", rabbitmq.url()),
                ("NUDGE_QUEUE_URL", format!("{endpoint}/{ACCOUNT}/relay-nudges")),
                ("PARKED_QUEUE_URL", format!("{endpoint}/{ACCOUNT}/fanout-parked")),
                ("UPLOAD_QUEUE_URL", format!("{endpoint}/{ACCOUNT}/uploads")),
                ("UPLOAD_BUCKET", "uploads".to_owned()),
                ("IMAGE_BUCKET", "images".to_owned()),
                ("JWT_PRIVATE_KEY_PATH", keys.join("private.pem").display().to_string()),
                ("JWT_PUBLIC_KEY_PATH", keys.join("public.pem").display().to_string()),
                // Nobody is limited here: every table orders as much as many would.
                ("RATE_LIMIT_PER_MINUTE", "1000000".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let setup = command(binaries, "table-order-local", &variables, logs)?.arg("setup").status().await?;
        if !setup.success() {
            return Err(format!("the service cannot be set up: see {}", logs.display()).into());
        }

        let through = |name: &str, url: String, proxy: &Proxy| -> Result<(String, String), Trouble> {
            let server = address(&url)?.to_owned();
            Ok((name.to_owned(), url.replace(&server, &proxy.address.to_string())))
        };
        let function = |name, concurrency, instead: Vec<(String, String)>| Function {
            name,
            binary: binaries.join(name),
            variables: [variables.clone(), instead].concat(),
            concurrency,
            timeout: Duration::from_secs(30),
            log: Some(logs.join(format!("{name}.log"))),
        };
        let lambda = Lambda::start([
            // As in production, more than nudges that nobody answers hold from the next guest.
            function("orders", 8, Vec::new()),
            function("tables", 1, Vec::new()),
            function("menus", 1, Vec::new()),
            // A nudge and the schedule at once.
            function(
                "relay",
                2,
                vec![
                    through("DATABASE_URL", postgres.url(), &relay_postgres)?,
                    through("RABBITMQ_URL", rabbitmq.url(), &relay_rabbitmq)?,
                ],
            ),
            // Each queue has its mapping, which invokes it once at a time.
            function("fanout", 5, vec![through("REDIS_URL", redis.url(), &fanout_redis)?]),
        ])
        .await?;
        let of_streams = [variables.clone(), vec![through("REDIS_URL", redis.url(), &streams_redis)?]].concat();
        let streams = [
            Part::stream(binaries, &of_streams, logs, free_port()?)?,
            Part::stream(binaries, &of_streams, logs, free_port()?)?,
        ];
        let sources = Part::sources(binaries, &variables, logs, lambda.url())?;
        let options = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(5));
        let db = options.connect_lazy_with(shared::db::connect_options(&postgres.url())?);
        let this = Self {
            postgres,
            redis,
            rabbitmq,
            lambda,
            relay_postgres,
            relay_rabbitmq,
            fanout_redis,
            streams_redis,
            sqs,
            aws,
            streams,
            sources,
            db,
            kills: AtomicU64::new(0),
            binaries: binaries.to_owned(),
            variables,
            _run: run,
        };
        for stream in &this.streams {
            stream.comes_up().await?;
        }
        Ok(this)
    }

    /// The variable that its parts are given.
    pub fn variable(&self, name: &str) -> &str {
        self.variables.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Where the streams are.
    pub fn stream_addresses(&self) -> [SocketAddr; 2] {
        [0, 1].map(|number: usize| self.streams[number].address)
    }

    /// Count a process that was killed.
    pub fn killed(&self, number: usize) {
        self.kills.fetch_add(number as u64, Ordering::Relaxed);
    }

    /// Kill the environments of a function.
    pub fn kill_function(&self, function: &str) {
        self.killed(self.lambda.kill(function));
    }

    /// What was laid aside, a line each, as `make events` shows it.
    ///
    /// # Errors
    /// When RabbitMQ or SQS cannot be asked.
    pub async fn laid_aside(&self) -> Result<Vec<String>, Trouble> {
        let mut command = Command::new(self.binaries.join("table-order-local"));
        let output = command.args(["events", "list"]).env_clear().envs(self.variables.clone()).output().await?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let of_message = |line: &&str| line.starts_with("parked ") || line.starts_with("dead ");
        Ok(lines.lines().filter(of_message).map(str::to_owned).collect())
    }

    /// End everything.
    ///
    /// # Errors
    /// When a server does not end.
    pub async fn stop(mut self) -> Result<(), Trouble> {
        self.db.close().await;
        self.sources.kill().await?;
        for stream in &mut self.streams {
            stream.kill().await?;
        }
        for function in ["orders", "tables", "menus", "relay", "fanout"] {
            self.lambda.retire(function).await;
        }
        let folder = self.postgres.folder().to_owned();
        self.postgres.stop()?;
        postgres::Server::reset(&folder).await?;
        self.redis.stop()?;
        self.rabbitmq.stop()?;
        Ok(self.aws.stop()?)
    }
}

/// A process that runs all the time.
pub struct Part {
    /// Where it listens, if it does.
    pub address: SocketAddr,
    start: Box<dyn Fn() -> Result<Child, Trouble> + Send + Sync>,
    process: Child,
}

impl Part {
    fn new(
        address: SocketAddr,
        start: impl Fn() -> Result<Child, Trouble> + Send + Sync + 'static,
    ) -> Result<Self, Trouble> {
        Ok(Self { address, process: start()?, start: Box::new(start) })
    }

    fn stream(binaries: &Path, variables: &[(String, String)], logs: &Path, port: u16) -> Result<Self, Trouble> {
        let (binaries, variables, logs) = (binaries.to_owned(), variables.to_owned(), logs.to_owned());
        Self::new(([127, 0, 0, 1], port).into(), move || {
            let mut command = command(&binaries, "stream", &variables, &logs)?;
            Ok(command.env("HOST", "127.0.0.1").env("PORT", port.to_string()).spawn()?)
        })
    }

    fn sources(binaries: &Path, variables: &[(String, String)], logs: &Path, lambda: &str) -> Result<Self, Trouble> {
        let (binaries, variables, logs) = (binaries.to_owned(), variables.to_owned(), logs.to_owned());
        let lambda = lambda.to_owned();
        Self::new(([127, 0, 0, 1], 0).into(), move || {
            let mut command = command(&binaries, "table-order-local", &variables, &logs)?;
            Ok(command.args(["sources", "--lambda", &lambda]).spawn()?)
        })
    }

    /// Kill it.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(&mut self) -> Result<(), Trouble> {
        Ok(self.process.kill().await?)
    }

    /// Start it again after [`Part::kill`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart(&mut self) -> Result<(), Trouble> {
        self.process = (self.start)()?;
        Ok(())
    }

    /// Wait until it answers on its address.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn comes_up(&self) -> Result<(), Trouble> {
        let url = format!("http://{}/health/live", self.address);
        eventually("a container of streams", async || reqwest::get(&url).await.is_ok()).await
    }
}

/// Ask until it is so.
///
/// # Errors
/// When it is not so after a minute: `what` is too slow.
pub async fn eventually(what: &str, so: impl AsyncFn() -> bool) -> Result<(), Trouble> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if timeout(PATIENCE, so()).await.unwrap_or(false) {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err(format!("{what}: not within {} s", PATIENCE.as_secs()).into())
}

fn command(binaries: &Path, program: &str, variables: &[(String, String)], logs: &Path) -> Result<Command, Trouble> {
    let path = binaries.join(program);
    if !path.exists() {
        return Err(format!("{} is missing: use `make faults` or `make test`", path.display()).into());
    }
    let log = || File::options().create(true).append(true).open(logs.join(format!("{program}.log")));
    let mut command = Command::new(path);
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE" || name == "PATH"));
    command.envs(variables.iter().map(|(name, value)| (name, value))).current_dir(logs);
    command.stdin(Stdio::null()).stdout(log()?).stderr(log()?).process_group(0).kill_on_drop(true);
    Ok(command)
}

/// Let this process, and those it starts, open as many files as it may: a crowd of screens is more than the usual 1,024.
fn allow_many_connections() -> Result<(), Trouble> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// The host and port of a URL.
fn address(url: &str) -> Result<&str, Trouble> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    rest.split('/').next().filter(|address| !address.is_empty()).ok_or_else(|| "a URL without an address".into())
}
