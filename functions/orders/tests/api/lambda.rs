//! The real binary under Lambda: an order comes in as API Gateway sends it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lambda_emulator::{Failure, Function, Lambda};
use serde_json::{Value, json};
use shared::testing::{HeldRedis, detour};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{interval, timeout};

use crate::{Given, count, given, outbox};

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

/// The function, with all it needs but PostgreSQL, and perhaps SQS, where nobody listens: accepting an order needs nothing
/// else.
async fn function(given: &Given, database_url: String, sqs_url: &str) -> Lambda {
    function_with(given, database_url, "redis://127.0.0.1:9", sqs_url).await
}

async fn function_with(given: &Given, database_url: String, redis_url: &str, sqs_url: &str) -> Lambda {
    let public_keys = serde_json::to_string(given.app.app.tokens.published()).unwrap();
    let variables = [
        ("APP_ENV", "production".to_owned()),
        ("DATABASE_URL", database_url),
        ("REDIS_URL", redis_url.to_owned()),
        ("NUDGE_QUEUE_URL", format!("{sqs_url}/1/nudges")),
        ("AWS_ENDPOINT_URL", sqs_url.to_owned()),
        ("AWS_REGION", "ap-northeast-2".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("JWT_PUBLIC_KEYS", public_keys),
        ("METRICS_NAMESPACE", "table-order/test".to_owned()),
    ];
    let orders = Function {
        name: "orders",
        binary: PathBuf::from(env!("CARGO_BIN_EXE_orders")),
        variables: variables.map(|(name, value)| (name.to_owned(), value)).into(),
        concurrency: 1,
        timeout: Duration::from_secs(30),
        log: Some(log(given)),
    };
    Lambda::start([orders]).await.unwrap()
}

/// Where the function's output goes.
fn log(given: &Given) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("orders-{}.log", given.store.id))
}

/// A table's order of this body, as API Gateway sends it.
fn placing(given: &Given, body: &Value) -> String {
    // The binary takes the time from the system, the test's token is of another day.
    let owner = shared::db::owners::Owner {
        role: shared::domain::account::Role::Table,
        id: given.table.id.get(),
        store_id: Some(given.store.id),
    };
    let now = shared::clock::Clock::system().now();
    let claims = shared::auth::tokens::Claims::new(owner, 1, now, chrono::TimeDelta::hours(1));
    let token = given.app.app.tokens.sign(&claims).unwrap();
    let event = json!({
        "version": "2.0",
        "routeKey": "POST /api/customer/orders",
        "rawPath": "/api/customer/orders",
        "rawQueryString": "",
        "headers": {
            "authorization": format!("Bearer {token}"),
            "content-type": "application/json",
            "host": "api.example.com",
        },
        "requestContext": {
            "accountId": "1",
            "apiId": "api",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {
                "method": "POST",
                "path": "/api/customer/orders",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "tablet",
            },
            "requestId": "id",
            "routeKey": "POST /api/customer/orders",
            "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1_773_342_238_000i64,
        },
        "body": body.to_string(),
        "isBase64Encoded": false,
    });
    event.to_string()
}

async fn ask(lambda: &Lambda, event: String) -> Value {
    let answer = timeout(Duration::from_secs(30), lambda.invoke("orders", event));
    serde_json::from_slice(&answer.await.expect("the function does not answer").unwrap()).unwrap()
}

#[tokio::test]
async fn places_an_order_that_api_gateway_sends() {
    let given = given().await;
    let lambda = function(&given, given.app.database_url(), NOBODY).await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 2}]});

    let answer = ask(&lambda, placing(&given, &body)).await;

    assert_eq!(answer["statusCode"], 201, "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/json");
    // Under the gateway's own id, with which its events go on to the screens.
    assert_eq!(answer["headers"]["x-request-id"], "id");
    assert_eq!(outbox(&given.app).await[0]["request_id"], "id");
    let order: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(order["total_price"], 18_000);
    assert_eq!(count(&given.app, "orders").await, 1);
    assert_eq!(count(&given.app, "outbox").await, 1);

    // CloudWatch is told of it on standard output, in a line among those of the log.
    let log = fs::read_to_string(log(&given)).unwrap();
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = lines.find(|line| line.get("_aws").is_some()).expect("nothing is told");
    assert_eq!(told["_aws"]["CloudWatchMetrics"][0]["Namespace"], "table-order/test");
    assert_eq!((&told["http_requests_total"], &told["orders_placed_total"]), (&json!(1), &json!(1)));
    assert_eq!(told["order_amount_won_total"], 18_000);
}

/// A way to PostgreSQL that says when a transaction is about to be rolled back, and lets that happen only when it is told to.
struct Rollbacks {
    asked: Arc<Notify>,
    allowed: Arc<Semaphore>,
}

impl Rollbacks {
    /// The way, and the database's URL that takes it.
    async fn on_the_way(given: &Given) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (server, url) = detour(&given.app.database_url(), listener.local_addr().unwrap());
        let (asked, allowed) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
        let (seen, waits) = (asked.clone(), allowed.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = TcpStream::connect(&server).await.unwrap().into_split();
                let (seen, waits) = (seen.clone(), waits.clone());
                tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                tokio::spawn(async move {
                    let mut buffer = [0; 16 * 1024];
                    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                        if buffer[..read].windows(8).any(|bytes| bytes == b"ROLLBACK") {
                            seen.notify_one();
                            waits.acquire().await.unwrap().forget();
                        }
                        to_server.write_all(&buffer[..read]).await.unwrap();
                    }
                });
            }
        });
        (Self { asked, allowed }, url)
    }
}

/// A process that is frozen with its answer must hold no locks.
#[tokio::test]
async fn an_order_is_refused_once_its_transaction_is_rolled_back() {
    let given = given().await;
    let (rollbacks, database_url) = Rollbacks::on_the_way(&given).await;
    let lambda = function(&given, database_url, NOBODY).await;
    let event = placing(&given, &json!({"items": [{"menu_id": 999_999, "quantity": 1}]}));

    let mut answer = tokio::spawn(async move { ask(&lambda, event).await });

    tokio::select! {
        answer = &mut answer => panic!("it is refused with its transaction open: {answer:?}"),
        () = rollbacks.asked.notified() => {}
    }
    // The answer of one that does not wait would come within a millisecond.
    let early = timeout(Duration::from_millis(200), &mut answer).await;
    assert!(early.is_err(), "it is refused with its transaction open: {early:?}");
    rollbacks.allowed.add_permits(1);
    assert_eq!(answer.await.unwrap()["statusCode"], 404);
}

/// A server that is gone without a word leaves a connection that waits for ever. It is the only one of its environment.
#[tokio::test]
async fn an_environment_whose_connection_hangs_makes_way_for_another() {
    let given = given().await;
    let (rollbacks, database_url) = Rollbacks::on_the_way(&given).await;
    let lambda = function(&given, database_url, NOBODY).await;
    let refused = placing(&given, &json!({"items": [{"menu_id": 999_999, "quantity": 1}]}));
    let good = placing(&given, &json!({"items": [{"menu_id": given.stew, "quantity": 1}]}));

    assert_eq!(ask(&lambda, refused).await["statusCode"], 404);
    rollbacks.asked.notified().await;
    assert_eq!(lambda.invoke("orders", good.clone()).await, Err(Failure::Ended));
    rollbacks.allowed.add_permits(1);
    assert_eq!(ask(&lambda, good).await["statusCode"], 201);

    assert_eq!(count(&given.app, "orders").await, 1);
    assert!(fs::read_to_string(log(&given)).unwrap().contains("a new environment starts well"));
}

/// The guest's answer comes first; and the environment is not frozen before the nudge, which is sent again, is done.
#[tokio::test]
async fn an_order_is_answered_before_its_nudge_which_is_finished_all_the_same() {
    let given = given().await;
    // A busy machine may need longer for a nudge than it has, half a second.
    for _ in 0..10 {
        let sqs = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", sqs.local_addr().unwrap());
        let lambda = function(&given, given.app.database_url(), &url).await;
        let event = placing(&given, &json!({"items": [{"menu_id": given.stew, "quantity": 1}]}));

        let answer = ask(&lambda, event).await;
        assert_eq!(answer["statusCode"], 201, "{answer}");
        let sent_again = async {
            let (mut nudge, _) = sqs.accept().await.unwrap();
            assert_ne!(nudge.read(&mut [0; 16 * 1024]).await.unwrap(), 0);
            nudge.write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
            sqs.accept().await.unwrap();
        };
        if timeout(Duration::from_secs(2), sent_again).await.is_ok() {
            return;
        }
    }
    panic!("the environment was frozen before the nudge was sent again");
}

/// Else it would not know of a Redis that stands still, and wait for it with every request.
#[tokio::test]
async fn an_environment_is_not_frozen_before_redis_has_said_what_it_was_late_to_say() {
    let given = given().await;
    let redis = HeldRedis::start().await;
    let lambda = function_with(&given, given.app.database_url(), &redis.url, NOBODY).await;
    let order = || placing(&given, &json!({"items": [{"menu_id": given.stew, "quantity": 1}]}));
    redis.answer(0);
    assert_eq!(ask(&lambda, order()).await["statusCode"], 201);

    assert_eq!(ask(&lambda, order()).await["statusCode"], 201);

    let known = async {
        let mut look = interval(Duration::from_millis(10));
        while !fs::read_to_string(log(&given)).unwrap().contains("Redis does not answer") {
            look.tick().await;
        }
    };
    timeout(Duration::from_secs(10), known).await.expect("the environment was frozen");
}

#[tokio::test]
async fn refuses_to_start_without_what_it_needs_and_names_it() {
    let start = |variables: &[(&'static str, &'static str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orders"));
        // Kept, so that `make coverage` sees what the binary runs.
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE"));
        command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").env("AWS_LAMBDA_FUNCTION_NAME", "orders");
        command.envs(variables.iter().copied()).kill_on_drop(true).output()
    };
    let (database, redis) = (("DATABASE_URL", "postgres://u:p@127.0.0.1:9/d"), ("REDIS_URL", "redis://127.0.0.1:9"));
    let nudges = ("NUDGE_QUEUE_URL", "http://127.0.0.1:9/1/nudges");
    for (variables, missing) in [
        (&[][..], "DATABASE_URL is missing; REDIS_URL is missing; NUDGE_QUEUE_URL is missing"),
        (&[database, nudges], "wrong: REDIS_URL is missing"),
        (&[database, redis], "wrong: NUDGE_QUEUE_URL is missing"),
        (&[database, redis, nudges], "keys/public.pem"),
        (&[("LOG_LEVEL", "loud")], "LOG_LEVEL"),
    ] {
        let output = timeout(Duration::from_secs(30), start(variables)).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(missing), "{said}");
    }
}
