//! A program that measures, from its start to its end: what it was told, its folder, what it says, and when it is to end
//! early.

use std::path::PathBuf;
use std::process::{ExitCode, Termination};
use std::sync::LazyLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Trouble;

/// Cancelled when the run is to end early.
static INTERRUPTED: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

/// A variable of the environment, if it says anything.
pub fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A folder for what a run of this task leaves: logs and scripts.
///
/// # Errors
/// When the program is not where Cargo puts it, or the folder cannot be made.
pub fn folder(task: &str) -> Result<PathBuf, Trouble> {
    let program = std::env::current_exe()?;
    let folder = program.ancestors().nth(2).ok_or("this program is not in target/release")?.join(task);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Say what is going on.
#[expect(clippy::print_stderr, reason = "this is for programs for a terminal")]
pub fn say(what: &str) {
    eprintln!("{what}");
}

/// From now on a signal does not end the program at once: what it has started is stopped first.
///
/// # Errors
/// When signals cannot be noticed.
pub fn notice_signals() -> Result<(), Trouble> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut received = signal(kind)?;
        tokio::spawn(async move {
            received.recv().await;
            INTERRUPTED.cancel();
        });
    }
    Ok(())
}

/// Go on, unless a signal has come. For what a thread does.
///
/// # Errors
/// Once the run is to end early.
pub fn unless_interrupted() -> Result<(), Trouble> {
    if INTERRUPTED.is_cancelled() { Err("interrupted".into()) } else { Ok(()) }
}

/// Do this, and drop it when a signal comes.
///
/// # Errors
/// When it fails, or the run is to end early.
pub async fn until_interrupted<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    INTERRUPTED.run_until_cancelled(work).await.unwrap_or_else(|| Err("interrupted".into()))
}

/// How the program of this task ends. Says why, if it ends badly.
pub fn exit_code(task: &str, done: Result<impl Termination, Trouble>) -> ExitCode {
    match done {
        Ok(done) => done.report(),
        Err(_) if INTERRUPTED.is_cancelled() => {
            say(&format!("{task}: interrupted"));
            ExitCode::FAILURE
        }
        Err(trouble) => {
            say(&format!("{task}: {trouble}"));
            ExitCode::FAILURE
        }
    }
}
