//! The servers as their users meet them: started, asked, killed, and gone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod aws;
mod command;
mod postgres;
mod rabbitmq;
mod redis;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("private-services-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Ask until it is so.
async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

/// The command lines of the processes that were started for something in a folder; none where there is no `/proc`.
fn processes(folder: &Path) -> Vec<String> {
    let folder = format!("{}/", folder.display());
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let processes = entries.flatten().map(|entry| entry.path()).filter_map(|process| {
        let read = |file| fs::read(process.join(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let (command, environment) = (read("cmdline").ok()?, read("environ").ok()?);
        // Erlang's helpers have their node's environment, and nothing else to know them by.
        (command.contains(&folder) || environment.contains(&format!("HOME={folder}"))).then_some(command)
    });
    processes.collect()
}

/// Check that no process and nothing in the folder is left.
async fn assert_gone(folder: &Path) {
    // Erlang's helpers end when they see that their node has.
    wait_until("a process was left running", || processes(folder).is_empty()).await;
    assert!(!folder.exists(), "{} is still there", folder.display());
}
