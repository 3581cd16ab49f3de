//! The short form of `make faults`: one fault of each kind, under a small load, with the binaries that are being tested.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

use std::path::Path;

use faults::plan::Plan;
use faults::run::run;

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

/// Build the functions, which are no part of this package.
async fn build() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // As `make watch` does: another choice of packages would have other features, and be compiled anew.
    let status = tokio::process::Command::new(cargo).arg("build").current_dir(workspace).status().await.unwrap();
    assert!(status.success());
}
