//! The emulator, with a function written for the shell.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lambda_emulator::{Failure, Function, Lambda};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Answers with its process and the event; some events have it do something else.
const FUNCTION: &str = r#"#!/bin/sh
trap 'echo told >>"$TOLD"; exit' TERM
api=$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
# The shell hears a signal while it waits, but not while a program runs in its foreground.
while curl --fail --silent --output "$0.$$" "$api/next" & wait $!; do
    event=$(cat "$0.$$")
    case $event in
        *fail*) curl --silent --data '{"errorType":"Error"}' "$api/1/error" ;;
        *die*) kill -9 $$ ;;
        *hang*) sleep 60 ;;
        *) curl --silent --data "{\"pid\":$$,\"event\":$event}" "$api/1/response" ;;
    esac
done
"#;

/// Answers at once; its extension is done with an event when the file `done` is there, and takes that away.
const WITH_EXTENSION: &str = r#"#!/bin/sh
api=$AWS_LAMBDA_RUNTIME_API
extension="Lambda-Extension-Identifier: $(curl --silent --include --json '{"events":["INVOKE"]}' \
    "$api/2020-01-01/extension/register" | tr -d '\r' | sed -n 's/^lambda-extension-identifier: //p')"
while curl --fail --silent --output /dev/null --header "$extension" "$api/2020-01-01/extension/event/next"; do
    while ! rm "$FOLDER/done" 2>/dev/null; do sleep 0.01; done
    echo done >>"$FOLDER/told"
done &
while event=$(curl --fail --silent "$api/2018-06-01/runtime/invocation/next"); do
    curl --silent --data "{\"pid\":$$,\"event\":$event}" "$api/2018-06-01/runtime/invocation/1/response"
done
"#;

struct Given {
    lambda: Lambda,
    folder: PathBuf,
}

impl Given {
    async fn function(concurrency: usize, patience: Duration) -> Self {
        Self::program(FUNCTION, concurrency, patience).await
    }

    async fn program(program: &str, concurrency: usize, patience: Duration) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("lambda-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let binary = folder.join("function");
        std::fs::write(&binary, program).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o700)).unwrap();
        let variables = vec![
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
            ("FOLDER".to_owned(), folder.display().to_string()),
            ("TOLD".to_owned(), folder.join("told").display().to_string()),
        ];
        let function = Function { name: "function", binary, variables, concurrency, timeout: patience, log: None };
        Self { lambda: Lambda::start([function]).await.unwrap(), folder }
    }

    async fn one() -> Self {
        Self::function(1, Duration::from_secs(30)).await
    }

    /// What it answers to an event: its process, and the event.
    async fn ask(&self, event: &str) -> Value {
        let answer = timeout(Duration::from_secs(30), self.lambda.invoke("function", json!(event).to_string()));
        serde_json::from_slice(&answer.await.expect("it does not answer").unwrap()).unwrap()
    }

    /// What `/proc` says of the state of its only process.
    fn state(&self) -> String {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.lambda.pids("function")[0])).unwrap();
        stat.rsplit(") ").next().unwrap()[..1].to_owned()
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn one_process_answers_one_event_after_the_other() {
    let given = Given::one().await;

    let (first, second) = (given.ask("first").await, given.ask("second").await);

    assert_eq!((&first["event"], &second["event"]), (&json!("first"), &json!("second")));
    assert_eq!(first["pid"], second["pid"]);
    assert_eq!(given.lambda.cold_starts("function").len(), 1);
}

#[tokio::test]
async fn it_stands_still_between_two_events() {
    let given = Given::one().await;

    for event in ["first", "second"] {
        given.ask(event).await;
        while given.state() != "T" {
            tokio::task::yield_now().await;
        }
    }
}

/// The answer does not wait for an extension; the process goes on until the extension is done, and has no other event before.
#[tokio::test]
async fn it_stands_still_when_its_extension_is_done_too() {
    let given = Given::program(WITH_EXTENSION, 1, Duration::from_secs(30)).await;
    let first = given.ask("first").await;

    let mut second = std::pin::pin!(given.ask("second"));
    assert!(timeout(Duration::from_millis(300), &mut second).await.is_err(), "it has two events at once");
    assert_ne!(given.state(), "T");
    std::fs::write(given.folder.join("done"), "").unwrap();
    assert_eq!(second.await["pid"], first["pid"]);
    std::fs::write(given.folder.join("done"), "").unwrap();
    while given.state() != "T" {
        tokio::task::yield_now().await;
    }
    assert_eq!(std::fs::read_to_string(given.folder.join("told")).unwrap(), "done\ndone\n");
}

#[tokio::test]
async fn events_at_once_have_a_process_each_up_to_the_limit() {
    let given = Given::function(2, Duration::from_secs(30)).await;

    let answers = tokio::join!(given.ask("a"), given.ask("b"), given.ask("c"), given.ask("d"));

    assert_eq!([&answers.0, &answers.3].map(|answer| answer["event"].clone()), [json!("a"), json!("d")]);
    assert_eq!(given.lambda.pids("function").len(), 2);
}

#[tokio::test]
async fn an_error_is_the_functions_own_and_its_process_goes_on() {
    let given = Given::one().await;
    let before = given.ask("before").await;

    let failed = given.lambda.invoke("function", "\"fail\"").await;

    assert_eq!(failed, Err(Failure::Error("{\"errorType\":\"Error\"}".into())));
    assert_eq!(given.ask("after").await["pid"], before["pid"]);
}

#[tokio::test]
async fn one_that_dies_is_replaced() {
    let given = Given::one().await;
    let before = given.ask("before").await;

    assert_eq!(given.lambda.invoke("function", "\"die\"").await, Err(Failure::Ended));
    let after = given.ask("after").await;
    assert_eq!(given.lambda.kill("function"), 1);
    let last = given.ask("last").await;

    assert_ne!(before["pid"], after["pid"]);
    assert_ne!(after["pid"], last["pid"]);
}

#[tokio::test]
async fn one_that_is_killed_while_it_works_fails_what_it_works_on() {
    let given = Given::one().await;
    let hanging = tokio::spawn({
        let lambda = given.lambda.clone();
        async move { lambda.invoke("function", "\"hang\"").await }
    });
    while given.lambda.kill("function") == 0 {
        tokio::task::yield_now().await;
    }

    assert_eq!(hanging.await.unwrap(), Err(Failure::Ended));
    given.ask("after").await;
}

#[tokio::test]
async fn one_that_takes_too_long_is_killed() {
    let given = Given::function(1, Duration::from_millis(200)).await;

    assert_eq!(given.lambda.invoke("function", "\"hang\"").await, Err(Failure::TimedOut));

    while !given.lambda.pids("function").is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_that_is_no_longer_needed_is_told_to_end() {
    let given = Given::one().await;
    given.ask("before").await;

    given.lambda.retire("function").await;

    assert_eq!(std::fs::read_to_string(given.folder.join("told")).unwrap(), "told\n");
    given.ask("after").await;
}

#[tokio::test]
async fn what_cannot_be_started_or_is_not_there_says_so() {
    let nowhere = Function {
        name: "nowhere",
        binary: "/nowhere".into(),
        variables: Vec::new(),
        concurrency: 1,
        timeout: Duration::from_secs(1),
        log: None,
    };
    let lambda = Lambda::start([nowhere]).await.unwrap();

    assert!(matches!(lambda.invoke("nowhere", "{}").await, Err(Failure::CannotStart(_))));
    assert_eq!(lambda.invoke("other", "{}").await, Err(Failure::NoSuchFunction));
}

#[tokio::test]
async fn over_http_an_error_is_told_by_a_header() {
    let given = Given::one().await;
    let post = async |event: &str| {
        let url = format!("{}/2015-03-31/functions/function/invocations", given.lambda.url());
        let client = reqwest::Client::new();
        let answer = client.post(url).body(event.to_owned()).send().await.unwrap();
        let error = answer.headers().get("x-amz-function-error").map(|error| error.to_str().unwrap().to_owned());
        (answer.status().as_u16(), error, answer.json::<Value>().await.unwrap())
    };

    let (status, error, answer) = post("{}").await;
    assert_eq!((status, error, &answer["event"]), (200, None, &json!({})));
    let failed = post("\"fail\"").await;
    assert_eq!(failed, (200, Some("Unhandled".to_owned()), json!({"errorType": "Error"})));
}
