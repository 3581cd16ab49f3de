//! The short form of `make faults`: one fault of each kind, under a small load, with the binaries that are being tested. And
//! how a run ends that is interrupted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

use std::fs::read_to_string;
use std::path::Path;
use std::time::Duration;

use faults::plan::Plan;
use faults::run::run;
use faults::service::eventually;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_parts_are_killed() {
    // `target/debug`, above this test's own folder.
    let program = std::env::current_exe().unwrap();
    let binaries = program.ancestors().nth(2).unwrap();
    build().await;

    let report = run(&Plan::short(), binaries, &binaries.join("../faults-short")).await;

    let report = report.unwrap();
    assert!(report.faults.0.is_empty(), "{:#?}", report.faults.0);
    assert!(report.kills >= 10 && report.orders > 0 && report.shown > 0, "{report:?}");
}

#[tokio::test]
async fn a_run_that_is_interrupted_leaves_no_server_behind() {
    let program = Path::new(env!("CARGO_BIN_EXE_faults"));
    let mut faults = Command::new(program).env("QUICK", "1").kill_on_drop(true).spawn().unwrap();
    let id = faults.id().unwrap();
    let note = program.ancestors().nth(2).unwrap().join(format!("faults/servers/{id}/redis/redis.pid"));
    eventually("Redis runs", async || process(&read_to_string(&note).unwrap_or_default()).is_some()).await.unwrap();
    let redis = process(&read_to_string(&note).unwrap()).unwrap();

    kill_process(process(&id.to_string()).unwrap(), Signal::INT).unwrap();

    let ended = timeout(Duration::from_secs(60), faults.wait()).await.expect("it goes on");
    assert_eq!(ended.unwrap().code(), Some(1));
    assert!(test_kill_process(redis).is_err(), "Redis ({redis:?}) still runs");
}

/// The process of this id.
fn process(id: &str) -> Option<Pid> {
    id.parse().ok().and_then(Pid::from_raw)
}

/// Build the functions, which are no part of this package.
async fn build() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // As `make watch` does: another choice of packages would have other features, and be compiled anew.
    let status = Command::new(cargo).arg("build").current_dir(workspace).status().await.unwrap();
    assert!(status.success());
}
