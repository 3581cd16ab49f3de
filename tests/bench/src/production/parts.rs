//! The servers, and how the parts of the service are started on them.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use lambda_emulator::Function;
use measure::Trouble;
use measure::program::say;
use measure::service::{Service, sibling, wait_for};
use private_services::postgres::Server as Postgres;
use private_services::{aws, free_port, rabbitmq, redis};
use secrecy::SecretString;
use serde_json::json;
use shared::config::Config;
use sqlx::{Connection, PgConnection};

use crate::TASK;
use crate::data::{self, Board, Data};
use crate::effort::Effort;

/// The account that moto's queues are in.
const ACCOUNT: &str = "123456789012";
/// Stores with nothing but a board: the most that streams are opened for.
const BOARDS: u32 = 1_000;
/// How long an invocation may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is measured on.
pub(crate) struct Parts {
    /// How much to measure.
    pub(crate) effort: Effort,
    /// The folder of this run's files.
    pub(crate) folder: PathBuf,
    /// Stores with tables and menus.
    pub(crate) data: Data,
    /// Stores with nothing but a board.
    pub(crate) boards: Vec<Board>,
    /// PostgreSQL.
    pub(crate) postgres: Postgres,
    /// A connection of our own to it.
    pub(crate) db: PgConnection,
    /// Redis.
    pub(crate) redis: redis::Server,
    /// RabbitMQ.
    pub(crate) rabbitmq: rabbitmq::Server,
    /// SQS, played by moto.
    pub(crate) aws: aws::Server,
    /// What the functions find everything by.
    variables: Vec<(String, String)>,
}

impl Parts {
    /// Start what is not running yet, and make what the functions need. The one process must have ended.
    pub(crate) async fn start(
        effort: Effort,
        folder: PathBuf,
        mut postgres: Postgres,
        data: Data,
        config: &Config,
    ) -> Result<Self, Trouble> {
        say("Starting Redis, RabbitMQ and moto.");
        let [redis, rabbitmq, aws] = ["redis", "rabbitmq", "aws"].map(|name| folder.join(name));
        let (redis, rabbitmq, aws) = tokio::try_join!(
            redis::Server::start(&redis),
            rabbitmq::Server::start(&rabbitmq),
            aws::Server::start(&aws),
        )?;
        let mut db = PgConnection::connect(&postgres.url()).await?;
        let boards = data::add_boards(&mut db, config, BOARDS).await?;
        sqlx::query("vacuum analyze").execute(&mut db).await?;
        // PostgreSQL then tells when a transaction was committed. It takes that up when it starts.
        sqlx::query("alter system set track_commit_timestamp = on").execute(&mut db).await?;
        sqlx::query("checkpoint").execute(&mut db).await?;
        db.close().await?;
        postgres.restart().await?;
        let db = PgConnection::connect(&postgres.url()).await?;

        let mut variables = vec![
            ("DATABASE_URL".to_owned(), postgres.url()),
            ("REDIS_URL".to_owned(), redis.url()),
            ("RABBITMQ_URL".to_owned(), rabbitmq.url()),
            ("NUDGE_QUEUE_URL".to_owned(), format!("{}/{ACCOUNT}/relay-nudges", aws.url())),
            ("PARKED_QUEUE_URL".to_owned(), format!("{}/{ACCOUNT}/fanout-parked", aws.url())),
            ("UPLOAD_QUEUE_URL".to_owned(), format!("{}/{ACCOUNT}/uploads", aws.url())),
            ("UPLOAD_BUCKET".to_owned(), "uploads".to_owned()),
            ("IMAGE_BUCKET".to_owned(), "images".to_owned()),
            ("LOG_LEVEL".to_owned(), "info".to_owned()),
            ("RATE_LIMIT_PER_MINUTE".to_owned(), "1000000".to_owned()),
        ];
        for (name, path) in [
            ("JWT_PRIVATE_KEY_PATH", &config.jwt_private_key_path),
            ("JWT_PUBLIC_KEY_PATH", &config.jwt_public_key_path),
        ] {
            variables.push((name.to_owned(), path.to_string_lossy().into_owned()));
        }
        variables.extend(aws.environment().map(|(name, value)| (name.to_owned(), value)));
        let this = Self { effort, folder, data, boards, postgres, db, redis, rabbitmq, aws, variables };
        let done = this.command("table-order-local", "setup")?.arg("setup").status()?;
        if !done.success() {
            return Err(
                format!("`table-order-local setup` failed: see {}", this.folder.join("setup.log").display()).into()
            );
        }
        Ok(this)
    }

    /// Stop the servers. What was measured on is gone.
    pub(crate) async fn stop(self) -> Result<(), Trouble> {
        self.db.close().await?;
        self.aws.stop()?;
        self.rabbitmq.stop()?;
        self.redis.stop()?;
        Ok(self.postgres.stop()?)
    }

    /// Where RabbitMQ is.
    pub(crate) fn rabbitmq_url(&self) -> SecretString {
        self.rabbitmq.url().into()
    }

    /// Where Redis is.
    pub(crate) fn redis_url(&self) -> SecretString {
        self.redis.url().into()
    }

    /// A client of SQS.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(aws::REGION))
            .credentials_provider(Credentials::new("nobody", "nothing", None, None, "moto"))
            .endpoint_url(self.aws.url());
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    /// A function of the service, or another Lambda function that was built with this program, for so many invocations at
    /// once.
    pub(crate) fn function(&self, name: &'static str, concurrency: usize) -> Result<Function, Trouble> {
        let log = Some(self.folder.join(format!("{name}.log")));
        let (binary, variables) = (sibling(TASK, name)?, self.variables.clone());
        Ok(Function { name, binary, variables, concurrency, timeout: PATIENCE, log })
    }

    /// Start the container of streams.
    pub(crate) fn stream(&self) -> Result<Service, Trouble> {
        self.stream_on(&self.redis.url())
    }

    /// Start a container of streams over another Redis.
    pub(crate) fn stream_on(&self, redis_url: &str) -> Result<Service, Trouble> {
        let port = free_port()?;
        let mut command = self.command("stream", &format!("stream-{port}"))?;
        command.env("PORT", port.to_string()).env("REDIS_URL", redis_url);
        start_at(command, ([127, 0, 0, 1], port).into())
    }

    /// Start what hands messages of RabbitMQ and SQS to the functions.
    pub(crate) fn sources(&self, lambda_url: &str) -> Result<Service, Trouble> {
        let mut command = self.command("table-order-local", "sources")?;
        command.args(["sources", "--lambda", lambda_url]);
        // It listens nowhere.
        Ok(Service::of(command.spawn()?, ([0, 0, 0, 0], 0).into()))
    }

    /// One of the service's programs, with everything it needs. Its output goes to a file of this name.
    fn command(&self, program: &str, log: &str) -> Result<Command, Trouble> {
        let log = File::create(self.folder.join(format!("{log}.log")))?;
        let mut command = Command::new(sibling(TASK, program)?);
        command.current_dir(&self.folder).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }
}

/// Start a program that listens at this address.
fn start_at(mut command: Command, address: SocketAddr) -> Result<Service, Trouble> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut process = command.spawn().map_err(|error| format!("{name} cannot be run: {error}"))?;
    match wait_for(&mut process, || TcpStream::connect(address).ok())? {
        Some(_) => Ok(Service::of(process, address)),
        None => Err(format!("{name} does not start: see its log in target/bench").into()),
    }
}

/// Remove what a killed run has left in `folder`, servers among it.
pub(crate) fn reset(folder: &Path) -> Result<(), Trouble> {
    redis::Server::reset(&folder.join("redis"))?;
    rabbitmq::Server::reset(&folder.join("rabbitmq"))?;
    aws::Server::reset(&folder.join("aws"))?;
    Ok(())
}

/// An HTTP request as API Gateway hands it to a function.
pub(crate) fn http_event(method: &str, path: &str, token: Option<&str>, more: &[(&str, &str)], body: &str) -> String {
    let mut headers = serde_json::Map::new();
    headers.insert("host".to_owned(), json!("api.example.com"));
    headers.insert("content-type".to_owned(), json!("application/json"));
    headers.extend(token.map(|token| ("authorization".to_owned(), json!(format!("Bearer {token}")))));
    headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    let route = format!("{method} {path}");
    json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "bench",
            },
            "requestId": "bench",
            "routeKey": route,
            "stage": "$default",
            "time": "21/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1_795_262_400_000_i64,
        },
        "body": body,
        "isBase64Encoded": false,
    })
    .to_string()
}

/// The answer to [`http_event`], if its status is the one expected.
pub(crate) fn http_answer(answer: &[u8], expected: u16) -> Result<serde_json::Value, Trouble> {
    let answer: serde_json::Value = serde_json::from_slice(answer)?;
    if answer["statusCode"] == json!(expected) {
        Ok(answer)
    } else {
        Err(format!("a function answered {answer}").into())
    }
}
