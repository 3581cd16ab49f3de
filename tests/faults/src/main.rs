//! `faults`: makes everything go wrong that is expected to, under load, again and again, and says what came of it.
//!
//! Ends badly when an order was lost or doubled, or a screen missed something. A time that misses its target is told.
//! `QUICK=1` makes each fault once.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "this is a program for a terminal")]

use std::path::Path;
use std::process::ExitCode;

use faults::plan::Plan;
use faults::report;
use faults::run::run;

#[tokio::main]
async fn main() -> ExitCode {
    match faults().await {
        Ok(code) => code,
        Err(trouble) => {
            eprintln!("faults: {trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn faults() -> Result<ExitCode, faults::Trouble> {
    let quick = std::env::var("QUICK").is_ok_and(|value| !value.is_empty());
    let (plan, command) = if quick { (Plan::quick(), "make faults QUICK=1") } else { (Plan::long(), "make faults") };
    let program = std::env::current_exe()?;
    let binaries = program.parent().ok_or("this program is in no folder")?;
    let logs = binaries.join("../faults");
    let report = run(&plan, binaries, &logs, |what| eprintln!("{what}")).await?;
    let text = report::text(&report, &plan, command);
    println!("\n{text}");
    if !quick {
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/RELIABILITY.md");
        std::fs::write(&document, report::put_into(&std::fs::read_to_string(&document)?, &text)?)?;
        eprintln!("Wrote the results to docs/RELIABILITY.md.");
    }
    Ok(if report.faults.0.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
