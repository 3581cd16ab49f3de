//! What Lambda says over HTTP: to callers the Invoke API, to each environment the Runtime API and the little of the Extensions
//! API that an internal extension needs.

use std::sync::{Arc, Weak};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::environment::Environment;
use crate::{Answer, Failure, Inner, Lambda};

/// Lambda's limit on a payload, in bytes.
const LARGEST_PAYLOAD: usize = 6 * 1024 * 1024;
/// In the year 2100: whoever takes too long is killed without being told.
const DEADLINE_MS: u64 = 4_102_444_800_000;
/// What names an extension to us. One that is told of events is named after them; an environment has no more than one.
const EXTENSION: &str = "lambda-extension-identifier";
/// The event of the Extensions API.
const INVOKE: &str = "INVOKE";

type Api = State<Weak<Inner>>;

pub(crate) fn routes(inner: Weak<Inner>) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{function}/invocations", post(invoke))
        .route("/{number}/2018-06-01/runtime/invocation/next", get(next))
        .route("/{number}/2018-06-01/runtime/invocation/{request}/response", post(response))
        .route("/{number}/2018-06-01/runtime/invocation/{request}/error", post(error))
        .route("/{number}/2018-06-01/runtime/init/error", post(error))
        .route("/{number}/2020-01-01/extension/register", post(register))
        .route("/{number}/2020-01-01/extension/event/next", get(next_for_extension))
        .layer(DefaultBodyLimit::max(LARGEST_PAYLOAD))
        .with_state(inner)
}

async fn invoke(State(inner): Api, Path(function): Path<String>, event: Bytes) -> Response {
    let Some(inner) = inner.upgrade() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    match Lambda(inner).invoke(&function, event).await {
        Ok(answer) => answer.into_response(),
        Err(Failure::NoSuchFunction) => StatusCode::NOT_FOUND.into_response(),
        Err(Failure::Error(error)) => failed(error),
        Err(failure) => failed(described(&failure).to_string().into()),
    }
}

fn failed(error: Bytes) -> Response {
    ([("x-amz-function-error", "Unhandled")], error).into_response()
}

fn described(failure: &Failure) -> Value {
    json!({ "errorType": "Runtime.ExitError", "errorMessage": failure.to_string() })
}

async fn next(State(inner): Api, Path(number): Path<u64>) -> Response {
    let Some(environment) = environment(&inner, number) else { return StatusCode::GONE.into_response() };
    let event = environment.next().await;
    let headers = [
        ("lambda-runtime-aws-request-id", number.to_string()),
        ("lambda-runtime-deadline-ms", DEADLINE_MS.to_string()),
        ("lambda-runtime-invoked-function-arn", arn(environment.function)),
    ];
    (headers, event).into_response()
}

async fn response(State(inner): Api, Path((number, _)): Path<(u64, String)>, body: Bytes) -> StatusCode {
    answer(&inner, number, Ok(body))
}

async fn error(State(inner): Api, Path(path): Path<Vec<(String, String)>>, body: Bytes) -> StatusCode {
    let number = path.first().and_then(|(_, number)| number.parse().ok()).unwrap_or_default();
    answer(&inner, number, Err(Failure::Error(body)))
}

async fn register(State(inner): Api, Path(number): Path<u64>, Json(extension): Json<Value>) -> Response {
    let Some(environment) = environment(&inner, number) else { return StatusCode::GONE.into_response() };
    let is_told = extension["events"].as_array().is_some_and(|events| events.contains(&json!(INVOKE)));
    if is_told {
        environment.has_extension();
    }
    let function = json!({ "functionName": environment.function, "functionVersion": "1", "handler": "bootstrap" });
    ([(EXTENSION, if is_told { INVOKE } else { "" })], Json(function)).into_response()
}

async fn next_for_extension(State(inner): Api, Path(number): Path<u64>, headers: HeaderMap) -> Response {
    let Some(environment) = environment(&inner, number) else { return StatusCode::GONE.into_response() };
    if headers.get(EXTENSION).is_none_or(|extension| extension != INVOKE) {
        // One that asked for no event is told none.
        return std::future::pending().await;
    }
    environment.extension_waits().await;
    let event = json!({
        "eventType": INVOKE,
        "deadlineMs": DEADLINE_MS,
        "requestId": number.to_string(),
        "invokedFunctionArn": arn(environment.function),
        "tracing": { "type": "X-Amzn-Trace-Id", "value": "" },
    });
    Json(event).into_response()
}

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:ap-northeast-2:000000000000:function:{function}")
}

fn answer(inner: &Weak<Inner>, number: u64, answer: Answer) -> StatusCode {
    match environment(inner, number) {
        Some(environment) => {
            environment.answer(answer);
            StatusCode::ACCEPTED
        }
        None => StatusCode::GONE,
    }
}

fn environment(inner: &Weak<Inner>, number: u64) -> Option<Arc<Environment>> {
    inner.upgrade()?.environment(number)
}
