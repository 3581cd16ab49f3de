//! How long a function takes from the start of its process to its first answer, beside one that does nothing but what cannot be
//! spared: say hello, or connect to the same servers and ask each of them one question.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use lambda_emulator::{Function, Lambda};
use measure::Trouble;
use measure::program::say;
use measure::report::{self, Spread, Target};

use super::parts::{Parts, http_answer, http_event};
use super::sample;
use crate::cpu::peak_mib;
use crate::turns::in_turns;

/// Longest time to the first answer, in times of the floor's.
const LONGEST: f64 = 3.0;
/// The function that does nothing.
const BARE: &str = "bare-function";
/// The function that connects to what its environment names.
const CONNECTING: &str = "connecting-function";
/// What such a function is called here, and the variables that name its servers.
const CONNECTIONS: [(&str, &[&str]); 3] = [
    ("a bare function, PostgreSQL, Redis", &["DATABASE_URL", "REDIS_URL"]),
    ("a bare function, PostgreSQL, RabbitMQ", &["DATABASE_URL", "RABBITMQ_URL"]),
    ("a bare function, Redis", &["REDIS_URL"]),
];

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
    /// What it is held beside. A floor itself has none.
    floor: Option<&'static str>,
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
    names.sort_unstable();
    names.dedup();
    let functions = names.iter().map(|&name| function(parts, name)).collect::<Result<Vec<_>, _>>()?;
    let size = |function: &Function| Ok((function.name, size_mib(&function.binary)?));
    let sizes: HashMap<_, _> = functions.iter().map(size).collect::<Result<_, Trouble>>()?;
    let lambda = Lambda::start(functions).await?;
    // The relay's schedule notes that it has reached the broker: `/health` is not well before.
    lambda.invoke("relay", include_str!("../../../../events/relay.schedule.json")).await?;
    lambda.retire("relay").await;
    let rounds = parts.effort.cold_rounds;
    say(&format!("Cold starts of {} functions, floors among them, in turns: {rounds} rounds.", names.len()));
    let results = in_turns(rounds, starts.len(), async |side| one(parts, &lambda, &starts[side]).await).await?;

    let millis =
        |side: usize, time: usize| Spread::of(results[side].iter().map(|it| it.times[time].as_secs_f64() * 1e3));
    let mut rows = Vec::new();
    for (side, start) in starts.iter().enumerate() {
        let first_answer = millis(side, 1);
        let floor = start.floor.and_then(|floor| starts.iter().position(|start| start.function == floor));
        let ratio = floor.map(|floor| first_answer.median / millis(floor, 1).median);
        if let (Some(ratio), Some(floor)) = (ratio, start.floor) {
            let name = format!("cold start of {}, {}, beside {floor} (aim 1.5)", start.function, start.asked);
            targets.push(Target::at_most(&name, LONGEST, "×", ratio));
        }
        rows.push(vec![
            start.function.to_owned(),
            start.asked.to_owned(),
            format!("{:.1}", millis(side, 0)),
            format!("{first_answer:.1}"),
            ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            format!("{:.1}", Spread::of(results[side].iter().map(|it| it.peak_mib))),
            format!("{:.1}", sizes.get(start.function).copied().unwrap_or_default()),
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
    let http = |function, asked, path: &str, token: Option<&str>, status, floor| Start {
        function,
        asked,
        event: http_event("GET", path, token, &[], ""),
        status: Some(status),
        waiting: false,
        floor,
    };
    let event = |function, asked, event: &str, waiting, floor| Start {
        function,
        asked,
        event: event.to_owned(),
        status: None,
        waiting,
        floor: Some(floor),
    };
    let nudge = include_str!("../../../../events/relay.nudge.json");
    let created = include_str!("../../../../events/fanout.order.created.json");
    let sweep = include_str!("../../../../events/images.schedule.json");
    let [(asking, _), (publishing, _), (feeding, _)] = CONNECTIONS;
    let mut starts = vec![http(BARE, "a request", "/", None, 200, None)];
    starts.extend(CONNECTIONS.map(|(name, _)| http(name, "a request", "/", None, 200, None)));
    for (function, asked, path, token) in [
        ("auth", "who a guest is", "/api/customer/auth/me", &guest.token),
        ("menus", "menu list", "/api/customer/menus", &guest.token),
        ("orders", "a table's orders", "/api/customer/orders", &guest.token),
        ("tables", "a table's history", &history, &parts.data.staff),
        ("stores", "list of stores", "/api/superadmin/stores", &parts.data.super_admin),
    ] {
        starts.push(http(function, "no token", path, None, 401, Some(BARE)));
        starts.push(http(function, asked, path, Some(token), 200, Some(asking)));
    }
    starts.extend([
        http("system", "`/health/live`", "/health/live", None, 200, Some(BARE)),
        http("system", "`/health`", "/health", None, 200, Some(asking)),
        event("relay", "a nudge, one event waits", nudge, true, publishing),
        event("fanout", "one order", created, false, feeding),
        event("images", "its schedule, nothing to do", sweep, false, asking),
        event("migrate", "a deployment, nothing new", "{}", false, publishing),
    ]);
    Ok(starts)
}

/// A function, or a floor.
fn function(parts: &Parts, name: &'static str) -> Result<Function, Trouble> {
    let Some((_, named)) = CONNECTIONS.iter().find(|(connecting, _)| *connecting == name) else {
        return parts.function(name, 1);
    };
    let mut function = parts.function(CONNECTING, 1)?;
    function.name = name;
    function.variables.retain(|(name, _)| named.contains(&name.as_str()));
    Ok(function)
}

fn size_mib(path: &Path) -> Result<f64, Trouble> {
    Ok(std::fs::metadata(path)?.len() as f64 / 1024.0 / 1024.0)
}
