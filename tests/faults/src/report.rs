//! What came of a run, as Markdown that reads well on a terminal, too.

use std::fmt::Write;

use measure::machine;
use measure::report::table;

use crate::faults::Fault;
use crate::guests::Percentile;
use crate::plan::Plan;
use crate::run::{Report, Withstood};

/// How much slower than without a fault requests may be while something is away: the ratio of 99th percentiles.
const SLOWER: f64 = 1.2;
/// How long the service may take to be back to normal, as a multiple of the outage.
const BACK: f64 = 2.0;
/// Outages shorter than this are nothing to measure the way back by, in seconds.
const SHORT: f64 = 1.0;
/// What the table tells of each fault.
const HEADER: [&str; 10] = [
    "fault",
    "times",
    "it took, s",
    "back to normal after, s",
    "wanted, s",
    "",
    "p99 meanwhile, ms",
    "ratio",
    "between",
    "",
];

/// All of it.
pub fn text(report: &Report, plan: &Plan, command: &str) -> String {
    let Report { kills, orders, events, shown, streams, resyncs, screens, took, postgres, .. } = report;
    let mut text = machine::describe(postgres, command);
    let took = took.as_secs_f64() / 60.0;
    let _ = writeln!(
        text,
        "\n{kills} kills and {orders} orders in {took:.1} minutes, at {} orders a second. {events} events were shown \
         {shown} times, on {screens} screens that opened {streams} streams and were told {resyncs} times to load again.\n",
        plan.orders_a_second,
    );
    match report.faults.0.as_slice() {
        [] => text.push_str("Nothing was lost, doubled, shown twice or missed.\n\n"),
        faults => faults.iter().for_each(|fault| {
            let _ = writeln!(text, "- **{fault}**");
        }),
    }
    let calm: Vec<_> = report.withstood.iter().flat_map(Withstood::without_a_fault).collect();
    let without = Percentile::of(calm.iter().copied(), 99.0);
    let [low, high] = without.between;
    let _ = writeln!(
        text,
        "Without a fault the 99th percentile of what guests waited was {:.1} ms, between {low:.1} and {high:.1}, of {} \
         orders.\n",
        without.value,
        calm.len(),
    );
    let rows: Vec<_> = kinds(&report.withstood).iter().map(|of_one_kind| row(of_one_kind, without)).collect();
    text.push_str(&table(&HEADER, &rows));
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

/// What is told of one fault, beside what guests wait without one.
fn row(times: &[&Withstood], without: Percentile) -> Vec<String> {
    let outage = |one: &&Withstood| (one.outage.mended - one.outage.began).as_secs_f64();
    let longest = |values: Vec<f64>| values.into_iter().fold(0.0, f64::max);
    let out = longest(times.iter().map(outage).collect());
    let back = longest(times.iter().map(|one| one.back.as_secs_f64()).collect());
    let allowed = |one: &&Withstood| BACK * outage(one).max(SHORT);
    let in_time = times.iter().all(|one| one.back.as_secs_f64() <= allowed(one));
    let allowed = longest(times.iter().map(allowed).collect());
    let fault = times[0].fault;
    let mut row = vec![fault.to_string(), times.len().to_string()];
    row.extend([out, back, allowed].map(|seconds| format!("{seconds:.1}")));
    row.push(if in_time { "✓" } else { "✗" }.to_owned());
    if fault.lasts() {
        let Percentile { value, between } = Percentile::of(times.iter().flat_map(|one| &one.meanwhile), 99.0);
        let ratio = value / without.value;
        let (low, high) = (between[0] / without.between[1], between[1] / without.between[0]);
        let mark = match fault {
            Fault::Nothing => "",
            _ if ratio <= SLOWER => "✓",
            // It may be chance.
            _ if low <= SLOWER => "?",
            _ => "✗",
        };
        let (ratio, between) = (format!("{ratio:.2}"), format!("{low:.2}–{high:.2}"));
        row.extend([format!("{value:.1}"), ratio, between, mark.to_owned()]);
    }
    row.resize(HEADER.len(), String::new());
    row
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::guests::Outcome;
    use crate::making::Outage;

    const TEN: Percentile = Percentile { value: 10.0, between: [10.0, 10.0] };

    fn withstood(fault: Fault, back: u64, meanwhile: &[u64]) -> Withstood {
        let began = Instant::now();
        let mended = began + Duration::from_secs(5);
        let outcome = |&took: &u64| Outcome { at: began, took: Duration::from_millis(took), failure: None };
        Withstood {
            fault,
            outage: Outage { began, mending: mended, mended, unreadable: Vec::new() },
            back: Duration::from_secs(back),
            calm: Vec::new(),
            meanwhile: meanwhile.iter().map(outcome).collect(),
        }
    }

    #[test]
    fn the_same_fault_again_is_one_row_that_tells_the_worst() {
        let times = [withstood(Fault::RedisKilled, 1, &[11]), withstood(Fault::RedisKilled, 11, &[12])];
        let [kind] = kinds(&times).try_into().unwrap();
        let told = ["Redis killed", "2", "5.0", "11.0", "10.0", "✗", "12.0", "1.20", "1.10–1.20", "✓"];
        assert_eq!(row(&kind, TEN), told);
    }

    #[test]
    fn a_fault_that_does_not_last_has_no_ratio() {
        let times = [withstood(Fault::RedisFlushed, 10, &[100])];
        assert_eq!(row(&[&times[0]], TEN), ["Redis flushed", "1", "5.0", "10.0", "10.0", "✓", "", "", "", ""]);
    }

    #[test]
    fn what_may_be_chance_is_told_apart_from_what_is_too_slow() {
        let mark = |meanwhile: &[u64]| row(&[&withstood(Fault::SqsGone, 0, meanwhile)], TEN).pop();
        let fast = vec![10; 500];
        assert_eq!(mark(&fast).as_deref(), Some("✓"));
        assert_eq!(mark(&[&fast[..], &[50; 6]].concat()).as_deref(), Some("?"));
        assert_eq!(mark(&[&fast[..], &[50; 12]].concat()).as_deref(), Some("✗"));
    }
}
