//! The gateway as a program.

use axum::Router;
use axum::extract::Request;
use rustix::process::Signal;
use tokio::net::TcpListener;

use crate::running::{Folder, PATIENCE, Running, ask_to_end, program};

#[tokio::test]
async fn it_passes_on_until_it_is_told_to_end() {
    let api = Router::new().fallback(async |request: Request| {
        let secret = request.headers().get("x-origin-secret").map(|secret| secret.to_str().unwrap().to_owned());
        format!("{} {secret:?}", request.uri())
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, api).await });
    for signal in [Signal::INT, Signal::TERM] {
        let folder = Folder::new();
        let mut command = program(&folder, "gateway");
        command.args(["--api", &url]).env("ORIGIN_SECRET", "s3cret");
        let running = Running::start_until(command, "The gateway is up").await;
        let get = async |path: &str| {
            let answer = running.client.get(format!("{}{path}", running.url)).send().await.unwrap();
            answer.text().await.unwrap()
        };
        assert_eq!(get("/api/customer/menus?q=1").await, "/api/customer/menus?q=1 Some(\"s3cret\")");
        let metrics = get("/metrics").await;
        let counted = r#"http_requests_total{method="GET",endpoint="/api/customer/menus",status="200"} 1"#;
        assert!(metrics.contains(counted) && !metrics.contains("outbox_oldest_seconds"), "{metrics}");
        assert!(get("/demo").await.contains("<html"));
        ask_to_end(&running.process, signal);
        running.ended().await;
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_said() {
    let folder = Folder::new();
    let mut command = program(&folder, "gateway");
    command.args(["--stream", "https://127.0.0.1:8001"]);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it does not end").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("must be an address like http://127.0.0.1:9000"), "{said}");
}
