//! The event sources, between real queues and a stand-in for Lambda's invoke endpoint.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod laid_aside;
mod rabbitmq;
mod relay;
mod uploads;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use local::sources::{Lambda, Sources};
use serde_json::{Value, json};
use shared::testing::{TestQueue, TestRabbitMq};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lambda's invoke endpoint: tells of every invocation, and fails on those that it is told to.
#[derive(Clone)]
struct Endpoint {
    invocations: mpsc::UnboundedSender<(String, Value)>,
    failing: Arc<Mutex<HashMap<String, usize>>>,
}

async fn invoke(
    State(endpoint): State<Endpoint>,
    Path(function): Path<String>,
    body: Json<Value>,
) -> (StatusCode, String) {
    let fails = {
        let mut failing = endpoint.failing.lock().unwrap();
        let left = failing.entry(function.clone()).or_default();
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        fails
    };
    // Of a batch, what says so fails.
    let records = body.0["Records"].as_array().into_iter().flatten().filter(|record| record["body"] == "bad");
    let failures: Vec<_> = records.map(|record| json!({"itemIdentifier": record["messageId"]})).collect();
    let answer = if failures.is_empty() { Value::Null } else { json!({ "batchItemFailures": failures }) };
    endpoint.invocations.send((function, body.0)).unwrap();
    // As `cargo lambda watch` tells of an error.
    let failed = json!({"errorType": "Error", "errorMessage": "SERVICE_UNAVAILABLE"}).to_string();
    if fails { (StatusCode::INTERNAL_SERVER_ERROR, failed) } else { (StatusCode::OK, answer.to_string()) }
}

/// What every test is given.
struct Given {
    rabbitmq: TestRabbitMq,
    nudges: TestQueue,
    uploads: TestQueue,
    endpoint: Endpoint,
    invocations: mpsc::UnboundedReceiver<(String, Value)>,
    sources: Sources,
}

async fn given() -> Given {
    let rabbitmq = TestRabbitMq::create().await;
    rabbitmq.declare().await;
    let (nudges, uploads) = (TestQueue::create().await, TestQueue::create().await);
    let (sender, invocations) = mpsc::unbounded_channel();
    let endpoint = Endpoint { invocations: sender, failing: Arc::default() };
    let router = Router::new()
        .route("/2015-03-31/functions/{function}/invocations", post(invoke))
        .layer(DefaultBodyLimit::max(6 * 1024 * 1024))
        .with_state(endpoint.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let sources = Sources {
        rabbitmq_url: rabbitmq.url().into(),
        nudge_queue_url: nudges.url().to_owned(),
        upload_queue_url: uploads.url().to_owned(),
        lambda: Lambda::at(&url),
        batch: 100,
        window: Duration::ZERO,
    };
    Given { rabbitmq, nudges, uploads, endpoint, invocations, sources }
}

impl Given {
    /// Let the sources run, as long as the guard lives.
    fn run(&self) -> DropGuard {
        let stopped = CancellationToken::new();
        tokio::spawn(self.sources.clone().run(stopped.clone()));
        stopped.drop_guard()
    }

    /// Fail on the next invocations of a function.
    fn fail(&self, function: &str, times: usize) {
        self.endpoint.failing.lock().unwrap().insert(function.to_owned(), times);
    }

    /// Put a message into a queue.
    async fn publish(&self, queue: &str, data: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        let published = self.rabbitmq.channel.basic_publish("".into(), queue.into(), options, data, properties);
        published.await.unwrap().await.unwrap();
    }

    /// The next invocation of a function.
    async fn invoked(&mut self, function: &str) -> Value {
        let next = async {
            loop {
                let (name, payload) = self.invocations.recv().await.unwrap();
                if name == function {
                    return payload;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("the function is not invoked")
    }
}

/// The messages that a payload has of a queue, as they were before they were base64.
fn messages(payload: &Value, queue: &str) -> Vec<String> {
    use base64::Engine;
    let messages = payload["rmqMessagesByQueue"][format!("{queue}::/")].as_array().unwrap();
    let decode = |message: &Value| {
        let data = base64::engine::general_purpose::STANDARD.decode(message["data"].as_str().unwrap());
        String::from_utf8(data.unwrap()).unwrap()
    };
    messages.iter().map(decode).collect()
}
