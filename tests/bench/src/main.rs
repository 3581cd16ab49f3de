//! `bench`: measures the service and its parts beside what each would cost at the least, prints what it found, and writes it to `docs/PERFORMANCE.md`.
//!
//! Nothing here passes or fails: a missed target is said and the program ends well. `QUICK=1` measures for less than
//! three minutes, `ONLY=streams` one part alone; both write nothing.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "this is a program for a terminal")]

mod cpu;
mod data;
mod effort;
mod floors;
mod http;
mod load;
mod machine;
mod pgbench;
mod production;
mod recording;
mod report;
mod requests;
mod run;
mod service;
mod turns;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use tokio::signal::unix::{SignalKind, signal};

use crate::effort::Effort;
use crate::load::INTERRUPTED;
use crate::production::Part;

/// What went wrong, as a sentence.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let done = bench().await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if INTERRUPTED.load(Ordering::Relaxed) => {
            eprintln!("bench: interrupted");
            ExitCode::FAILURE
        }
        Err(trouble) => {
            eprintln!("bench: {trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<(), Trouble> {
    notice_signals()?;
    let given = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let quick = given("QUICK").is_some();
    let only = given("ONLY").map(|name| Part::from_name(&name)).transpose()?;
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let command = if quick { "make bench QUICK=1" } else { "make bench" };
    let (results, missed) = run::run(effort, only, command).await?;
    println!("\n{results}");
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PERFORMANCE.md");
    if quick || only.is_some() {
        eprintln!("Not a whole run: docs/PERFORMANCE.md stays as it is.");
    } else {
        std::fs::write(&document, report::put_into(&std::fs::read_to_string(&document)?, &results)?)?;
        eprintln!("Wrote the results to docs/PERFORMANCE.md.");
    }
    match missed {
        0 => eprintln!("Every target was met."),
        _ => eprintln!("{missed} of the targets were MISSED: see the table of targets above."),
    }
    Ok(())
}

/// From now on a signal does not end the program at once: what it has started is stopped first.
fn notice_signals() -> Result<(), Trouble> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut received = signal(kind)?;
        tokio::spawn(async move {
            received.recv().await;
            INTERRUPTED.store(true, Ordering::Relaxed);
        });
    }
    Ok(())
}
