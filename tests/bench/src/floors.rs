//! The two floors, each measured in turns with the service, so that both sides meet the same machine.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use measure::Trouble;
use measure::http::Connection;
use measure::load::{Plan, connect};
use measure::program::say;
use measure::report::{self, Spread, Target};
use measure::service::{Service, sibling};
use serde::Deserialize;
use sqlx::PgConnection;

use crate::TASK;
use crate::pgbench::{self, Placed, Script};
use crate::recording::{self, Statement};
use crate::requests;
use crate::run::{Bench, CONNECTIONS, MENU_RATE};

/// Most CPU time of a menu list, in times of the bare handler's.
const MOST_CPU: f64 = 2.0;
/// Least orders a second, in times of what `pgbench` reaches.
const LEAST_THROUGHPUT: f64 = 0.6;
/// Menu lists at once when both sides are saturated.
const SATURATING: usize = 16;
/// How often the server's log is looked at for a statement.
const LOOKS: usize = 50;

/// Both sides of the menu list: at the same rate, then as fast as they can.
pub(crate) fn menu_list(bench: &Bench, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let bare = bare_handler(bench)?;
    let sides = [
        ("service", &bench.service, requests::menu_lists(&bench.data, |_| requests::MENUS.to_owned())),
        ("bare handler", &bare, requests::menu_lists(&bench.data, |store| format!("/{store}"))),
    ];
    let in_turns = |name: &str, connections: usize, plan: Plan, rows: &mut Vec<Vec<String>>| {
        say(&format!("Menu list and bare handler in turns, {name}: {} rounds.", bench.effort.menu_rounds));
        let mut connections = [connect(sides[0].1.address, connections)?, connect(sides[1].1.address, connections)?];
        let mut rounds = [Vec::new(), Vec::new()];
        for round in 0..=bench.effort.menu_rounds {
            // Who went last goes first.
            for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                let (_, server, requests) = &sides[side];
                let measured = bench.measure(server, &mut connections[side], plan, 200, |number, request| {
                    request.extend_from_slice(&requests[number as usize % requests.len()]);
                })?;
                // The first round warms up.
                if round > 0 {
                    rounds[side].push(measured);
                }
            }
        }
        let cpu = rounds.each_ref().map(|rounds| Spread::of(rounds.iter().map(|one| one.micros(one.cpu.server))));
        let ratio = cpu[0].median / cpu[1].median;
        for (position, (side, ..)) in sides.iter().enumerate() {
            let speed = Spread::of(rounds[position].iter().map(|one| one.outcome.per_second()));
            let client = Spread::of(rounds[position].iter().map(|one| one.micros(one.cpu.client)));
            let ratio = if position == 0 { format!("{ratio:.2}") } else { String::new() };
            let name = format!("{side}, {name}");
            rows.push(vec![name, speed.to_string(), cpu[position].to_string(), client.to_string(), ratio]);
        }
        Ok::<_, Trouble>(ratio)
    };
    let mut rows = Vec::new();
    let steady = Plan::open(MENU_RATE, bench.effort.seconds(2.0));
    let ratio = in_turns(&format!("{MENU_RATE} a second"), CONNECTIONS, steady, &mut rows)?;
    targets.push(Target::at_most("menu list, CPU beside the bare handler", MOST_CPU, "×", ratio));
    let saturated = Plan::closed(bench.effort.seconds(1.0));
    in_turns(&format!("saturated by {SATURATING} at once"), SATURATING, saturated, &mut rows)?;
    Ok(report::table(&["side", "requests/s", "CPU µs/request", "client µs/request", "CPU ratio"], &rows))
}

/// The bare handler, with the service's own answers to the menu lists of all stores.
fn bare_handler(bench: &Bench) -> Result<Service, Trouble> {
    let lists = requests::menu_lists(&bench.data, |_| requests::MENUS.to_owned());
    let mut connection = Connection::open(bench.service.address)?;
    let mut files = Vec::new();
    // Those of the first tables of all stores come first.
    for (number, request) in lists.iter().take(bench.data.stores.len()).enumerate() {
        let file = bench.folder.join(format!("menus-{number}.json"));
        fs::write(&file, connection.exchange(request)?.body)?;
        files.push(file);
    }
    start_bare(&files)
}

/// Start the bare handler, which answers with the bytes of these files.
fn start_bare(files: &[PathBuf]) -> Result<Service, Trouble> {
    let mut command = Command::new(sibling(TASK, "bare-handler")?);
    let mut process = command.args(files).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(stdout) = process.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let address = line.trim().parse().map_err(|_| "the bare handler does not start")?;
    Ok(Service::of(process, address))
}

/// One round of placing orders.
struct Round {
    per_second: f64,
    /// CPU time of an order in microseconds: the service's, PostgreSQL's, the client's.
    cpu: [f64; 3],
    /// What an order adds to each of [`ROWS`].
    rows: [f64; ROWS.len()],
}

/// Both sides of placing orders: as fast as they can, with the same number of requests at once.
pub(crate) async fn placing(bench: &mut Bench, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    say("Recording what the service sends to PostgreSQL for an order.");
    let scripts = scripts(bench).await?;
    let mut table = Vec::new();
    let mut added = [Vec::new(), Vec::new()];
    for &clients in bench.effort.clients {
        say(&format!("Orders and pgbench in turns, {clients} at once: {} rounds.", bench.effort.order_rounds));
        let mut rounds = [Vec::new(), Vec::new()];
        for round in 0..=bench.effort.order_rounds {
            let pair = [service_round(bench, clients).await?, pgbench_round(bench, clients, &scripts).await?];
            // The first round warms up.
            if round > 0 {
                rounds.iter_mut().zip(pair).for_each(|(rounds, one)| rounds.push(one));
            }
        }
        let speed = rounds.each_ref().map(|rounds| Spread::of(rounds.iter().map(|round| round.per_second)));
        let ratio = speed[0].median / speed[1].median;
        let cpu = rounds.each_ref().map(|rounds| Spread::of(rounds.iter().map(|round| round.cpu.iter().sum())));
        let cpu_ratio = cpu[1].median / cpu[0].median;
        let name = format!("orders/s beside pgbench, {clients} at once (aim 0.9)");
        targets.push(Target::at_least(&name, LEAST_THROUGHPUT, "×", ratio));
        for (position, side) in ["service", "pgbench"].into_iter().enumerate() {
            let mut row = vec![format!("{side}, {clients} at once"), speed[position].to_string()];
            let cpu = |which: usize| Spread::of(rounds[position].iter().map(|round| round.cpu[which])).to_string();
            row.extend((0..3).map(cpu));
            row.extend(
                [ratio, cpu_ratio].map(|ratio| if position == 0 { format!("{ratio:.2}") } else { String::new() }),
            );
            table.push(row);
        }
        added
            .iter_mut()
            .zip(rounds)
            .for_each(|(added, rounds)| added.extend(rounds.into_iter().map(|round| round.rows)));
    }
    let added = added.map(|rounds| {
        let median = |row: usize| Spread::of(rounds.iter().map(|rows| rows[row])).median;
        std::array::from_fn::<_, { ROWS.len() }, _>(median)
    });
    // Items are one to three, drawn on each side: two on average.
    let same = added[0].iter().zip(added[1]).all(|(ours, theirs)| (ours - theirs).abs() <= 0.05);
    let list = |rows: [f64; ROWS.len()]| rows.map(|row| format!("{row:.2}")).join(" ");
    let measured = format!("{} = {}", list(added[0]), list(added[1]));
    targets.push(Target::holds("rows an order adds: service = pgbench", "the same", measured, same));
    let header = [
        "side",
        "orders/s",
        "service µs/order",
        "PostgreSQL µs/order",
        "client µs/order",
        "ratio of orders/s",
        "ratio of orders/CPU s",
    ];
    let mut text = report::table(&header, &table);
    text.push('\n');
    let rows = ["service", "pgbench"].into_iter().zip(added).map(|(side, rows)| {
        let mut row = vec![side.to_owned()];
        row.extend(rows.map(|row| format!("{row:.3}")));
        row
    });
    let header: Vec<_> = std::iter::once("rows an order adds").chain(ROWS.map(|(name, _)| name)).collect();
    text.push_str(&report::table(&header, &rows.collect::<Vec<_>>()));
    Ok(text)
}

async fn service_round(bench: &mut Bench, clients: usize) -> Result<Round, Trouble> {
    sqlx::query("checkpoint").execute(&mut bench.db).await?;
    let before = rows(&mut bench.db).await?;
    let plan = Plan::closed(bench.effort.order_round());
    let connections = &mut connect(bench.service.address, clients)?;
    let measured = bench.measure(&bench.service, connections, plan, 201, |_, request| bench.order(request))?;
    if let Some(failure) = measured.outcome.first_failure {
        return Err(format!("an order was refused: {failure}").into());
    }
    let orders = measured.outcome.good();
    let added = added(before, rows(&mut bench.db).await?, orders);
    // What the relay still has to publish must not weigh on the other side.
    while unpublished(&mut bench.db).await? > 0 {
        thread::sleep(Duration::from_millis(20));
    }
    let cpu = [measured.cpu.server, measured.cpu.postgres, measured.cpu.client].map(|time| measured.micros(time));
    Ok(Round { per_second: measured.outcome.per_second(), cpu, rows: added })
}

async fn pgbench_round(bench: &mut Bench, clients: usize, scripts: &[Script]) -> Result<Round, Trouble> {
    // Standing still, the service does not publish what pgbench puts into the outbox.
    bench.service.pause()?;
    sqlx::query("checkpoint").execute(&mut bench.db).await?;
    let before = rows(&mut bench.db).await?;
    let meter = bench.meter(&bench.service)?;
    let run = pgbench::run(&bench.server.url(), scripts, &bench.folder, clients, bench.effort.order_round())?;
    let spent = meter.stop()?;
    let added = added(before, rows(&mut bench.db).await?, run.transactions);
    sqlx::query("update outbox set published_at = now() where published_at is null").execute(&mut bench.db).await?;
    bench.service.resume()?;
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / run.transactions.max(1) as f64;
    Ok(Round { per_second: run.per_second, cpu: [spent.server, spent.postgres, spent.client].map(micros), rows: added })
}

/// What an order adds to, and how to count it.
const ROWS: [(&str, &str); 6] = [
    ("orders", "select count(*) from orders"),
    ("items", "select count(*) from order_items"),
    ("events", "select count(*) from outbox"),
    ("keys", "select count(*) from idempotency_keys"),
    ("numbers", "select coalesce(sum(last_number), 0)::bigint from order_counters"),
    ("sessions", "select count(*) from table_sessions"),
];

async fn rows(db: &mut PgConnection) -> Result<[i64; ROWS.len()], Trouble> {
    let mut counted = [0; ROWS.len()];
    for (count, (_, sql)) in counted.iter_mut().zip(ROWS) {
        *count = sqlx::query_scalar(sql).fetch_one(&mut *db).await?;
    }
    Ok(counted)
}

fn added(before: [i64; ROWS.len()], after: [i64; ROWS.len()], orders: u64) -> [f64; ROWS.len()] {
    std::array::from_fn(|row| (after[row] - before[row]) as f64 / orders.max(1) as f64)
}

async fn unpublished(db: &mut PgConnection) -> Result<i64, Trouble> {
    Ok(sqlx::query_scalar("select count(*) from outbox where published_at is null").fetch_one(db).await?)
}

/// A script for an order of one, two and three items each, made of what the service sends for such an order.
async fn scripts(bench: &mut Bench) -> Result<Vec<Script>, Trouble> {
    log_statements(&mut bench.db, true).await?;
    let mut scripts = Vec::new();
    for (items, name) in ["one", "two", "three"].into_iter().enumerate() {
        let (transaction, placed) = record(bench, items + 1)?;
        scripts.push(pgbench::script(name, &transaction, &placed, &bench.data.stores)?);
    }
    log_statements(&mut bench.db, false).await?;
    Ok(scripts)
}

async fn log_statements(db: &mut PgConnection, on: bool) -> Result<(), Trouble> {
    let sql = if on { "alter system set log_statement = 'all'" } else { "alter system reset log_statement" };
    sqlx::query(sql).execute(&mut *db).await?;
    sqlx::query("select pg_reload_conf()").execute(&mut *db).await?;
    Ok(())
}

/// Place an order and find its transaction in the server's log. Its processes take up the new setting one by one, so the
/// first orders may not be there.
fn record(bench: &Bench, items: usize) -> Result<(Vec<Statement>, Placed), Trouble> {
    #[derive(Deserialize)]
    struct Order {
        session_id: i64,
        created_at: DateTime<Utc>,
        items: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        menu_id: i64,
    }

    let store = bench.data.stores.last().ok_or("there is no store")?;
    let table = store.tables.last().ok_or("there is no table")?;
    let mut connection = Connection::open(bench.service.address)?;
    for _ in 0..LOOKS {
        let random = &mut fastrand::Rng::new();
        let key = requests::key(random);
        let mut request = Vec::new();
        requests::order_at(store, table, items, &key, random, &mut request);
        let answer = connection.exchange(&request)?;
        let order: Order = serde_json::from_slice(answer.body)?;
        let log = fs::read_to_string(bench.server.folder().join("postgres.log"))?;
        let is_key = |value: &Option<String>| value.as_ref() == Some(&key);
        let has_key =
            |transaction: &Vec<Statement>| transaction.iter().any(|statement| statement.parameters.iter().any(is_key));
        if let Some(transaction) = recording::transactions(&log).into_iter().find(has_key) {
            let placed = Placed {
                store_id: store.id(),
                table_id: table.id,
                session_id: order.session_id,
                key,
                menu_ids: order.items.iter().map(|item| item.menu_id).collect(),
                at: order.created_at,
            };
            return Ok((transaction, placed));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err("the server's log does not show how an order is placed".into())
}
