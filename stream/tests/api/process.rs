//! The real binary: what it needs before it starts, what it serves, and how it ends.

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use chrono::TimeDelta;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use shared::auth::keys;
use shared::auth::tokens::Claims;
use shared::clock::Clock;
use shared::db::PoolSize;
use shared::testing::{Way, test_keys};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::{Connected, Given};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, in an environment that holds nothing of this machine's.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stream"));
    // Kept, so that `make coverage` sees what the binary runs.
    command.env_clear().envs(env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE"));
    let published = keys::read_public_pems(&test_keys().public_pem).unwrap();
    command.env("JWT_PUBLIC_KEYS", serde_json::to_string(&published).unwrap());
    // It is none of the container's business.
    command.env("JWT_PRIVATE_KEY_PATH", "/nowhere/private.pem");
    command.env("APP_ENV", "production").env("PORT", "0").kill_on_drop(true);
    command
}

/// A container, up and running.
struct Container {
    process: Child,
    address: SocketAddr,
}

impl Container {
    async fn start(given: &Given) -> Self {
        Self::start_with(given, given.app.database_url()).await
    }

    async fn start_with(given: &Given, database_url: String) -> Self {
        let mut command = program();
        command.env("DATABASE_URL", database_url).env("REDIS_URL", given.app.redis_url());
        command.env("RATE_LIMIT_PER_MINUTE", "1000000").stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("the container has ended");
                let line: Value = serde_json::from_str(&line).unwrap();
                if let Some(address) = line["address"].as_str() {
                    return address.parse().unwrap();
                }
            }
        };
        let address = timeout(PATIENCE, listening).await.expect("the container does not come up");
        // Keep reading, or it would block on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { process, address }
    }

    /// The status and the rest of what it answers.
    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(path, "").await
    }

    /// The same, asked with these header lines.
    async fn ask(&self, path: &str, headers: &str) -> (u16, String) {
        let mut client = Connected::to(self.address).await;
        client.ask(path, &format!("connection: close\r\n{headers}")).await;
        let answer = client.read_to_end().await;
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    async fn exit_code(mut self) -> Option<i32> {
        timeout(PATIENCE, self.process.wait()).await.expect("the container does not end").unwrap().code()
    }
}

/// The header line of a token of the store's admin.
fn authorization(given: &Given, token_version: i32) -> String {
    // The container takes the time from the system, the test's token is of another day.
    let claims = Claims::new(given.admin_owner(), token_version, Clock::system().now(), TimeDelta::hours(1));
    format!("authorization: Bearer {}\r\n", given.app.app.tokens.sign(&claims).unwrap())
}

#[tokio::test]
async fn refuses_to_start_without_what_it_needs_and_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let (database, redis) =
        (("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:9/d"), ("REDIS_URL", "redis://u:hunter2@127.0.0.1:9"));
    for (variables, reason) in [
        (&[][..], "DATABASE_URL is missing; REDIS_URL is missing"),
        (&[database], "wrong: REDIS_URL is missing"),
        (&[redis], "wrong: DATABASE_URL is missing"),
        (&[database, redis, ("JWT_PUBLIC_KEYS", "")], "keys/public.pem"),
        (&[database, redis, ("PORT", &taken)], &taken),
        (&[("LOG_LEVEL", "loud")], "LOG_LEVEL"),
    ] {
        let mut command = program();
        let output = timeout(PATIENCE, command.envs(variables.iter().copied()).output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(reason) && !said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn serves_streams_and_ends_well_when_it_is_told_to() {
    let given = Given::on_redis().await;
    let container = Container::start(&given).await;
    assert_eq!(container.get("/health/live").await.0, 200);
    let admin = authorization(&given, 1);
    let mut boards = Vec::new();
    // So many that not all of them are ended before the test has looked.
    for _ in 0..8 {
        let mut board = Connected::to(container.address).await;
        board.ask("/api/admin/orders/stream", &admin).await;
        board.read_until("event: ready").await;
        boards.push(board);
    }
    let (status, metrics) = container.get("/metrics").await;
    assert!(status == 200 && metrics.contains("\nsse_connections 8\n"), "{metrics}");
    given.order().await;
    given.app.drain().await;
    for board in &mut boards {
        board.read_until("event: order.created").await;
    }
    assert_eq!(container.get("/api/admin/orders/stream").await.0, 401);

    container.signal(Signal::TERM);
    let refused = async { while container.get("/api/admin/orders/stream").await.0 != 503 {} };
    timeout(PATIENCE, refused).await.expect("new streams are not refused");
    assert_eq!(container.get("/health/live").await.0, 200);
    drop(boards);

    assert_eq!(container.exit_code().await, Some(0));
}

#[tokio::test]
async fn opens_streams_again_though_its_database_was_lost_without_a_word() {
    let given = Given::on_redis().await;
    let way = Way::to(&given.app.database_url()).await;
    let container = Container::start_with(&given, way.url.clone()).await;
    for _ in 0..PoolSize::STREAM.most {
        assert_eq!(container.get("/metrics").await.0, 200);
        way.lose_connections();
        // Asks the database, for as long as a second.
        assert_eq!(container.get("/metrics").await.0, 200);
    }

    // The database knows no such version of the token. While it does not answer it is 503.
    let nobody = authorization(&given, 2);
    let answered = async { while container.ask("/api/admin/orders/stream", &nobody).await.0 != 401 {} };
    timeout(PATIENCE, answered).await.expect("the database is not asked any more");
}

#[tokio::test]
async fn ends_at_once_on_either_signal_when_no_stream_is_open() {
    let given = Given::on_redis().await;
    for signal in [Signal::TERM, Signal::INT] {
        let container = Container::start(&given).await;
        container.signal(signal);
        assert_eq!(container.exit_code().await, Some(0));
    }
}
