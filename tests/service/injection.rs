//! What a client writes stays what it is: one request leaves one line in the log, and nothing of it gets into the answer's
//! headers.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use shared::http::server;
use shared::testing::TestResponse;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::util::SubscriberInitExt;

use crate::logs::Lines;
use crate::service;

/// After which a test that waits for an answer has failed.
const GUARD: Duration = Duration::from_secs(30);

/// In every hostile value, so that it can be found wherever it gets to.
const MARK: &str = "7h3-m4rk";

/// A line as an attacker would like it to stand in the log.
const FORGED: &str =
    r#"{"timestamp":"2026-02-09T03:00:00.000Z","level":"ERROR","message":"answered","http.status":200}"#;

/// Headers that somebody might believe, or write somewhere.
const HEADERS: &[&str] = &[
    "x-request-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "forwarded",
    "x-real-ip",
    "cloudfront-viewer-address",
    "x-origin-secret",
    "host",
    "accept-language",
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "origin",
    "referer",
    "user-agent",
    "cookie",
    "traceparent",
    "if-none-match",
];

/// What may stand in a header as HTTP has it.
fn hostile_values() -> Vec<HeaderValue> {
    let texts = [
        format!(r#"{MARK}","level":"ERROR","message":"answered"#),
        format!(r#"{MARK}\n{FORGED}"#),
        format!("{MARK}%0d%0aset-cookie:%20{MARK}"),
        format!("{MARK}\t\\u000a\\u0000${{jndi:ldap://192.0.2.1/a}}"),
        format!("{MARK}{}", "x".repeat(60_000)),
    ];
    let mut values: Vec<_> = texts.iter().map(|text| HeaderValue::from_str(text).unwrap()).collect();
    // No UTF-8; then UTF-8 of control characters, which a terminal may obey: CSI, NEL, and the line separator.
    for bytes in [&b"\xff\xfe\x80 \xc3\x28"[..], "\u{9b}31m\u{85}\u{2028}\u{202e}".as_bytes()] {
        values.push(HeaderValue::from_bytes(&[MARK.as_bytes(), bytes].concat()).unwrap());
    }
    values
}

/// Paths and queries, after a route's own path or instead of an id.
fn hostile_paths() -> Vec<String> {
    let hostile = [
        format!("{MARK}%0a{FORGED}").replace('"', "%22"),
        format!("{MARK}%0d%0aset-cookie:%20a=b"),
        format!("{MARK}%1b[31m%00%7f%c2%9b%ff"),
        format!("{MARK}\"}}"),
        format!("{MARK}\\n\\u000a"),
        format!("{MARK}{}", "x".repeat(30_000)),
        format!("{MARK}\u{9b}31m\u{85}\u{2028}"),
    ];
    let ways =
        ["/api/admin/tables/", "/api/admin/dashboard?", "/api/admin/orders?status=", "/nowhere/", "/health/live?"];
    ways.iter().flat_map(|way| hostile.iter().map(move |text| format!("{way}{text}"))).collect()
}

fn hostile_bodies() -> Vec<Vec<u8>> {
    let texts = [
        FORGED.to_owned(),
        format!("{{\"username\": \"{MARK}\\n{}\"}}", FORGED.replace('"', "\\\"")),
        format!("{{\"{MARK}\\u001b[2J\\r\\n\": 1}}"),
        format!("\n{FORGED}\n"),
        format!("{MARK}{}", "[".repeat(100_000)),
    ];
    let mut bodies: Vec<_> = texts.map(String::into_bytes).into();
    bodies.push([MARK.as_bytes(), b"\xff\xfe\x00\x1b\r\n"].concat());
    bodies
}

/// Check that the log is this many answers' lines, each whole and valid, and nothing that a terminal or a reader could take
/// for anything else.
#[track_caller]
fn check_log(text: &str, answers: &[TestResponse]) {
    let unseen =
        text.chars().find(|&sign| sign != '\n' && (sign.is_control() || "\u{2028}\u{2029}\u{202e}".contains(sign)));
    assert_eq!(unseen, None, "{text}");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let answered: Vec<_> = lines.iter().filter(|line| line["message"] == "answered").collect();
    let ids: Vec<_> = answered.iter().map(|line| line["request_id"].as_str().unwrap()).collect();
    let expected: Vec<_> = answers.iter().map(|answer| answer.header("x-request-id").unwrap()).collect();
    assert_eq!(ids, expected);
    for (line, answer) in answered.iter().zip(answers) {
        assert_eq!(line["http.status"], answer.status.as_u16(), "{line}");
    }
}

/// Check that an answer has a whole id of ours, and that no header holds what was sent.
#[track_caller]
fn check_head(answer: &TestResponse) {
    let id = answer.header("x-request-id").unwrap();
    assert!(id.len() == 36 && id.chars().all(|sign| sign.is_ascii_hexdigit() || sign == '-'), "{id}");
    for (name, value) in &answer.headers {
        let held = value.as_bytes().windows(MARK.len()).any(|bytes| bytes == MARK.as_bytes());
        assert!(!held && name != "set-cookie", "{name}: {value:?}");
    }
}

#[tokio::test]
async fn hostile_headers_paths_and_bodies_leave_one_line_each() {
    let app = service().await;
    let store = app.store().await;
    let lines = Lines::default();

    let answers = async {
        let mut answers = Vec::new();
        for &name in HEADERS {
            let header: HeaderName = name.parse().unwrap();
            for value in hostile_values() {
                let ask = app.get("/api/admin/dashboard").token(&store.admin.token).raw_header(&header, value);
                answers.push(ask.send().await);
            }
        }
        for path in hostile_paths() {
            if let Ok(path) = path.parse::<axum::http::Uri>() {
                answers.push(app.get(path.to_string()).token(&store.admin.token).send().await);
            }
        }
        for body in hostile_bodies() {
            for path in ["/api/admin/auth/login", "/api/admin/tables", "/api/customer/orders"] {
                let ask = app.post(path).token(&store.admin.token).body("application/json", body.clone());
                answers.push(ask.send().await);
            }
        }
        let method = Method::from_bytes(MARK.as_bytes()).unwrap();
        answers.push(app.request(method, "/api/admin/dashboard").send().await);
        answers
    }
    .with_subscriber(lines.subscriber(tracing::Level::TRACE))
    .await;

    assert!(answers.len() > 150, "{}", answers.len());
    answers.iter().for_each(check_head);
    check_log(&lines.text(), &answers);
}

/// Names and notes are the guests' own, and go nowhere but into the answer's JSON.
#[tokio::test]
async fn what_is_stored_is_answered_as_it_was_sent_and_not_logged() {
    let app = service().await;
    let store = app.store().await;
    let lines = Lines::default();
    let name = format!("{MARK}\"}}");

    let answer = async {
        let body = json!({"table_number": name, "password": "1234"});
        app.post("/api/admin/tables").token(&store.admin.token).json(body).send().await
    }
    .with_subscriber(lines.subscriber(tracing::Level::TRACE))
    .await;

    check_head(&answer);
    assert!(!lines.text().contains(MARK), "{}", lines.text());
    assert_eq!(answer.expect(201)["table_number"], name);
}

/// A request as bytes on a connection of its own. Gives what came back.
async fn send_raw(address: std::net::SocketAddr, request: &[u8]) -> String {
    let exchange = async {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses the rest of what is sent resets the connection.
        let _ = connection.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(GUARD, exchange).await.expect("an answer that ends")
}

/// What no client library would send: line breaks and control characters within headers and the request line. Whatever the
/// server makes of it, an answer has its line and no line has come from elsewhere.
#[tokio::test]
async fn what_is_no_http_forges_no_line_over_a_real_connection() {
    let app = service().await;
    let lines = Lines::default();
    let (listener, stopped) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), CancellationToken::new());
    let address = listener.local_addr().unwrap();
    let _logged = lines.subscriber(tracing::Level::TRACE).set_default();
    let serving = tokio::spawn(server::serve(listener, app.router(), stopped.clone(), Duration::ZERO));

    let mut answers = Vec::new();
    for hostile in [
        "a\r\nset-cookie: 7h3-m4rk",
        "a\nx-request-id: 7h3-m4rk",
        "a\rb",
        "\u{1b}[31m7h3-m4rk",
        "7h3-m4rk\0",
        "7h3-m4rk\u{7f}",
        "\u{9b}31m7h3-m4rk",
        "7h3-m4rk\r\n\r\nGET /health/live HTTP/1.1\r\nhost: a",
    ] {
        for request in [
            format!("GET /health/live HTTP/1.1\r\nhost: a\r\nx-request-id: {hostile}\r\nconnection: close\r\n\r\n"),
            format!("GET /health/live?{hostile} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
            format!("GET /api/admin/tables/{hostile} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
        ] {
            answers.push(send_raw(address, request.as_bytes()).await);
        }
    }
    stopped.cancel();
    serving.await.unwrap().unwrap();

    let heads = answers.concat();
    assert!(!heads.contains("7h3-m4rk") && !heads.contains("set-cookie"), "{heads}");
    let mut ids: Vec<_> = heads.lines().filter_map(|line| line.strip_prefix("x-request-id: ")).collect();
    let text = lines.text();
    let unseen = text.chars().find(|&sign| sign != '\n' && sign.is_control());
    assert_eq!(unseen, None, "{text}");
    let logged: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut answered: Vec<_> = logged
        .iter()
        .filter(|line| line["message"] == "answered")
        .map(|line| line["request_id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    answered.sort_unstable();
    assert!(ids.len() >= 5, "{heads}");
    assert_eq!(answered, ids);
}
