//! `security`: measures what no test can assert, because it is a time, and writes what it found to `docs/SECURITY.md`.
//!
//! Nothing here passes or fails: a missed target is said and the program ends well. `QUICK=1` measures for less than a
//! minute and writes nothing.

#![expect(clippy::print_stdout, reason = "this is a program for a terminal")]

mod data;
mod flood;
mod unknown;

use std::process::ExitCode;

use measure::program::{exit_code, folder, given, notice_signals, say};
use measure::report::{self, Target};
use measure::service::Service;
use measure::{Trouble, machine};
use private_services::postgres::{Durability, Server};
use sqlx::{Connection, PgConnection};

/// What `make` calls this program.
const TASK: &str = "security";
/// What CloudFront would prove itself with: so that every request can come from an address of its own. The limits on logins
/// hold.
const ORIGIN_SECRET: &str = "measured";

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Logins of each kind, for each side.
    logins: usize,
    /// Rounds with the flood, and as many without.
    rounds: usize,
    /// Seconds of each.
    seconds: f64,
}

impl Effort {
    /// What the results in `docs/SECURITY.md` come from: about seven minutes.
    const FULL: Self = Self { logins: 120, rounds: 7, seconds: 10.0 };
    /// Less than a minute.
    const QUICK: Self = Self { logins: 12, rounds: 2, seconds: 4.0 };
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(TASK, security().await)
}

async fn security() -> Result<(), Trouble> {
    notice_signals()?;
    let quick = given("QUICK").is_some();
    let (effort, command) =
        if quick { (Effort::QUICK, "make security QUICK=1") } else { (Effort::FULL, "make security") };
    let mut targets = Vec::new();
    let results = measure(effort, command, &mut targets).await?;
    println!("\n{results}");
    if quick {
        say("A quick run: its figures are rough, and docs/SECURITY.md stays as it is.");
    } else {
        report::replace_results(TASK, "SECURITY.md", &results)?;
    }
    report::say_missed(targets.iter().filter(|target| !target.met).count());
    Ok(())
}

/// Measure everything. Gives the results as Markdown.
async fn measure(effort: Effort, command: &str, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let folder = folder(TASK)?;
    let postgres = folder.join("postgres");
    say("Starting PostgreSQL and the service.");
    Server::reset(&postgres).await?;
    let server = Server::start(&postgres, Durability::Full).await?;
    let (service, config) = Service::start(TASK, &folder, &server.url(), &[("ORIGIN_SECRET", ORIGIN_SECRET)])?;
    let mut db = PgConnection::connect(&server.url()).await?;
    let data = data::add(&mut db, &config, effort.logins).await?;
    let version: String = sqlx::query_scalar("show server_version").fetch_one(&mut db).await?;
    sqlx::query("vacuum analyze").execute(&mut db).await?;

    let unknown = unknown::measure(&service, &data, effort, targets)?;
    let flood = flood::measure(&service, &data, effort, targets)?;

    drop(service);
    db.close().await?;
    server.stop()?;
    Server::reset(&postgres).await?;
    Ok([
        machine::describe(&version, command),
        "### Targets\n".to_owned(),
        report::targets(targets),
        "### A wrong password beside an unknown account\n".to_owned(),
        unknown,
        "### Menu lists under a flood of logins\n".to_owned(),
        flood,
    ]
    .join("\n"))
}
