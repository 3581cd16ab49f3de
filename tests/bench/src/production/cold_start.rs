//! How long a function takes from the start of its process to its first answer, beside one that does nothing.

use std::path::Path;
use std::time::Duration;

use lambda_emulator::Lambda;
use measure::Trouble;
use measure::program::say;
use measure::report::{self, Spread, Target};
use measure::service::sibling;

use super::parts::{Parts, http_answer, http_event};
use super::sample;
use crate::TASK;
use crate::cpu::peak_mib;
use crate::turns::in_turns;

/// Longest time to the first answer, in times of the bare function's.
const LONGEST: f64 = 3.0;
/// The function that does nothing.
const BARE: &str = "bare-function";

/// A function and what it is first asked.
struct Start {
    function: &'static str,
    /// What the table says of the event.
    asked: &'static str,
    event: String,
    /// The status of a good answer to an HTTP request.
    status: Option<u16>,
    /// Whether an event waits in the outbox.
    waiting: bool,
    /// Whether the target is for this one: the function with something to do.
    counts: bool,
}

/// How one start went.
struct Started {
    /// To the question for the first event, and to the first answer.
    times: [Duration; 2],
    peak_mib: f64,
}

pub(super) async fn measure(parts: &mut Parts, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let starts = starts(parts)?;
    let mut names: Vec<_> = starts.iter().map(|start| start.function).collect();
    names.dedup();
    let functions = names.iter().map(|&name| parts.function(name, 1)).collect::<Result<Vec<_>, _>>()?;
    let lambda = Lambda::start(functions).await?;
    // The relay's schedule notes that it has reached the broker: `/health` is not well before.
    lambda.invoke("relay", include_str!("../../../../events/relay.schedule.json")).await?;
    lambda.retire("relay").await;
    let rounds = parts.effort.cold_rounds;
    say(&format!("Cold starts of {} functions and a bare one in turns: {rounds} rounds.", names.len() - 1));
    let results = in_turns(rounds, starts.len(), async |side| one(parts, &lambda, &starts[side]).await).await?;

    let millis =
        |side: usize, time: usize| Spread::of(results[side].iter().map(|it| it.times[time].as_secs_f64() * 1e3));
    let bare = millis(0, 1).median;
    let mut rows = Vec::new();
    for (side, start) in starts.iter().enumerate() {
        let first_answer = millis(side, 1);
        let ratio = first_answer.median / bare;
        if start.counts {
            let name = format!("cold start of {} beside a bare function (aim 1.5)", start.function);
            targets.push(Target::at_most(&name, LONGEST, "×", ratio));
        }
        rows.push(vec![
            start.function.to_owned(),
            start.asked.to_owned(),
            format!("{:.1}", millis(side, 0)),
            format!("{first_answer:.1}"),
            if side == 0 { String::new() } else { format!("{ratio:.2}") },
            format!("{:.1}", Spread::of(results[side].iter().map(|it| it.peak_mib))),
            format!("{:.1}", size_mib(&sibling(TASK, start.function)?)?),
        ]);
    }
    let header = [
        "function",
        "first event",
        "until it asks, ms",
        "first answer, ms",
        "ratio",
        "peak memory, MiB",
        "binary, MiB",
    ];
    Ok(report::table(&header, &rows))
}

/// Start a function anew with its first event.
async fn one(parts: &mut Parts, lambda: &Lambda, start: &Start) -> Result<Started, Trouble> {
    if start.waiting {
        sample::wait_in_outbox(&mut parts.db, 1).await?;
    }
    let failed = |error: &dyn std::fmt::Display| format!("{} failed on its first event: {error}", start.function);
    let answer = lambda.invoke(start.function, start.event.clone()).await.map_err(|error| failed(&error))?;
    if let Some(status) = start.status {
        http_answer(&answer, status)?;
    }
    let cold = lambda.cold_starts(start.function).pop().ok_or("a start was not noticed")?;
    let peak_mib = peak_mib(cold.pid)?;
    lambda.retire(start.function).await;
    Ok(Started { times: [cold.init, cold.elapsed], peak_mib })
}

fn starts(parts: &Parts) -> Result<Vec<Start>, Trouble> {
    let guest = parts.data.stores.first().and_then(|store| store.tables.first()).ok_or("there is no table")?;
    let table = parts.data.board.tables.first().ok_or("there is no table")?;
    let history = format!("/api/admin/tables/{}/order-history", table.id);
    let http = |function, asked, path: &str, token: Option<&str>, counts| Start {
        function,
        asked,
        event: http_event("GET", path, token, &[], ""),
        status: Some(200),
        waiting: false,
        counts,
    };
    let event = |function, asked, event: &str, waiting, counts| Start {
        function,
        asked,
        event: event.to_owned(),
        status: None,
        waiting,
        counts,
    };
    let nudge = include_str!("../../../../events/relay.nudge.json");
    let created = include_str!("../../../../events/fanout.order.created.json");
    Ok(vec![
        http(BARE, "a request", "/", None, false),
        http("auth", "who a guest is", "/api/customer/auth/me", Some(&guest.token), true),
        http("menus", "menu list", "/api/customer/menus", Some(&guest.token), true),
        http("orders", "a table's orders", "/api/customer/orders", Some(&guest.token), true),
        http("tables", "a table's history", &history, Some(&parts.data.staff), true),
        http("stores", "list of stores", "/api/superadmin/stores", Some(&parts.data.super_admin), true),
        http("system", "`/health`", "/health", None, true),
        http("system", "`/health/live`", "/health/live", None, false),
        event("relay", "a nudge, one event waits", nudge, true, true),
        event("relay", "a nudge, nothing waits", nudge, false, false),
        event("fanout", "one order", created, false, true),
        event("migrate", "a deployment, nothing new", "{}", false, true),
    ])
}

fn size_mib(path: &Path) -> Result<f64, Trouble> {
    Ok(std::fs::metadata(path)?.len() as f64 / 1024.0 / 1024.0)
}
