//! What came of a run, as Markdown that reads well on a terminal, too.

use std::fmt::Write;

use crate::Trouble;
use crate::faults::Fault;
use crate::guests::{Outcome, percentile_ms};
use crate::plan::Plan;
use crate::run::{Report, Withstood};

/// Where the results begin in `docs/RELIABILITY.md`.
const BEGIN: &str = "<!-- results, written by `make faults` -->\n";
/// Where they end.
const END: &str = "<!-- end of results -->\n";
/// How much slower than in the calm before requests may be while something is away: the ratio of 99th percentiles.
const SLOWER: f64 = 1.2;
/// How long the service may take to be back to normal, as a multiple of the outage.
const BACK: f64 = 2.0;
/// Outages shorter than this are nothing to measure the way back by, in seconds.
const SHORT: f64 = 1.0;

/// All of it.
pub fn text(report: &Report, plan: &Plan, command: &str) -> String {
    let mut text = format!("{}\n\n", machine(command));
    let Report { kills, orders, events, shown, streams, resyncs, screens, took, .. } = report;
    let took = took.as_secs_f64() / 60.0;
    let _ = writeln!(
        text,
        "{kills} kills and {orders} orders in {took:.1} minutes, at {} orders a second. {events} events were shown {shown} \
         times, on {screens} screens that opened {streams} streams and were told {resyncs} times to load again.\n",
        plan.orders_a_second,
    );
    match report.faults.0.as_slice() {
        [] => text.push_str("Nothing was lost, doubled, shown twice or missed.\n\n"),
        faults => faults.iter().for_each(|fault| {
            let _ = writeln!(text, "- **{fault}**");
        }),
    }
    text.push_str(
        "| fault | times | it took, s | back to normal after, s | wanted, s | | p99 before, ms | p99 meanwhile, ms | ratio | |\n\
         | --- | --: | --: | --: | --: | --- | --: | --: | --: | --- |\n",
    );
    for of_one_kind in kinds(&report.withstood) {
        text.push_str(&row(&of_one_kind));
    }
    text
}

/// What is told apart in the table, in the order it first happened.
fn kinds(withstood: &[Withstood]) -> Vec<Vec<&Withstood>> {
    let mut kinds: Vec<Vec<&Withstood>> = Vec::new();
    for one in withstood {
        match kinds.iter_mut().find(|kind| kind[0].fault == one.fault) {
            Some(kind) => kind.push(one),
            None => kinds.push(vec![one]),
        }
    }
    kinds
}

fn row(times: &[&Withstood]) -> String {
    let outage = |one: &&Withstood| (one.outage.mended - one.outage.began).as_secs_f64();
    let longest = |values: Vec<f64>| values.into_iter().fold(0.0, f64::max);
    let out = longest(times.iter().map(outage).collect());
    let back = longest(times.iter().map(|one| one.back.as_secs_f64()).collect());
    let allowed = |one: &&Withstood| BACK * outage(one).max(SHORT);
    let in_time = times.iter().all(|one| one.back.as_secs_f64() <= allowed(one));
    let allowed = longest(times.iter().map(allowed).collect());
    let met = |so: bool| if so { "✓" } else { "✗" };
    let fault = times[0].fault;
    let mut row = format!("| {fault} | {} | {out:.1} | {back:.1} | {allowed:.1} | {} |", times.len(), met(in_time));
    let all = |outcomes: fn(&Withstood) -> &Vec<Outcome>| -> Vec<Outcome> {
        times.iter().flat_map(|one| outcomes(one)).cloned().collect()
    };
    if fault.lasts() {
        let calm = percentile_ms(&all(|one| &one.calm), 99.0);
        let meanwhile = percentile_ms(&all(|one| &one.meanwhile), 99.0);
        let ratio = meanwhile / calm;
        let mark = if fault == Fault::Nothing { "" } else { met(ratio <= SLOWER) };
        let _ = writeln!(row, " {calm:.1} | {meanwhile:.1} | {ratio:.2} | {mark} |");
    } else {
        row.push_str(" | | | |\n");
    }
    row
}

/// The machine, the day, and what was run.
fn machine(command: &str) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit(':').next().unwrap_or_default().trim().to_owned()
    };
    let (cpu, memory) = (field(&read("/proc/cpuinfo"), "model name"), field(&read("/proc/meminfo"), "MemTotal"));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let today = shared::clock::Clock::system().now().utc().date_naive();
    format!("{cpu}, {cores} cores, {memory}; {today}: `{command}`")
}

/// A document with its results replaced.
///
/// # Errors
/// When it lacks the marks around them.
pub fn put_into(document: &str, results: &str) -> Result<String, Trouble> {
    let parts = document.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let (head, tail) = parts.ok_or("docs/RELIABILITY.md lacks the marks around its results")?;
    Ok(format!("{head}{BEGIN}\n{}\n\n{END}{tail}", results.trim()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::faults::Outage;

    fn withstood(fault: Fault, back: u64, calm: u64, meanwhile: u64) -> Withstood {
        let began = Instant::now();
        let mended = began + Duration::from_secs(5);
        let outcomes = |took| vec![Outcome { at: began, took: Duration::from_millis(took), failure: None }];
        Withstood {
            fault,
            outage: Outage { began, mending: mended, mended, unreadable: 0 },
            back: Duration::from_secs(back),
            calm: outcomes(calm),
            meanwhile: outcomes(meanwhile),
        }
    }

    #[test]
    fn the_same_fault_again_is_one_row_that_tells_the_worst() {
        let times = [withstood(Fault::RedisKilled, 1, 10, 11), withstood(Fault::RedisKilled, 11, 10, 12)];
        let [kind] = kinds(&times).try_into().unwrap();
        assert_eq!(row(&kind), "| Redis killed | 2 | 5.0 | 11.0 | 10.0 | ✗ | 10.0 | 12.0 | 1.20 | ✓ |\n");
    }

    #[test]
    fn a_fault_that_does_not_last_has_no_ratio() {
        let times = [withstood(Fault::RedisFlushed, 10, 10, 100)];
        assert_eq!(row(&[&times[0]]), "| Redis flushed | 1 | 5.0 | 10.0 | 10.0 | ✓ | | | | |\n");
    }

    #[test]
    fn only_the_results_of_a_document_are_replaced() {
        let document = format!("how\n\n{BEGIN}old\n{END}limits\n");
        assert_eq!(put_into(&document, "new\n").unwrap(), format!("how\n\n{BEGIN}\nnew\n\n{END}limits\n"));
        assert!(put_into("nothing", "new").is_err());
    }
}
