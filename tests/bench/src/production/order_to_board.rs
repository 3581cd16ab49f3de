//! How long an order takes from its commit to the staff's board, beside what the steps on its way take at the least.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use lambda_emulator::Lambda;
use measure::Trouble;
use measure::program::say;
use measure::report::{self, Target};
use measure::service::Service;
use serde::Deserialize;
use sqlx::PgConnection;

use super::floors::{Floors, STEPS};
use super::parts::{Parts, http_answer, http_event};
use super::sample::Sample;
use super::streams::request;
use crate::data::{Board, Store};
use crate::requests;
use crate::turns::in_turns;

/// Longest way that 99 of 100 orders may have, in milliseconds.
const LONGEST: f64 = 500.0;
/// Orders a second.
const RATE: f64 = 8.0;
/// Environments of `orders`.
const ORDERS: usize = 4;
/// How long an order may be on its way before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest pause of the floors: they are as far apart as orders.
const PAUSE_MS: u64 = 60;

pub(super) async fn measure(parts: &mut Parts, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let (orders, floors, rounds) = (parts.effort.boarded, parts.effort.floors, parts.effort.order_rounds);
    say(&format!("Orders on their way to the board, and the floors of its steps, in turns: {rounds} rounds."));
    let event = Sample::read(&mut parts.db).await?.copy(shared::domain::StoreId(parts.data.board.id()))?;
    let mut steps = Floors::start(parts, serde_json::to_string(&event)?).await?;
    let mut way = Way::start(parts).await?;
    let results = in_turns(rounds, 2, async |side| {
        if side == 0 {
            return Ok((way.round(parts, orders).await?, Vec::new()));
        }
        let mut times = Vec::new();
        for _ in 0..floors {
            times.push(steps.once(Duration::from_millis(fastrand::u64(..PAUSE_MS))).await?);
        }
        Ok((Vec::new(), times))
    })
    .await?;
    let mut lows: Vec<_> = STEPS.iter().map(|_| histogram()).collect::<Result<_, _>>()?;
    let mut high = histogram()?;
    for (ways, times) in results.iter().flatten() {
        ways.iter().for_each(|took| high.saturating_record((took * 1e3) as u64));
        for times in times {
            lows.iter_mut().zip(times).for_each(|(low, took)| low.saturating_record((took * 1e3) as u64));
        }
    }
    steps.stop().await?;
    way.stop();

    let percent = |histogram: &Histogram<u64>, percent: f64| histogram.value_at_percentile(percent) as f64 / 1e3;
    let sum = |at: f64| lows.iter().map(|low| percent(low, at)).sum::<f64>();
    let [p50, p99] = [50.0, 99.0].map(|at| percent(&high, at));
    targets.push(Target::at_most("order's commit → board, p99", LONGEST, "ms", p99));
    let row = |name: &str, times: [f64; 2]| {
        let mut row = vec![name.to_owned()];
        row.extend(times.map(|time| format!("{time:.2}")));
        row
    };
    let mut rows = vec![row("order's commit → board", [p50, p99])];
    rows.extend(STEPS.iter().zip(&lows).map(|(name, low)| row(name, [50.0, 99.0].map(|at| percent(low, at)))));
    rows.push(row("all steps", [50.0, 99.0].map(sum)));
    rows.push(row("order's commit → board, in times of all steps", [p50 / sum(50.0), p99 / sum(99.0)]));
    Ok(report::table(&["", "p50 ms", "p99 ms"], &rows))
}

/// Microseconds, up to a minute.
fn histogram() -> Result<Histogram<u64>, Trouble> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// Everything between an order and the board.
struct Way {
    lambda: Lambda,
    arrivals: Receiver<(i64, Instant)>,
    board: TcpStream,
    _sources: Service,
    _stream: Service,
}

impl Way {
    async fn start(parts: &Parts) -> Result<Self, Trouble> {
        let functions = [parts.function("orders", ORDERS)?, parts.function("relay", 1)?, parts.function("fanout", 4)?];
        let lambda = Lambda::start(functions).await?;
        let stream = parts.stream()?;
        let staff = Board { store_id: shared::domain::StoreId(parts.data.board.id()), staff: parts.data.staff.clone() };
        let (board, arrivals) = tokio::task::block_in_place(|| watch(stream.address, &request(&staff)))?;
        let sources = parts.sources(lambda.url())?;
        Ok(Self { lambda, arrivals, board, _sources: sources, _stream: stream })
    }

    /// So many orders at random moments: the milliseconds that each took from its commit to the board.
    async fn round(&mut self, parts: &mut Parts, orders: usize) -> Result<Vec<f64>, Trouble> {
        let store = parts.data.board.clone();
        let mut placing = Vec::new();
        for _ in 0..orders {
            tokio::time::sleep(Duration::from_secs_f64(2.0 * fastrand::f64() / RATE)).await;
            let (lambda, event) = (self.lambda.clone(), order(&store));
            placing.push(tokio::spawn(async move { lambda.invoke("orders", event).await }));
        }
        let mut ids = Vec::new();
        for answer in placing {
            ids.push(order_id(&answer.await??)?);
        }
        let mut arrived = HashMap::new();
        tokio::task::block_in_place(|| {
            while !ids.iter().all(|id| arrived.contains_key(id)) {
                let (id, at) = self.arrivals.recv_timeout(PATIENCE).map_err(|_| "an order did not reach the board")?;
                arrived.entry(id).or_insert(at);
            }
            Ok::<_, Trouble>(())
        })?;
        let ago = committed_ago(&mut parts.db, &ids).await?;
        let took = |id: &i64| {
            let (read_at, ago) = ago.get(id)?;
            Some((ago - read_at.duration_since(*arrived.get(id)?).as_secs_f64() * 1e3).max(0.0))
        };
        Ok(ids.iter().filter_map(took).collect())
    }

    fn stop(self) {
        // The board's thread ends with its stream.
        let _ = self.board.shutdown(std::net::Shutdown::Both);
    }
}

/// How many milliseconds before a moment each of these orders was committed. PostgreSQL tells both on its own clock; the
/// moment is taken half-way of the question.
async fn committed_ago(db: &mut PgConnection, ids: &[i64]) -> Result<HashMap<i64, (Instant, f64)>, Trouble> {
    let sql = "select 1000 * extract(epoch from clock_timestamp() - pg_xact_commit_timestamp(xmin))::float8
               from orders
               where id = $1";
    let mut ago = HashMap::new();
    for id in ids {
        let began = Instant::now();
        let millis = sqlx::query_scalar(sql).bind(id).fetch_one(&mut *db).await?;
        ago.insert(*id, (began + began.elapsed() / 2, millis));
    }
    Ok(ago)
}

/// An order of one to three items at one of the store's tables, for the function.
fn order(store: &Store) -> String {
    let random = &mut fastrand::Rng::new();
    let table = &store.tables[random.usize(..store.tables.len())];
    let items = random.usize(1..=3);
    let body = requests::order_body(store, items, random);
    let key = requests::key(random);
    http_event("POST", "/api/customer/orders", Some(&table.token), &[("idempotency-key", &key)], &body)
}

fn order_id(answer: &[u8]) -> Result<i64, Trouble> {
    #[derive(Deserialize)]
    struct Order {
        id: i64,
    }
    let answer = http_answer(answer, 201)?;
    Ok(serde_json::from_str::<Order>(answer["body"].as_str().unwrap_or_default())?.id)
}

/// Open the board's stream, and tell of every order on it when it arrived.
fn watch(address: SocketAddr, request: &[u8]) -> Result<(TcpStream, Receiver<(i64, Instant)>), Trouble> {
    #[derive(Deserialize)]
    struct Created {
        order: Order,
    }
    #[derive(Deserialize)]
    struct Order {
        id: i64,
    }
    let mut board = TcpStream::connect(address)?;
    board.write_all(request)?;
    let mut lines = BufReader::new(board.try_clone()?).lines();
    loop {
        let line = lines.next().ok_or("the board's stream was refused")??;
        if line == "event: ready" {
            break;
        }
    }
    let (sender, arrivals) = mpsc::channel();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let at = Instant::now();
            let created = line.strip_prefix("data: ").and_then(|data| serde_json::from_str::<Created>(data).ok());
            if let Some(Created { order }) = created
                && sender.send((order.id, at)).is_err()
            {
                return;
            }
        }
    });
    Ok((board, arrivals))
}
