//! Started, used as a newcomer would, stopped, killed, and told nonsense.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::testing::TestDatabase;
use sqlx::{Connection, PgConnection};
use tokio::process::Command;

use crate::running::{Folder, PATIENCE, Running, STORE, program};

async fn outcome(mut command: Command) -> Output {
    tokio::time::timeout(PATIENCE, command.output()).await.expect("the program does not end").unwrap()
}

/// Check that the program ended with 1 and one plain sentence that holds these words.
fn assert_trouble(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(last.starts_with("table-order: ") && words.iter().all(|word| last.contains(word)), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// What an operator looks at a deployment with.
#[tokio::test]
async fn a_smoke_test_orders_sees_it_on_the_board_and_leaves_nothing_open() {
    let (folder, database) = (Folder::new(), TestDatabase::create().await);
    let mut command = program(&folder, "run");
    command.env("DATABASE_URL", database.url());
    let running = Running::start(command).await;
    let smoke = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/smoke.sh");
    let try_with = async |password: &str| {
        let store = json!({
            "store_id": STORE,
            "admin": {"username": "admin", "password": password},
            "table": {"table_number": "8", "password": "1234"},
        });
        let mut command = Command::new("bash");
        command.args(["-c", r#""$0" "$1" <<<"$STORE""#]).arg(&smoke).arg(&running.url).env("STORE", store.to_string());
        outcome(command).await
    };

    let good = try_with("admin1234").await;

    let said = String::from_utf8_lossy(&good.stdout) + String::from_utf8_lossy(&good.stderr);
    assert!(good.status.success(), "{said}");
    assert!(said.contains("on the board after") && said.ends_with("table: closed\n"), "{said}");
    let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
    let open: i64 = sqlx::query_scalar("select count(*) from orders").fetch_one(&mut connection).await.unwrap();
    let archived: Vec<String> =
        sqlx::query_scalar("select status::text from order_history").fetch_all(&mut connection).await.unwrap();
    assert_eq!((open, archived), (0, vec!["cancelled".to_owned()]));
    connection.close().await.unwrap();

    let bad = try_with("wrong").await;
    assert!(!bad.status.success() && String::from_utf8_lossy(&bad.stderr).contains("/api/admin/auth/login"));
    running.stop().await;
}

#[tokio::test]
async fn logs_go_to_a_file_too_and_slow_queries_are_told_and_counted() {
    let folder = Folder::new();
    let database = TestDatabase::create().await;
    let mut command = program(&folder, "run");
    command.env("DATABASE_URL", database.url()).env("LOG_FILE", "logs/service.log").env("SLOW_QUERY_MS", "0");
    let running = Running::start(command).await;
    let table = running.table().await;
    running.orders(&table).await;
    let metrics = running.client.get(format!("{}/metrics", running.url)).send().await.unwrap();
    assert_eq!(metrics.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let metrics = metrics.text().await.unwrap();
    running.stop().await;

    assert!(metrics.contains("slow_queries_total{query_name=\"orders.list_for_table\"} 1\n"), "{metrics}");
    let written = std::fs::read_to_string(folder.0.join("logs/service.log")).unwrap();
    let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let slow = lines.iter().find(|line| line["query_name"] == "orders.list_for_table").expect(&written);
    assert_eq!((&slow["level"], &slow["message"]), (&json!("WARN"), &json!("slow query")));
    assert!(slow["duration_ms"].is_u64() && slow["request_id"].is_string(), "{slow}");
}

#[tokio::test]
async fn a_log_file_that_cannot_be_written_is_said_in_one_sentence() {
    let folder = Folder::new();
    let mut command = program(&folder, "run");
    command.env("LOG_FILE", "/proc/nowhere/service.log");
    assert_trouble(&outcome(command).await, &["LOG_FILE"]);
}

fn folder_of_postgres(folder: &Folder) -> Option<PathBuf> {
    // As root, a folder that PostgreSQL's user cannot reach is replaced by one below /var/tmp.
    let here = folder.0.join("target/local/postgres");
    here.join("data").exists().then_some(here)
}

#[tokio::test]
async fn a_newcomer_orders_sees_it_on_the_board_and_finds_it_again_after_a_restart() {
    let folder = Folder::new();
    let first = Running::start(program(&folder, "run")).await;
    for expected in ["superadmin", "super1234", "moon1234", STORE, "curl -sN"] {
        assert!(first.printed.contains(expected), "{}", first.printed);
    }
    let (table, admin) = (first.table().await, first.admin().await);
    let stream = first.client.get(format!("{}/api/admin/orders/stream", first.url)).bearer_auth(&admin);
    let mut stream = stream.send().await.unwrap().bytes_stream();

    let order = first.order(&table).await.unwrap();
    assert_eq!(order.status(), StatusCode::CREATED);
    let order: Value = order.json().await.unwrap();
    let mut seen = String::new();
    while !seen.contains("event: order.created") {
        let bytes = tokio::time::timeout(PATIENCE, stream.next()).await.expect("no event").unwrap().unwrap();
        seen.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    assert!(seen.contains(&format!("\"id\":{}", order["id"])), "{seen}");

    first.interrupt();
    while let Some(Ok(_)) = stream.next().await {}
    first.ended().await;
    let data = folder_of_postgres(&folder).map(|folder| folder.join("data/postmaster.pid"));
    assert!(data.is_none_or(|pid_file| !pid_file.exists()), "PostgreSQL was left running");

    let second = Running::start(program(&folder, "run")).await;
    // The token still fits: the keys were kept, too.
    assert_eq!(second.orders(&table).await["items"], json!([order]));
    assert_trouble(&outcome(program(&folder, "reset")).await, &["in use"]);
    second.stop().await;
    let pictures = folder.0.join("target/local/pictures");
    assert!(pictures.exists());

    let reset = outcome(program(&folder, "reset")).await;
    assert!(reset.status.success(), "{}", String::from_utf8_lossy(&reset.stderr));
    assert!(folder_of_postgres(&folder).is_none());
    assert!(!pictures.exists());
}

#[tokio::test]
async fn what_a_killed_service_left_behind_is_cleared_by_the_next_start() {
    let folder = Folder::new();
    let mut first = Running::start(program(&folder, "run")).await;
    let table = first.table().await;
    assert_eq!(first.order(&table).await.unwrap().status(), StatusCode::CREATED);
    first.process.kill().await.unwrap();

    let second = Running::start(program(&folder, "run")).await;
    assert_eq!(second.orders(&table).await["pagination"]["total_count"], 1);
    second.stop().await;
    assert!(outcome(program(&folder, "reset")).await.status.success());
}

#[tokio::test]
async fn ctrl_c_lets_a_request_under_way_end() {
    let folder = Folder::new();
    let database = TestDatabase::create().await;
    let mut command = program(&folder, "run");
    command.env("DATABASE_URL", database.url());
    let running = Running::start(command).await;
    let table = running.table().await;
    let mut holder = PgConnection::connect_with(&database.options()).await.unwrap();
    let mut watcher = PgConnection::connect_with(&database.options()).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    sqlx::query("select id from tables for update").fetch_all(&mut *held).await.unwrap();
    let order = tokio::spawn(running.order(&table));
    let waiting = async {
        let sql = "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')";
        while !sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut watcher).await.unwrap() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the order does not reach the database");

    running.interrupt();
    let refused = async { while running.client.get(format!("{}/health/live", running.url)).send().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refused).await.expect("the service still takes requests");
    held.rollback().await.unwrap();

    assert_eq!(order.await.unwrap().unwrap().status(), StatusCode::CREATED);
    running.ended().await;
    let orders: i64 = sqlx::query_scalar("select count(*) from orders").fetch_one(&mut watcher).await.unwrap();
    assert_eq!(orders, 1);
    holder.close().await.unwrap();
    watcher.close().await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_said_in_one_sentence() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = program(&folder, "run");
    command.env("PORT", &port);

    assert_trouble(&outcome(command).await, &["port", &port, "is taken", "make run"]);
    assert!(!Path::new(&folder.0.join("target")).exists(), "nothing was started");
}

#[tokio::test]
async fn an_unreachable_database_is_said_in_one_sentence_without_its_password() {
    let folder = Folder::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = program(&folder, "run");
    command.env("DATABASE_URL", format!("postgres://me:hunter2@127.0.0.1:{nobody}/db"));

    let output = outcome(command).await;

    assert_trouble(&output, &["127.0.0.1", &nobody.to_string(), "cannot be reached", "DATABASE_URL"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
}

#[tokio::test]
async fn every_mistake_in_the_configuration_is_said_at_once() {
    let folder = Folder::new();
    let mut command = program(&folder, "run");
    command.env("LOG_LEVEL", "loud").env("RATE_LIMIT_PER_MINUTE", "0").env("HOST", "here");

    assert_trouble(&outcome(command).await, &["LOG_LEVEL", "RATE_LIMIT_PER_MINUTE", "HOST"]);
}

#[tokio::test]
async fn a_file_named_after_the_environment_is_read_and_the_environment_goes_before_it() {
    let folder = Folder::new();
    std::fs::write(folder.0.join(".env.test"), "LOG_LEVEL=loud\nHOST=here\n").unwrap();
    let mut command = program(&folder, "run");
    command.env("APP_ENV", "test").env("HOST", "there");

    let output = outcome(command).await;

    assert_trouble(&output, &["LOG_LEVEL", "HOST"]);
}

#[tokio::test]
async fn keys_are_made_once_and_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    assert!(outcome(program(&folder, "keys")).await.status.success());
    let private = folder.0.join("keys/private.pem");
    let made = std::fs::read(&private).unwrap();
    assert_eq!(std::fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);

    assert_trouble(&outcome(program(&folder, "keys")).await, &["is there already"]);
    assert_eq!(std::fs::read(&private).unwrap(), made);
}

#[tokio::test]
async fn a_breaking_change_of_the_api_is_named_and_fails() {
    let folder = Folder::new();
    let written = folder.0.join("now.json");
    let mut write = program(&folder, "openapi");
    write.arg(&written);
    assert!(outcome(write).await.status.success());
    let now = std::fs::read_to_string(&written).unwrap();
    let mut before: Value = serde_json::from_str(&now).unwrap();
    before["paths"]["/api/gone"] = json!({"get": {}});
    std::fs::write(folder.0.join("before.json"), before.to_string()).unwrap();
    let check = |before: &str| {
        let mut command = program(&folder, "openapi-check");
        command.arg(before).arg("now.json");
        command
    };

    let same = outcome(check("now.json")).await;
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stderr));
    let changed = outcome(check("before.json")).await;
    assert!(String::from_utf8_lossy(&changed.stderr).contains("breaking  GET /api/gone: removed"));
    assert_trouble(&changed, &["1 breaking change"]);
    assert_trouble(&outcome(check("nowhere.json")).await, &["nowhere.json"]);
}

#[tokio::test]
async fn production_neither_makes_keys_nor_takes_demo_data() {
    let folder = Folder::new();
    let database = TestDatabase::create().await;
    let production = |task: &str| {
        let mut command = program(&folder, task);
        command.env("APP_ENV", "production").env("DATABASE_URL", database.url());
        command
    };

    assert_trouble(&outcome(production("run")).await, &["keys/public.pem", "make keys"]);
    assert_trouble(&outcome(production("seed")).await, &["production"]);
    let mut db = PgConnection::connect_with(&database.options()).await.unwrap();
    let stores: i64 = sqlx::query_scalar("select count(*) from stores").fetch_one(&mut db).await.unwrap();
    assert_eq!(stores, 0);
    db.close().await.unwrap();
}

#[tokio::test]
async fn migrations_are_applied_and_taken_back_by_command() {
    let folder = Folder::new();
    let database = TestDatabase::create_empty().await;
    let task = async |task: &str| {
        let mut command = program(&folder, task);
        command.env("DATABASE_URL", database.url());
        outcome(command).await
    };
    let columns = async || {
        let mut db = PgConnection::connect_with(&database.options()).await.unwrap();
        let sql = "select count(*) from information_schema.columns
                   where table_schema = 'public' and table_name <> '_sqlx_migrations'";
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        count
    };

    assert!(task("migrate").await.status.success());
    let all = columns().await;
    assert!(all > 100);
    assert!(task("migrate").await.status.success(), "again changes nothing");
    assert_eq!(columns().await, all);
    assert!(task("migrate-down").await.status.success());
    assert!(columns().await < all);
}
