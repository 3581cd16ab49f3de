//! A run from its start to its results.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use measure::load::{Outcome, Plan, connect, drive};
use measure::program::{folder, say};
use measure::report::{self, Target};
use measure::service::Service;
use measure::{Trouble, http, machine};
use private_services::postgres::{Durability, Server};
use sqlx::{Connection, PgConnection};

use crate::TASK;
use crate::cpu::{self, Cpu, Meter, resident_mib};
use crate::data::{self, Data};
use crate::effort::Effort;
use crate::floors;
use crate::production::{self, Part, Parts};
use crate::requests;

/// Menu lists a second that the service must be able to serve, and that it is held beside the bare handler at.
pub(crate) const MENU_RATE: f64 = 500.0;
/// Orders a second that the service must be able to take at the same time.
const ORDER_RATE: f64 = 100.0;
/// Dashboards a second: as many as stores have staff who have just come back to theirs.
const DASHBOARD_RATE: f64 = 10.0;
/// Logins a second. bcrypt of cost 12 takes a fifth of a second of one core.
const LOGIN_RATE: f64 = 2.0;
/// Connections of an open loop: more than are ever busy while the service keeps up.
pub(crate) const CONNECTIONS: usize = 64;
/// Orders of each table on the dashboard.
const BOARD_ORDERS: u64 = 3;
/// Most that other programs may take of the machine, in percent of all cores, for the figures to mean something. The
/// kernel's own threads count among them.
const MOST_OTHERS: f64 = 5.0;
/// Most memory of the one process, in MiB.
const MOST_MEMORY: f64 = 60.0;

/// Everything a measurement needs.
pub(crate) struct Bench {
    /// How much to measure.
    pub(crate) effort: Effort,
    /// The folder of this run's files.
    pub(crate) folder: PathBuf,
    /// The service.
    pub(crate) service: Service,
    /// PostgreSQL.
    pub(crate) server: Server,
    /// A connection of our own to it.
    pub(crate) db: PgConnection,
    /// What is in it.
    pub(crate) data: Data,
}

/// What one kind of request came to.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Latencies and failures.
    pub(crate) outcome: Outcome,
    /// CPU time spent meanwhile.
    pub(crate) cpu: Cpu,
}

impl Measured {
    /// The CPU time of a request in microseconds.
    pub(crate) fn micros(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.outcome.good().max(1) as f64
    }

    fn row(&self, name: &str) -> Vec<String> {
        let outcome = &self.outcome;
        let mut row = vec![name.to_owned(), format!("{:.1}", outcome.per_second()), outcome.good().to_string()];
        row.extend([50.0, 95.0, 99.0].map(|percent| format!("{:.2}", outcome.percentile_ms(percent))));
        let cpu = [self.cpu.server, self.cpu.postgres, self.cpu.client];
        row.extend(cpu.map(|time| format!("{:.0}", self.micros(time))));
        row.push(outcome.failed.to_string());
        row
    }
}

/// Measure everything, or one part of it alone. Gives the results as Markdown, and how many targets were missed.
pub(crate) async fn run(effort: Effort, only: Option<Part>, command: &str) -> Result<(String, usize), Trouble> {
    let folder = folder(TASK)?;
    let postgres = folder.join("postgres");
    say("Starting PostgreSQL, durable, and the service.");
    Server::reset(&postgres).await?;
    production::reset(&folder)?;
    let server = Server::start(&postgres, Durability::Full).await?;
    let (service, config) = Service::start(TASK, &folder, &server.url(), &[])?;
    // What it needs for its start is given back by then.
    thread::sleep(Duration::from_secs(2));
    let idle_mib = resident_mib(service.pid())?;
    say("Adding 9 stores with 800 tables.");
    let mut db = PgConnection::connect(&server.url()).await?;
    let data = data::add(&mut db, &config).await?;
    let version: String = sqlx::query_scalar("show server_version").fetch_one(&mut db).await?;
    let mut bench = Bench { effort, folder, service, server, db, data };
    let mut targets = Vec::new();
    open_sessions(&bench)?;
    // Or the plans that PostgreSQL keeps for a connection would be those for empty tables.
    sqlx::query("vacuum analyze").execute(&mut bench.db).await?;

    let (begun, machine_before, ours_before) = (Instant::now(), cpu::machine()?, cpu::ours()?);
    let mut sections = Vec::new();
    if only.is_none() {
        sections.push(("Loads", loads(&bench, &mut targets)?));
        let loaded_mib = resident_mib(bench.service.pid())?;
        sections.push(("The menu list beside a bare handler", floors::menu_list(&bench, &mut targets)?));
        sections.push(("Placing orders beside `pgbench`", floors::placing(&mut bench, &mut targets).await?));
        targets.push(Target::at_most("memory after the start, with demo data", MOST_MEMORY, "MiB", idle_mib));
        targets.push(Target::at_most("memory after the loads", MOST_MEMORY, "MiB", loaded_mib));
    }
    let Bench { folder, service, server, db, data, .. } = bench;
    drop(service);
    db.close().await?;
    let mut parts = Parts::start(effort, folder, server, data, &config).await?;
    sections.extend(production::measure(&mut parts, only, &mut targets).await?);
    parts.stop().await?;

    // What has ended by now counts, too: it was waited for.
    let [machine, ours] = [cpu::machine()?.saturating_sub(machine_before), cpu::ours()?.saturating_sub(ours_before)];
    let all = begun.elapsed() * u32::try_from(thread::available_parallelism()?.get())?;
    let others = 100.0 * machine.saturating_sub(ours).as_secs_f64() / all.as_secs_f64();
    targets.push(Target::at_most("CPU taken by other programs meanwhile", MOST_OTHERS, "%", others));
    let missed = targets.iter().filter(|target| !target.met).count();
    let mut results = vec![machine::describe(&version, command), "### Targets\n".to_owned(), report::targets(&targets)];
    results.extend(sections.into_iter().flat_map(|(heading, text)| [format!("### {heading}\n"), text]));
    Ok((results.join("\n"), missed))
}

impl Bench {
    /// Carry a plan out and see what it costs.
    pub(crate) fn measure(
        &self,
        server: &Service,
        connections: &mut [http::Connection],
        plan: Plan,
        expected: u16,
        write: impl Fn(u64, &mut Vec<u8>) + Sync,
    ) -> Result<Measured, Trouble> {
        let meter = self.meter(server)?;
        let outcome = drive(connections, plan, expected, write)?;
        Ok(Measured { outcome, cpu: meter.stop()? })
    }

    /// Begin to measure CPU time, `server` being the one under measurement.
    pub(crate) fn meter(&self, server: &Service) -> Result<Meter, Trouble> {
        Meter::start(server.pid(), self.server.pid())
    }

    /// Orders at any of the tables.
    pub(crate) fn order(&self, request: &mut Vec<u8>) {
        requests::order(&self.data.stores, &mut fastrand::Rng::new(), request);
    }
}

/// The first order of every table, and some more in the store whose dashboard is read: from here on every session is open.
fn open_sessions(bench: &Bench) -> Result<(), Trouble> {
    say("Opening a session at every table.");
    let tables = |store: &data::Store| (0..store.tables.len()).map(|table| (store.clone(), table)).collect::<Vec<_>>();
    let guests: Vec<_> = bench.data.stores.iter().flat_map(tables).collect();
    for (seats, orders) in [(guests, 1), (tables(&bench.data.board), BOARD_ORDERS)] {
        let plan = Plan::all(seats.len() as u64 * orders);
        let outcome = drive(&mut connect(bench.service.address, 8)?, plan, 201, |number, request| {
            let random = &mut fastrand::Rng::new();
            let (store, table) = &seats[number as usize % seats.len()];
            let key = requests::key(random);
            requests::order_at(store, &store.tables[*table], 2, &key, random, request);
        })?;
        if let Some(failure) = outcome.first_failure {
            return Err(format!("an order was refused: {failure}").into());
        }
    }
    Ok(())
}

/// Every kind of request at its rate, then reads and orders together.
fn loads(bench: &Bench, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let service = &bench.service;
    let steady = |name: &str, rate: f64, seconds: f64, expected: u16, write: &(dyn Fn(u64, &mut Vec<u8>) + Sync)| {
        let time = bench.effort.seconds(seconds);
        say(&format!("{name}: {rate} a second for {:.0} s.", time.as_secs_f64()));
        let mut connections = connect(service.address, CONNECTIONS)?;
        if rate >= DASHBOARD_RATE {
            drive(&mut connections, Plan::open(rate, bench.effort.seconds(2.0)), expected, write)?;
        }
        bench.measure(service, &mut connections, Plan::open(rate, time), expected, write)
    };
    let lists = requests::menu_lists(&bench.data, |_| requests::MENUS.to_owned());
    let list = |number: u64, request: &mut Vec<u8>| request.extend_from_slice(&lists[number as usize % lists.len()]);
    let menus = steady("menu list", MENU_RATE, 12.0, 200, &list)?;
    let order = |_: u64, request: &mut Vec<u8>| bench.order(request);
    let orders = steady("order", ORDER_RATE, 12.0, 201, &order)?;
    let dashboard = requests::dashboard(&bench.data);
    let read = |_: u64, request: &mut Vec<u8>| request.extend_from_slice(&dashboard);
    let dashboards = steady("dashboard", DASHBOARD_RATE, 10.0, 200, &read)?;
    let log_in = |number: u64, request: &mut Vec<u8>| requests::login(&bench.data, number, request);
    let logins = steady("login", LOGIN_RATE, 15.0, 200, &log_in)?;

    let time = bench.effort.seconds(30.0);
    say(&format!(
        "menu list and order together: {MENU_RATE} and {ORDER_RATE} a second for {:.0} s.",
        time.as_secs_f64()
    ));
    let [mut readers, mut writers] = [connect(service.address, CONNECTIONS)?, connect(service.address, CONNECTIONS)?];
    let meter = bench.meter(service)?;
    let (reads, writes) = thread::scope(|scope| {
        let reads = scope.spawn(|| drive(&mut readers, Plan::open(MENU_RATE, time), 200, list));
        let writes = drive(&mut writers, Plan::open(ORDER_RATE, time), 201, order);
        (reads.join(), writes)
    });
    let reads = reads.map_err(|_| "a thread of the load generator panicked")??;
    let together = meter.stop()?;
    let writes = writes?;
    let mut both = Measured { outcome: reads.clone(), cpu: together };
    both.outcome.add(writes.clone())?;
    // At the same time, not one after the other.
    both.outcome.elapsed = reads.elapsed.max(writes.elapsed);

    targets.push(Target::at_most("menu list under the mixed load, p95", 200.0, "ms", reads.percentile_ms(95.0)));
    targets.push(Target::at_most("order under the mixed load, p95", 300.0, "ms", writes.percentile_ms(95.0)));
    let all = [&menus.outcome, &orders.outcome, &dashboards.outcome, &logins.outcome, &both.outcome];
    let failed: u64 = all.iter().map(|outcome| outcome.failed).sum();
    let sent: u64 = failed + all.iter().map(|outcome| outcome.good()).sum::<u64>();
    let first = all.iter().find_map(|outcome| outcome.first_failure.clone());
    if let Some(first) = first {
        say(&format!("A request was refused: {first}"));
    }
    let measured = format!("{} of {sent}", sent - failed);
    targets.push(Target::holds("good answers in all loads", "all", measured, failed == 0));

    let alone = |outcome: Outcome| Measured { outcome, cpu: Cpu::default() };
    let mut rows = vec![
        menus.row("menu list"),
        orders.row("order"),
        dashboards.row("dashboard of 400 tables"),
        logins.row("login"),
        both.row("mixed: both"),
        alone(reads).row("mixed: menu list"),
        alone(writes).row("mixed: order"),
    ];
    // Whose CPU time it was cannot be told apart there.
    for row in rows.iter_mut().skip(5) {
        row[6..9].fill("".to_owned());
    }
    let header = [
        "load",
        "requests/s",
        "requests",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "service µs",
        "PostgreSQL µs",
        "client µs",
        "failed",
    ];
    Ok(report::table(&header, &rows))
}
