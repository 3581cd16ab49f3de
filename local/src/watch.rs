//! `watch`: the service in the shape it has in production. The functions are real Lambda binaries under `cargo lambda watch`;
//! beside them run the stream container, the event sources and the gateway, on servers that are found by URL or are private.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::select_all;
use local::demo;
use local::sources::Lambda;
use private_services::{Run, aws, free_port, python, rabbitmq, redis};
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret;
use serde_json::json;
use shared::clock;
use shared::config::Config;
use shared::db::{self, PoolSize};
use shared::events::rmq::SOURCE;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::database::Database;
use crate::{Trouble, environment, unless, welcome};

/// The account that the emulator's queues are in.
const ACCOUNT: &str = "123456789012";
/// The buckets, where the environment names none.
const UPLOAD_BUCKET: &str = "table-order-uploads";
const IMAGE_BUCKET: &str = "table-order-images";
/// How long everything may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// A request for each HTTP function that asks nothing of it: it starts the function.
const FIRST_REQUESTS: &[(&str, &str)] = &[
    ("system", "/health/live"),
    ("auth", "/.well-known/jwks.json"),
    ("menus", "/api/customer/menus"),
    ("orders", "/api/customer/orders"),
    ("tables", "/api/admin/tables"),
    ("stores", "/api/superadmin/stores"),
];

/// Where the parts listen.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Ports {
    /// Port of `cargo lambda watch`; 0 for any
    #[arg(long, default_value_t = 9000)]
    api_port: u16,
    /// Port of the stream container; 0 for any
    #[arg(long, default_value_t = 8001)]
    stream_port: u16,
}

/// This port, or one that is free instead of 0.
fn settled(port: u16) -> Result<u16, Trouble> {
    if port == 0 { Ok(free_port()?) } else { Ok(port) }
}

/// Run it until `stopped`.
pub(crate) async fn watch(config: Config, ports: Ports, stopped: CancellationToken) -> Result<(), Trouble> {
    let config = Config { port: settled(config.port)?, ..config };
    let cargo_lambda = unless(stopped.clone(), async { Ok(python::program("cargo-lambda").await?) }).await?;
    let services = unless(stopped.clone(), Services::start(&config)).await?;
    let environment = services.environment(&config)?;
    let _told = Told::to_others(&environment)?;
    let watched = unless(stopped.clone(), run(&config, ports, &cargo_lambda, &services, &environment)).await;
    let done = match watched {
        // Ctrl-C is how this ends.
        Err(_) if stopped.is_cancelled() => Ok(()),
        other => other,
    };
    services.stop()?;
    done
}

/// Start the parts, say so, and run until one of them ends.
async fn run(
    config: &Config,
    ports: Ports,
    cargo_lambda: &Path,
    services: &Services,
    environment: &[(&str, String)],
) -> Result<(), Trouble> {
    let this = env::current_exe()?;
    let start = |program: &Path, arguments: &[&str]| Part::start(program, arguments, environment);
    let (api_port, stream_port) = (settled(ports.api_port)?.to_string(), settled(ports.stream_port)?.to_string());
    let (api, stream) = (format!("http://127.0.0.1:{api_port}"), format!("http://127.0.0.1:{stream_port}"));
    let port = config.port.to_string();
    let (lambda, gateway) = (Lambda::at(&api), format!("http://127.0.0.1:{port}"));
    eprintln!("Building the functions.");
    build().await?;
    start(&this, &["setup"])?.succeed().await?;

    let mut parts = Parts(vec![
        start(cargo_lambda, &["lambda", "watch", "--invoke-address", "127.0.0.1", "--invoke-port", &api_port])?,
        Part::start(&binary("stream"), &[], &[environment, &[("PORT", stream_port)]].concat())?,
        Part::start(
            &this,
            &["gateway", "--api", &api, "--stream", &stream, "--pictures", &services.pictures(config)?],
            &[environment, &[("PORT", port)]].concat(),
        )?,
    ]);
    tokio::select! {
        started = first_requests(&gateway, &lambda) => started?,
        ended = parts.any_ends() => return ended,
    }
    parts.0.push(start(&this, &["sources", "--lambda", &api])?);
    tokio::select! {
        healthy = until_healthy(&gateway) => healthy?,
        ended = parts.any_ends() => return ended,
    }
    let pool = db::connect(db::connect_options(&services.database.url)?, PoolSize::EVENT_FUNCTION);
    let menu = demo::available_menu(&pool).await;
    pool.close().await;
    welcome::print(&services.database, &gateway, menu);
    parts.any_ends().await
}

/// A file that tells other commands of this machine where everything is, as long as it runs: `make events` reads it.
struct Told(PathBuf);

impl Told {
    fn to_others(environment: &[(&str, String)]) -> Result<Self, Trouble> {
        let this = Self(environment::target().join("local/watch.env"));
        let lines: String = environment.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        // There are passwords in it.
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&this.0)?;
        file.write_all(lines.as_bytes())?;
        Ok(this)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // One that stays names servers that are gone, which is as good as none.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Build what runs, so that no two functions wait for each other's build.
async fn build() -> Result<(), Trouble> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // All of the default members, as `cargo run` in `cargo lambda watch` finds them: another choice, other features.
    let status = cargo.current_dir(environment::workspace()).arg("build").status().await?;
    if status.success() { Ok(()) } else { Err("the functions cannot be built".into()) }
}

/// Start every function, one after the other: two at once may wait for each other for ever.
async fn first_requests(gateway: &str, lambda: &Lambda) -> Result<(), Trouble> {
    let client = reqwest::Client::new();
    for (function, path) in FIRST_REQUESTS {
        eprintln!("Starting {function}.");
        // Refused and unavailable are answers, too, but only the function itself says this.
        until(async || {
            let answer = client.get(format!("{gateway}{path}")).send().await?;
            if answer.status().as_u16() < 500 { Ok(()) } else { Err(answer.status().to_string().into()) }
        })
        .await?;
    }
    for (function, event) in [
        ("fanout", json!({"eventSource": SOURCE, "rmqMessagesByQueue": {}})),
        ("relay", json!({"Records": []})),
        ("images", json!({"Records": []})),
    ] {
        eprintln!("Starting {function}.");
        lambda.invoke(function, &event).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Wait until the service says that all is well: then the relay has reached the broker.
async fn until_healthy(gateway: &str) -> Result<(), Trouble> {
    until(async || {
        let answer = reqwest::get(format!("{gateway}/health")).await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if status.is_success() { Ok(()) } else { Err(text.into()) }
    })
    .await
}

/// Ask until it succeeds, for two minutes at most.
async fn until(ask: impl AsyncFn() -> Result<(), Trouble>) -> Result<(), Trouble> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
    loop {
        match ask().await {
            Ok(()) => return Ok(()),
            Err(error) if tokio::time::Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// A binary that [`build`] has made.
fn binary(name: &str) -> PathBuf {
    environment::target().join("debug").join(name)
}

/// What runs. When dropped, all of it is told to end, and then waited for: streams end with the gateway that they go through.
struct Parts(Vec<Part>);

impl Parts {
    /// Wait until one of them ends, which none should.
    async fn any_ends(&mut self) -> Result<(), Trouble> {
        let ends = self.0.iter_mut().map(|part| Box::pin(part.end()));
        let (ended, _, _) = select_all(ends).await;
        Err(ended?.into())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.0.iter().for_each(|part| part.signal(Signal::TERM));
    }
}

/// A process with everything it starts. Ended when dropped.
struct Part {
    name: String,
    child: Child,
}

impl Part {
    fn start(program: &Path, arguments: &[&str], environment: &[(&str, String)]) -> Result<Self, Trouble> {
        let program_name = program.file_name().unwrap_or_default().to_string_lossy();
        let name = arguments.first().filter(|_| program_name != "cargo-lambda").copied().unwrap_or(&program_name);
        let child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(environment::workspace())
            .stdin(Stdio::null())
            // Ctrl-C on the terminal is for us: we end the parts, and then the servers they need.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// Wait for it, and make sure that it went well.
    async fn succeed(mut self) -> Result<(), Trouble> {
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("{} failed: see above", self.name).into()) }
    }

    /// Wait for its end.
    async fn end(&mut self) -> Result<String, Trouble> {
        let status = self.child.wait().await?;
        Ok(format!("{} has ended ({status})", self.name))
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(pid) = pid {
            // Already gone is as good.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.signal(Signal::KILL);
    }
}

/// The servers: those that are named, and private ones for the others.
struct Services {
    database: Database,
    redis: Option<redis::Server>,
    rabbitmq: Option<rabbitmq::Server>,
    aws: Option<aws::Server>,
    // Last: its folder goes when they are gone.
    _run: Run,
}

impl Services {
    async fn start(config: &Config) -> Result<Self, Trouble> {
        let run = Run::begin(&environment::target().join("local/watch")).await?;
        let named = env::var_os("AWS_ENDPOINT_URL").is_some();
        eprintln!("Starting the servers that are not named.");
        let (redis, rabbitmq, aws) = tokio::try_join!(
            private(config.redis_url.is_none(), async || redis::Server::start(&run.redis()).await),
            private(config.rabbitmq_url.is_none(), async || rabbitmq::Server::start(&run.rabbitmq()).await),
            private(!named, async || aws::Server::start(&run.aws()).await),
        )?;
        let database = Database::open(config).await?;
        Ok(Self { database, redis, rabbitmq, aws, _run: run })
    }

    /// What the parts find everything by.
    fn environment(&self, config: &Config) -> Result<Vec<(&'static str, String)>, Trouble> {
        let mut environment = vec![("DATABASE_URL", self.database.url.clone())];
        environment.extend(self.redis.as_ref().map(|server| ("REDIS_URL", server.url())));
        environment.extend(self.rabbitmq.as_ref().map(|server| ("RABBITMQ_URL", server.url())));
        let endpoint = self.endpoint()?;
        environment.extend(self.aws.iter().flat_map(aws::Server::environment));
        let queue = |url: &Option<String>, name| url.clone().unwrap_or_else(|| format!("{endpoint}/{ACCOUNT}/{name}"));
        // Every request would otherwise be told at length, by each of the parts.
        let level = config.log_level.min(tracing::Level::INFO).to_string().to_lowercase();
        environment.push(("LOG_LEVEL", level));
        environment.push(("NUDGE_QUEUE_URL", queue(&config.nudge_queue_url, "relay-nudges")));
        environment.push(("PARKED_QUEUE_URL", queue(&config.parked_queue_url, "fanout-parked")));
        environment.push(("UPLOAD_QUEUE_URL", queue(&config.upload_queue_url, "uploads")));
        environment.push(("UPLOAD_BUCKET", config.upload_bucket.clone().unwrap_or_else(|| UPLOAD_BUCKET.to_owned())));
        environment.push(("IMAGE_BUCKET", image_bucket(config).to_owned()));
        if env::var_os("IMAGE_BASE_URL").is_none() {
            environment.push(("IMAGE_BASE_URL", format!("http://127.0.0.1:{}/images", config.port)));
        }
        // The gateway proves with it that the viewer's address is the gateway's word.
        let secret = config.origin_secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        environment.push(("ORIGIN_SECRET", secret.unwrap_or_else(|| STANDARD.encode(clock::random::<16>()))));
        for (name, path) in [
            ("JWT_PRIVATE_KEY_PATH", &config.jwt_private_key_path),
            ("JWT_PUBLIC_KEY_PATH", &config.jwt_public_key_path),
        ] {
            environment.push((name, std::path::absolute(path)?.to_string_lossy().into_owned()));
        }
        Ok(environment)
    }

    /// Where AWS is, or who plays it.
    fn endpoint(&self) -> Result<String, Trouble> {
        Ok(match &self.aws {
            Some(server) => server.url(),
            None => env::var("AWS_ENDPOINT_URL")?,
        })
    }

    /// Where the bucket of pictures is.
    fn pictures(&self, config: &Config) -> Result<String, Trouble> {
        Ok(format!("{}/{}", self.endpoint()?, image_bucket(config)))
    }

    fn stop(self) -> Result<(), Trouble> {
        // If one of them makes trouble, the others stop as they are dropped.
        self.database.close()?;
        self.redis.map_or(Ok(()), redis::Server::stop)?;
        self.rabbitmq.map_or(Ok(()), rabbitmq::Server::stop)?;
        Ok(self.aws.map_or(Ok(()), aws::Server::stop)?)
    }
}

fn image_bucket(config: &Config) -> &str {
    config.image_bucket.as_deref().unwrap_or(IMAGE_BUCKET)
}

async fn private<T, E>(wanted: bool, start: impl AsyncFnOnce() -> Result<T, E>) -> Result<Option<T>, E> {
    if wanted { start().await.map(Some) } else { Ok(None) }
}
