//! Whether the time of a wrong login tells that there is no such account.
//!
//! One login after the other on a connection that is open, a wrong password and an unknown account in turn, who goes first
//! changing each time. Each comes from an address of its own, and no account is guessed at often enough to be locked.

use std::time::Instant;

use measure::Trouble;
use measure::http::Connection;
use measure::program::{say, unless_interrupted};
use measure::report::{self, Spread, Target};
use measure::service::Service;

use crate::Effort;
use crate::data::Data;

/// How much the medians may differ, in percent.
const LIMIT: f64 = 1.0;

/// Measure both sides for every kind of account. Gives a table.
pub(crate) fn measure(
    service: &Service,
    data: &Data,
    effort: Effort,
    targets: &mut Vec<Target>,
) -> Result<String, Trouble> {
    let mut rows = Vec::new();
    let mut connection = Connection::open(service.address)?;
    let mut address = 0;
    for kind in &data.kinds {
        say(&format!("{}: {} wrong passwords and as many unknown accounts.", kind.name, effort.logins));
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..effort.logins {
            let names = [kind.known(number), kind.unknown(number)];
            for turn in [number % 2, 1 - number % 2] {
                address += 1;
                let request = kind.login(&names[turn], "a wrong one", address);
                unless_interrupted()?;
                let begun = Instant::now();
                let answer = connection.exchange(&request)?;
                let elapsed = begun.elapsed();
                if answer.status != 401 {
                    let body = String::from_utf8_lossy(answer.body);
                    return Err(format!("a wrong login was answered {} {body}", answer.status).into());
                }
                times[turn].push(elapsed.as_secs_f64() * 1e3);
            }
        }
        let [known, unknown] = times.map(Spread::of);
        let difference = unknown.median - known.median;
        let percent = 100.0 * difference / known.median;
        targets.push(Target::at_most(&format!("{}: the medians differ by", kind.name), LIMIT, "%", percent.abs()));
        rows.push(vec![
            kind.name.to_owned(),
            format!("{:.3}", known.median),
            format!("{:.3}", unknown.median),
            format!("{difference:+.3}"),
            format!("{percent:+.2}"),
            known.to_string(),
            unknown.to_string(),
        ]);
    }
    let header =
        ["account", "known ms", "unknown ms", "difference ms", "%", "known (least–most)", "unknown (least–most)"];
    Ok(report::table(&header, &rows))
}
