//! `with-services`, and what a killed one leaves.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{Folder, PATIENCE, processes, wait_until};

/// What the AWS SDK is told.
const AWS: [&str; 4] = ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

fn with_services(target: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_with-services"));
    command.args(arguments).env("CARGO_TARGET_DIR", &target.0);
    for name in ["DATABASE_URL", "REDIS_URL", "RABBITMQ_URL"].into_iter().chain(AWS) {
        command.env_remove(name);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn outcome(mut command: Command) -> Output {
    tokio::time::timeout(PATIENCE, command.output()).await.expect("the program does not end").unwrap()
}

fn signal(process: &Child, signal: Signal) {
    let id = i32::try_from(process.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}

/// The folders of runs.
fn runs(target: &Folder) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(target.0.join("with-services"));
    entries.map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Check that no server runs below a folder.
async fn assert_none_runs(folder: &Path) {
    wait_until("a server was left running", || processes(folder).is_empty()).await;
}

#[tokio::test]
async fn the_command_is_told_of_the_servers_that_it_needs_and_its_code_is_handed_on() {
    let target = Folder::new();
    let answer = outcome(with_services(&target, &["--only", "postgres,redis", "sh", "-c", "env; exit 7"])).await;
    let printed = text(&answer.stdout);
    assert_eq!(answer.status.code(), Some(7), "{}", text(&answer.stderr));
    assert!(printed.contains("DATABASE_URL=postgres://") && printed.contains("REDIS_URL=redis://"), "{printed}");
    assert!(!printed.contains("RABBITMQ_URL") && !AWS.iter().any(|name| printed.contains(name)), "{printed}");
    assert_none_runs(&target.0).await;
    assert!(runs(&target).is_empty());
}

#[tokio::test]
async fn the_aws_sdk_is_told_all_that_it_asks_for() {
    let target = Folder::new();
    let answer = outcome(with_services(&target, &["--only", "aws", "env"])).await;
    let printed = text(&answer.stdout);
    for name in AWS {
        let set = printed.lines().filter_map(|line| line.split_once('=')).find(|(set, _)| *set == name);
        assert!(set.is_some_and(|(_, value)| !value.is_empty()), "no {name} in {printed}");
    }
    assert!(printed.contains("AWS_ENDPOINT_URL=http://127.0.0.1:"), "{printed}");
    assert!(printed.contains("AWS_REGION=ap-northeast-2\n"), "{printed}");
    assert_none_runs(&target.0).await;
    assert!(runs(&target).is_empty());
}

#[tokio::test]
async fn a_server_that_it_does_not_know_is_said_in_one_sentence() {
    let target = Folder::new();
    let answer = outcome(with_services(&target, &["--only", "redis,mongodb", "true"])).await;
    assert!(!answer.status.success());
    let said = "with-services: name postgres, redis, rabbitmq or aws after --only, not \"mongodb\"\n";
    assert_eq!(text(&answer.stderr), said);
}

#[tokio::test]
async fn what_a_killed_one_left_is_cleared_by_the_next() {
    let target = Folder::new();
    let told = "echo $DATABASE_URL $REDIS_URL $RABBITMQ_URL $AWS_ENDPOINT_URL; read line";
    let mut first = with_services(&target, &["sh", "-c", told]);
    let mut first = first.spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("nothing starts").unwrap().unwrap();
    assert!(["postgres://", "redis://", "amqp://", "http://"].iter().all(|scheme| line.contains(scheme)), "{line}");
    first.kill().await.unwrap();
    assert!(!processes(&target.0).is_empty());

    let second = outcome(with_services(&target, &["--only", "redis", "true"])).await;
    assert!(second.status.success(), "{}", text(&second.stderr));
    assert_none_runs(&target.0).await;
    assert!(runs(&target).is_empty());
}

#[tokio::test]
async fn ended_while_the_servers_start_it_leaves_nothing() {
    for by in [Signal::INT, Signal::TERM, Signal::HUP] {
        let target = Folder::new();
        let mut process = with_services(&target, &["true"]).spawn().unwrap();
        wait_until("RabbitMQ does not start", || {
            runs(&target).iter().any(|run| run.join("rabbitmq/rabbitmq.pid").exists())
        })
        .await;
        signal(&process, by);
        let status = tokio::time::timeout(PATIENCE, process.wait()).await.expect("the program does not end");
        assert!(!status.unwrap().success());
        assert_none_runs(&target.0).await;
        assert!(runs(&target).is_empty(), "{by:?}");
    }
}
