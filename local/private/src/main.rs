//! `with-services [--only NAME,…] COMMAND…`: runs a command with servers of its own, which are gone afterwards.
//!
//! `DATABASE_URL` is that of a migrated database, `REDIS_URL` and `RABBITMQ_URL` are those of empty servers, and
//! `AWS_ENDPOINT_URL` that of an empty account, with the region and the keys that the SDK insists on. With `--only`, just the
//! servers that are named are started, out of `postgres`, `redis`, `rabbitmq` and `aws`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use private_services::postgres::Durability;
use private_services::{Run, Trouble, aws, postgres, rabbitmq, redis};
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
                eprintln!("with-services: {trouble}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, Trouble> {
    let mut arguments = env::args_os().skip(1).peekable();
    let wanted = match arguments.next_if(|argument| argument == "--only") {
        Some(_) => Wanted::named(&arguments.next().unwrap_or_default())?,
        None => Wanted { postgres: true, redis: true, rabbitmq: true, aws: true },
    };
    let program = arguments.next().ok_or_else(|| Trouble("name a command to run".to_owned()))?;
    let failed = |error| Trouble(format!("the command cannot be run: {error}"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(failed)?;
    // Dropped half-way, the servers stop and their folders go.
    let services = tokio::select! {
        services = Services::start(wanted) => services?,
        _ = interrupted.recv() => return Ok(ExitCode::FAILURE),
        _ = terminated.recv() => return Ok(ExitCode::FAILURE),
        _ = hung_up.recv() => return Ok(ExitCode::FAILURE),
    };
    let mut child = Command::new(program).args(arguments).envs(services.variables()).spawn().map_err(failed)?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(failed)?,
            // Ctrl-C on a terminal, and its end, reach the command too: wait for it, then clear up.
            _ = interrupted.recv() => {}
            _ = hung_up.recv() => {}
            _ = terminated.recv() => child.start_kill().map_err(failed)?,
        }
    };
    services.stop()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Which servers the command needs.
#[derive(Default)]
struct Wanted {
    postgres: bool,
    redis: bool,
    rabbitmq: bool,
    aws: bool,
}

impl Wanted {
    fn named(names: &OsString) -> Result<Self, Trouble> {
        let mut wanted = Self::default();
        for name in names.to_string_lossy().split(',') {
            match name {
                "postgres" => wanted.postgres = true,
                "redis" => wanted.redis = true,
                "rabbitmq" => wanted.rabbitmq = true,
                "aws" => wanted.aws = true,
                _ => {
                    let known = "postgres, redis, rabbitmq or aws";
                    return Err(Trouble(format!("name {known} after --only, not \"{name}\"")));
                }
            }
        }
        Ok(wanted)
    }
}

/// The servers, in folders that go with them.
struct Services {
    postgres: Option<postgres::Server>,
    redis: Option<redis::Server>,
    rabbitmq: Option<rabbitmq::Server>,
    aws: Option<aws::Server>,
    // Last: it goes when they are gone.
    _run: Run,
}

impl Services {
    /// Start them at the same time.
    async fn start(wanted: Wanted) -> Result<Self, Trouble> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let run = Run::begin(&target.join("with-services")).await?;
        // Those that take longest begin first: the making of PostgreSQL's data lets nothing else be done here.
        let (rabbitmq, aws, redis, postgres) = tokio::try_join!(
            started(wanted.rabbitmq, async || rabbitmq::Server::start(&run.rabbitmq()).await),
            started(wanted.aws, async || aws::Server::start(&run.aws()).await),
            started(wanted.redis, async || redis::Server::start(&run.redis()).await),
            started(wanted.postgres, async || {
                let server = postgres::Server::start(&run.postgres(), Durability::None).await?;
                migrate(&server.url(), &root.join("migrations")).await?;
                Ok(server)
            }),
        )?;
        Ok(Self { postgres, redis, rabbitmq, aws, _run: run })
    }

    /// What the command finds them by.
    fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let variables = [
            ("DATABASE_URL", self.postgres.as_ref().map(postgres::Server::url)),
            ("REDIS_URL", self.redis.as_ref().map(redis::Server::url)),
            ("RABBITMQ_URL", self.rabbitmq.as_ref().map(rabbitmq::Server::url)),
        ];
        let variables = variables.into_iter().filter_map(|(name, value)| Some((name, value?)));
        variables.chain(self.aws.iter().flat_map(aws::Server::environment))
    }

    fn stop(self) -> Result<(), Trouble> {
        // If one of them makes trouble, the others stop as they are dropped.
        self.postgres.map_or(Ok(()), postgres::Server::stop)?;
        self.redis.map_or(Ok(()), redis::Server::stop)?;
        self.rabbitmq.map_or(Ok(()), rabbitmq::Server::stop)?;
        self.aws.map_or(Ok(()), aws::Server::stop)
    }
}

async fn started<T>(wanted: bool, start: impl AsyncFnOnce() -> Result<T, Trouble>) -> Result<Option<T>, Trouble> {
    if wanted { start().await.map(Some) } else { Ok(None) }
}

async fn migrate(url: &str, migrations: &Path) -> Result<(), Trouble> {
    let failed = |error: &dyn std::fmt::Display| Trouble(format!("the migrations cannot be run: {error}"));
    let mut connection = PgConnection::connect(url).await.map_err(|error| failed(&error))?;
    let migrator = Migrator::new(migrations).await.map_err(|error| failed(&error))?;
    migrator.run(&mut connection).await.map_err(|error| failed(&error))
}
