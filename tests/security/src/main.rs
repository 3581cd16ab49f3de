//! `security`: measures what no test can assert, because it is a time, and writes what it found to `docs/SECURITY.md`.
//!
//! Nothing here passes or fails: a missed target is said and the program ends well. `QUICK=1` measures for less than a
//! minute and writes nothing.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "this is a program for a terminal")]

mod data;
mod flood;
mod service;
mod unknown;

// The client, the load, the machine and the tables of `make bench`, which uses more of them.
#[allow(dead_code, reason = "bench's")]
#[path = "../../bench/src/http.rs"]
mod http;
#[allow(dead_code, reason = "bench's")]
#[path = "../../bench/src/load.rs"]
mod load;
#[path = "../../bench/src/machine.rs"]
mod machine;
#[allow(dead_code, reason = "bench's")]
#[path = "../../bench/src/report.rs"]
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use private_services::postgres::{Durability, Server};
use sqlx::{Connection, PgConnection};
use tokio::signal::unix::{SignalKind, signal};

use crate::load::INTERRUPTED;
use crate::report::Target;
use crate::service::Service;

/// What went wrong, as a sentence.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// Where the results begin in `docs/SECURITY.md`.
const BEGIN: &str = "<!-- results, written by `make security` -->\n";
/// Where they end.
const END: &str = "<!-- end of results -->\n";

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
    /// What the results in `docs/SECURITY.md` come from: about six minutes.
    const FULL: Self = Self { logins: 120, rounds: 7, seconds: 10.0 };
    /// Less than a minute.
    const QUICK: Self = Self { logins: 12, rounds: 2, seconds: 4.0 };
}

#[tokio::main]
async fn main() -> ExitCode {
    match security().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if INTERRUPTED.load(Ordering::Relaxed) => {
            eprintln!("security: interrupted");
            ExitCode::FAILURE
        }
        Err(trouble) => {
            eprintln!("security: {trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn security() -> Result<(), Trouble> {
    notice_signals()?;
    let quick = std::env::var("QUICK").is_ok_and(|value| !value.is_empty());
    let (effort, command) =
        if quick { (Effort::QUICK, "make security QUICK=1") } else { (Effort::FULL, "make security") };
    let mut targets = Vec::new();
    let results = measure(effort, command, &mut targets).await?;
    println!("\n{results}");
    if quick {
        eprintln!("A quick run: its figures are rough, and docs/SECURITY.md stays as it is.");
    } else {
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SECURITY.md");
        let text = std::fs::read_to_string(&document)?;
        let parts = text.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
        let (head, tail) = parts.ok_or("docs/SECURITY.md lacks the marks around its results")?;
        std::fs::write(&document, format!("{head}{BEGIN}\n{}\n\n{END}{tail}", results.trim()))?;
        eprintln!("Wrote the results to docs/SECURITY.md.");
    }
    match targets.iter().filter(|target| !target.met).count() {
        0 => eprintln!("Every target was met."),
        missed => eprintln!("{missed} of the targets were MISSED: see the table of targets above."),
    }
    Ok(())
}

/// Measure everything. Gives the results as Markdown.
async fn measure(effort: Effort, command: &str, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let folder = folder()?;
    let postgres = folder.join("postgres");
    say("Starting PostgreSQL and the service.");
    Server::reset(&postgres).await?;
    let server = Server::start(&postgres, Durability::Full).await?;
    let (service, config) = Service::start(&folder, &server.url())?;
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

/// Say what is going on.
fn say(what: &str) {
    eprintln!("{what}");
}

/// An error once the run is to end early.
fn check_interrupted() -> Result<(), Trouble> {
    if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted".into()) } else { Ok(()) }
}

/// The folder of this run's files.
fn folder() -> Result<PathBuf, Trouble> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(target, PathBuf::from);
    let folder = target.join("security");
    std::fs::create_dir_all(&folder)?;
    Ok(folder.canonicalize()?)
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
