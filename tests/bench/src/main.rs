//! `bench`: measures the service and its parts beside what each would cost at the least, prints what it found, and writes it to `docs/PERFORMANCE.md`.
//!
//! Nothing here passes or fails: a missed target is said and the program ends well. `QUICK=1` measures for less than
//! three minutes, `ONLY=streams` one part alone; both write nothing.

#![expect(clippy::print_stdout, reason = "this is a program for a terminal")]

mod cpu;
mod data;
mod effort;
mod floors;
mod pgbench;
mod production;
mod recording;
mod requests;
mod run;
mod turns;

use std::process::ExitCode;

use measure::program::{exit_code, given, notice_signals, say};
use measure::{Trouble, report};

use crate::effort::Effort;
use crate::production::Part;

/// What `make` calls this program.
const TASK: &str = "bench";

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(TASK, bench().await)
}

async fn bench() -> Result<(), Trouble> {
    notice_signals()?;
    let quick = given("QUICK").is_some();
    let only = given("ONLY").map(|name| Part::from_name(&name)).transpose()?;
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let command = if quick { "make bench QUICK=1" } else { "make bench" };
    let (results, missed) = run::run(effort, only, command).await?;
    println!("\n{results}");
    if quick || only.is_some() {
        say("Not a whole run: docs/PERFORMANCE.md stays as it is.");
    } else {
        report::replace_results(TASK, "PERFORMANCE.md", &results)?;
    }
    report::say_missed(missed);
    Ok(())
}
