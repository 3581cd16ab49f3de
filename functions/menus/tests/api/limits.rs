//! The real binary, in eight processes at once as Lambda would start them, on one Redis: together they allow a caller what
//! one of them would.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use lambda_emulator::{Function, Lambda};
use serde_json::{Value, json};
use shared::auth::tokens::Claims;
use shared::clock::Clock;
use shared::db::owners::Owner;
use shared::domain::account::Role;
use shared::testing::{Options, TestTable, test_keys};

use crate::{Given, given_with};

/// Processes at once.
const PROCESSES: usize = 8;
/// What a caller may ask in a minute.
const LIMIT: usize = 100;
/// What is asked at once: all processes have many requests beyond the limit.
const REQUESTS: usize = 400;
/// While Redis does not answer in time, each process counts for itself, and says so. That is another rule, and on a machine
/// that is busy enough it happens: then it is tried again.
const ATTEMPTS: usize = 10;

/// The function in eight processes, and what they log.
struct Processes {
    lambda: Lambda,
    folder: PathBuf,
}

impl Processes {
    async fn start(given: &Given) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("limits-{}", given.store.id));
        fs::create_dir_all(&folder).unwrap();
        let public_key = folder.join("public.pem");
        fs::write(&public_key, &test_keys().public_pem).unwrap();
        let limit = LIMIT.to_string();
        let variables = [
            ("APP_ENV", "production"),
            ("DATABASE_URL", &given.app.database_url()),
            ("REDIS_URL", &given.app.redis_url()),
            ("JWT_PUBLIC_KEY_PATH", public_key.to_str().unwrap()),
            ("RATE_LIMIT_PER_MINUTE", &limit),
            // Where nobody listens: nothing is changed here.
            ("NUDGE_QUEUE_URL", "http://127.0.0.1:9/1/nudges"),
            ("UPLOAD_BUCKET", "uploads"),
            ("IMAGE_BUCKET", "images"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ("AWS_REGION", "ap-northeast-2"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ];
        let function = Function {
            name: "menus",
            binary: env!("CARGO_BIN_EXE_menus").into(),
            variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            concurrency: PROCESSES,
            timeout: Duration::from_secs(60),
            log: Some(folder.join("menus.log")),
        };
        Self { lambda: Lambda::start([function]).await.unwrap(), folder }
    }

    /// How often a process has said this.
    fn said(&self, words: &str) -> usize {
        fs::read_to_string(self.folder.join("menus.log")).unwrap().matches(words).count()
    }

    /// The statuses of so many requests of a table at once.
    async fn ask(&self, given: &Given, table: &TestTable, requests: usize) -> Vec<u64> {
        let event = event(given, table).to_string();
        let answers = join_all((0..requests).map(|_| self.lambda.invoke("menus", event.clone()))).await;
        let status = |answer: Value| answer["statusCode"].as_u64().unwrap();
        answers.into_iter().map(|answer| status(serde_json::from_slice(&answer.unwrap()).unwrap())).collect()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What API Gateway makes of a tablet's request for the menus.
fn event(given: &Given, table: &TestTable) -> Value {
    let sample = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/menus.json")).unwrap();
    let mut event: Value = serde_json::from_str(&sample).unwrap();
    // The binary takes the time from the system, the test's token is of another day.
    let owner = Owner { role: Role::Table, id: table.id.get(), store_id: Some(given.store.id) };
    let claims = Claims::new(owner, 1, Clock::system().now(), chrono::TimeDelta::hours(1));
    let token = given.app.app.tokens.sign(&claims).unwrap();
    event["headers"]["authorization"] = json!(format!("Bearer {token}"));
    event
}

#[tokio::test]
async fn eight_processes_at_once_allow_a_caller_its_limit() {
    let given = given_with(Options::on_redis().await).await;
    for attempt in 0..ATTEMPTS {
        // Fresh ones: a process that has found Redis silent leaves it alone for a while.
        let processes = Processes::start(&given).await;
        processes.ask(&given, &given.table, REQUESTS).await;
        assert_eq!(processes.lambda.pids("menus").len(), PROCESSES);
        let late_before = processes.said("Redis is late");
        let table = given.app.table(&given.store, &format!("caller {attempt}")).await;

        let answers = processes.ask(&given, &table, REQUESTS).await;

        if processes.said("Redis does not answer") > 0 {
            continue;
        }
        // Nobody waits long: each request that Redis was late to count may be one too many.
        let late = processes.said("Redis is late") - late_before;
        let of = |status: u64| answers.iter().filter(|&&answer| answer == status).count();
        assert_eq!(of(200) + of(429), REQUESTS, "{answers:?}");
        assert!((LIMIT..=LIMIT + late).contains(&of(200)), "{late} were late: {answers:?}");
        return;
    }
    panic!("Redis did not answer in time in any of {ATTEMPTS} attempts: is the machine overloaded?");
}
