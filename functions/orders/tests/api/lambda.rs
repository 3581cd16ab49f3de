//! The real binary under Lambda's Runtime API: an order comes in as API Gateway sends it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::{count, given};

/// The Runtime API: gives out one invocation, then makes the function wait, and takes what it answers.
#[derive(Clone)]
struct RuntimeApi {
    invocation: Arc<Mutex<Option<Value>>>,
    answers: mpsc::UnboundedSender<Value>,
}

async fn next(State(api): State<RuntimeApi>) -> impl IntoResponse {
    let invocation = api.invocation.lock().unwrap().take();
    let Some(invocation) = invocation else { std::future::pending().await };
    let headers = [
        ("lambda-runtime-aws-request-id", "request-1"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:ap-northeast-2:1:function:orders"),
    ];
    (headers, Json(invocation))
}

async fn register() -> impl IntoResponse {
    let function = json!({"functionName": "orders", "functionVersion": "1", "handler": "orders"});
    ([("lambda-extension-identifier", "extension-1")], Json(function))
}

async fn answer(State(api): State<RuntimeApi>, Path(how): Path<String>, body: String) -> StatusCode {
    let answer: Value = serde_json::from_str(&body).unwrap();
    api.answers.send(json!({"how": how, "answer": answer})).unwrap();
    StatusCode::ACCEPTED
}

#[tokio::test]
async fn places_an_order_that_api_gateway_sends() {
    let given = given().await;
    let folder = std::env::temp_dir().join(format!("orders-{}", given.store.id));
    std::fs::create_dir(&folder).unwrap();
    let public_key = folder.join("public.pem");
    std::fs::write(&public_key, &shared::testing::test_keys().public_pem).unwrap();
    // The binary takes the time from the system, the test's token is of another day.
    let owner = shared::db::owners::Owner {
        role: shared::domain::account::Role::Table,
        id: given.table.id.get(),
        store_id: Some(given.store.id),
    };
    let now = shared::clock::Clock::system().now();
    let claims = shared::auth::tokens::Claims::new(owner, 1, now, chrono::TimeDelta::hours(1));
    let token = given.app.app.tokens.sign(&claims).unwrap();
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 2}]}).to_string();
    let invocation = json!({
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
        "body": body,
        "isBase64Encoded": false,
    });
    let (answers, mut answered) = mpsc::unbounded_channel();
    let api = RuntimeApi { invocation: Arc::new(Mutex::new(Some(invocation))), answers };
    let router = Router::new()
        // Registered so that Lambda tells the process before it ends; nothing is ever told here.
        .route("/2020-01-01/extension/register", post(register))
        .route("/2020-01-01/extension/event/next", get(async || std::future::pending::<()>().await))
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/request-1/{how}", post(answer))
        .with_state(api);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });

    let function = Command::new(env!("CARGO_BIN_EXE_orders"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "orders")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("APP_ENV", "production")
        .env("DATABASE_URL", given.app.database_url())
        // Where nobody listens: accepting an order needs PostgreSQL and nothing else.
        .env("REDIS_URL", "redis://127.0.0.1:9")
        .env("NUDGE_QUEUE_URL", "http://127.0.0.1:9/1/nudges")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_REGION", "ap-northeast-2")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("JWT_PUBLIC_KEY_PATH", &public_key)
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(30), answered.recv()).await;
    drop(function);
    std::fs::remove_dir_all(&folder).unwrap();
    let answer = answer.expect("the function does not answer").unwrap();

    assert_eq!(answer["how"], "response", "{answer}");
    let answer = &answer["answer"];
    assert_eq!(answer["statusCode"], 201, "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert!(answer["headers"]["x-request-id"].is_string());
    let order: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(order["total_price"], 18_000);
    assert_eq!(count(&given.app, "orders").await, 1);
    assert_eq!(count(&given.app, "outbox").await, 1);
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
        let output = tokio::time::timeout(Duration::from_secs(30), start(variables)).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(missing), "{said}");
    }
}
