//! Requests as API Gateway hands them to a function.

use lambda_emulator::Lambda;
use serde_json::{Value, json};

/// A request of somebody with a token.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The function that the path belongs to.
    pub function: &'a str,
    /// The method.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// The caller's token.
    pub token: &'a str,
    /// An idempotency key.
    pub key: Option<&'a str>,
    /// The body.
    pub body: Option<&'a Value>,
}

/// A function's answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status; 502 where the function gave no answer, as from API Gateway.
    pub status: u16,
    /// The body; null where there is none.
    pub body: Value,
}

impl Request<'_> {
    /// Send it.
    pub async fn send(self, lambda: &Lambda) -> Response {
        let Self { function, method, path, token, key, body } = self;
        let mut headers = json!({ "authorization": format!("Bearer {token}"), "host": "localhost" });
        if let Some(key) = key {
            headers["idempotency-key"] = key.into();
        }
        if body.is_some() {
            headers["content-type"] = "application/json".into();
        }
        let event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": headers,
            "requestContext": {
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
                "routeKey": "$default",
                "stage": "$default",
                "timeEpoch": 0,
            },
            "body": body.map(Value::to_string),
            "isBase64Encoded": false,
        });
        match lambda.invoke(function, event.to_string()).await {
            Ok(answer) => Response::read(&answer),
            Err(failure) => Response { status: 502, body: failure.to_string().into() },
        }
    }
}

impl Response {
    fn read(answer: &[u8]) -> Self {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let status = answer["statusCode"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or(502);
        let body = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        Self { status, body }
    }
}
