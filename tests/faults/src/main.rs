//! `faults`: makes everything go wrong that is expected to, under load, again and again, and says what came of it.
//!
//! Ends badly when an order was lost or doubled, or a screen missed something. A time that misses its target is told.
//! `QUICK=1` makes each fault once.

#![expect(clippy::print_stdout, reason = "this is a program for a terminal")]

use std::process::ExitCode;

use faults::plan::Plan;
use faults::report;
use faults::run::run;
use measure::Trouble;
use measure::program::{exit_code, folder, given, notice_signals, until_interrupted};
use measure::report::replace_results;

/// What `make` calls this program.
const TASK: &str = "faults";

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(TASK, faults().await)
}

async fn faults() -> Result<ExitCode, Trouble> {
    notice_signals()?;
    let quick = given("QUICK").is_some();
    let (plan, command) = if quick { (Plan::quick(), "make faults QUICK=1") } else { (Plan::long(), "make faults") };
    let program = std::env::current_exe()?;
    let binaries = program.parent().ok_or("this program is in no folder")?;
    let report = until_interrupted(run(&plan, binaries, &folder(TASK)?)).await?;
    let text = report::text(&report, &plan, command);
    println!("\n{text}");
    if !quick {
        replace_results(TASK, "RELIABILITY.md", &text)?;
    }
    Ok(if report.faults.0.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
