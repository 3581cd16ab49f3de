//! What a flood of logins does to everybody else: menu lists at a steady rate, with the flood and without it in turn.
//!
//! Both are open loops. The flood is of accounts that do not exist, each from an address of its own, so that every login
//! costs a hash and none is refused by a limit. It begins before the menu lists and ends after them.

use std::thread;
use std::time::Duration;

use measure::Trouble;
use measure::load::{Outcome, Plan, connect, drive};
use measure::program::say;
use measure::report::{self, Spread, Target};
use measure::service::Service;

use crate::Effort;
use crate::data::Data;

/// Menu lists a second.
const MENU_RATE: f64 = 500.0;
/// Logins a second: several times what bcrypt serves on the cores it is given here.
const LOGIN_RATE: f64 = 40.0;
/// By how much the flood begins before the menu lists, so that logins wait already.
const LEAD: Duration = Duration::from_secs(2);
/// Connections of each: more than are ever busy.
const CONNECTIONS: usize = 64;
/// How many times as long the slowest hundredth may take.
const LIMIT: f64 = 1.5;

/// The latencies that a round of menu lists kept, in milliseconds.
struct Round {
    percentiles: [f64; 3],
}

impl Round {
    const PERCENTS: [f64; 3] = [50.0, 95.0, 99.0];

    fn of(outcome: &Outcome) -> Self {
        Self { percentiles: Self::PERCENTS.map(|percent| outcome.percentile_ms(percent)) }
    }
}

/// Measure both sides. Gives a table.
pub(crate) fn measure(
    service: &Service,
    data: &Data,
    effort: Effort,
    targets: &mut Vec<Target>,
) -> Result<String, Trouble> {
    let mut readers = connect(service.address, CONNECTIONS)?;
    let mut attackers = connect(service.address, CONNECTIONS)?;
    let time = Duration::from_secs_f64(effort.seconds);
    let list = |number: u64, request: &mut Vec<u8>| {
        request.extend_from_slice(&data.menu_lists[number as usize % data.menu_lists.len()]);
    };
    let mut read = || drive(&mut readers, Plan::open(MENU_RATE, time), 200, list);
    say(&format!(
        "{MENU_RATE} menu lists a second with {LOGIN_RATE} logins a second and without, {} rounds of {} s each.",
        effort.rounds, effort.seconds
    ));
    read()?;
    let (mut rounds, mut failed, mut served, mut refused) = ([Vec::new(), Vec::new()], 0, 0, 0);
    let mut seconds = 0.0;
    for number in 0..effort.rounds {
        for flooded in [number % 2, 1 - number % 2] {
            let outcome = if flooded == 1 {
                let first = number * (LOGIN_RATE * (time + 2 * LEAD).as_secs_f64()) as usize;
                let (read, attack) = under_attack(&mut read, || {
                    let plan = Plan::open(LOGIN_RATE, time + 2 * LEAD);
                    drive(&mut attackers, plan, 401, |number, request| {
                        let number = first + number as usize;
                        let kind = &data.kinds[number % data.kinds.len()];
                        let login = kind.login(&kind.unknown(1_000 + number), "a wrong one", 10_000 + number);
                        request.extend_from_slice(&login);
                    })
                })?;
                served += attack.good();
                refused += attack.failed;
                seconds += attack.elapsed.as_secs_f64();
                read
            } else {
                read()?
            };
            failed += outcome.failed;
            rounds[flooded].push(Round::of(&outcome));
        }
    }
    let medians = rounds.map(|rounds| {
        let at = |position: usize| Spread::of(rounds.iter().map(|round| round.percentiles[position])).median;
        let p99 = rounds.iter().map(|round| round.percentiles[2]);
        (at(0), at(1), at(2), p99.clone().fold(f64::MAX, f64::min), p99.fold(0.0, f64::max))
    });
    let ratio = medians[1].2 / medians[0].2;
    targets.push(Target::at_most("menu list under a flood of logins, p99", LIMIT, "× without", ratio));
    targets.push(Target::holds("good menu lists meanwhile", "all", format!("{failed} failed"), failed == 0));
    let row = |name: &str, (p50, p95, p99, least, most): (f64, f64, f64, f64, f64)| {
        let mut row = vec![name.to_owned()];
        row.extend([p50, p95, p99].map(|ms| format!("{ms:.2}")));
        row.push(format!("{least:.2}–{most:.2}"));
        row
    };
    let rows = [row("without", medians[0]), row("with the flood", medians[1])];
    let table = report::table(&["menu lists", "p50 ms", "p95 ms", "p99 ms", "p99 of rounds"], &rows);
    let (served, refused) = (served as f64 / seconds, refused as f64 / seconds);
    Ok(format!(
        "{table}\nOf {LOGIN_RATE:.0} logins a second, {served:.1} were hashed and {refused:.1} told to come again (503).\n"
    ))
}

/// Read while an attack is under way.
fn under_attack(
    read: &mut impl FnMut() -> Result<Outcome, Trouble>,
    attack: impl FnOnce() -> Result<Outcome, Trouble> + Send,
) -> Result<(Outcome, Outcome), Trouble> {
    thread::scope(|scope| {
        let attack = scope.spawn(attack);
        thread::sleep(LEAD);
        let read = read();
        let attack = attack.join().map_err(|_| "a thread of the load generator panicked")?;
        Ok((read?, attack?))
    })
}
