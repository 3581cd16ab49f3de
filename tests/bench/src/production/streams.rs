//! What open streams cost, beside nginx with nchan.
//!
//! A store has 50 streams. In a wave there is an event in every store, one published after the other, and everybody gets one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use measure::Trouble;
use measure::program::say;
use measure::report::{self, Spread, Target};
use measure::service::Service;
use shared::clock::Clock;
use shared::domain::event::Envelope;
use shared::events::feed::{Feed, RedisFeed};
use shared::redis::{Patience, Redis};

use super::nchan::Nchan;
use super::parts::Parts;
use super::readers::{Readers, allow_connections};
use super::sample::Sample;
use crate::cpu::{self, resident_mib};
use crate::data::Board;
use crate::turns::in_turns;

/// Streams of a store.
pub(super) const READERS: usize = 50;
/// Most of each figure, in times of nchan's.
const MOST: f64 = 1.2;
/// What a stream of ours begins with.
pub(super) const READY: &[u8] = b"event: ready\ndata: {}\n\n";
/// What a stream of nchan's begins with: after it, what is published arrives.
const HI: &[u8] = b": hi\n\n";

/// One of the two.
struct Side {
    server: Server,
    address: SocketAddr,
    /// The process that does the work.
    pid: u32,
    readers: Option<Readers>,
    /// Its memory with one stream open, in MiB.
    idle_mib: f64,
}

enum Server {
    Ours { feed: Feed, _service: Service },
    Nchan(Nchan),
}

/// One round.
struct Round {
    /// CPU time of a delivery, in microseconds.
    micros: f64,
    /// From the beginning of a wave until the last client has its event, in milliseconds: the median of the waves.
    last_ms: f64,
    /// Memory of a connection, in KiB.
    kib: f64,
}

pub(super) async fn measure(parts: &mut Parts, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let most = parts.effort.streams.iter().copied().max().unwrap_or_default();
    allow_connections(2 * (most + 1))?;
    let mut sample = Sample::read(&mut parts.db).await?;
    let mut sides = [ours(parts)?, nchan(parts, most).await?];
    let mut rows = Vec::new();
    let mut open = 0;
    // A first stream each: what is needed once must not count for those to come.
    for side in &mut sides {
        side.open(&parts.boards[..1])?;
        side.idle_mib = resident_mib(side.pid)?;
    }
    for &count in parts.effort.streams {
        let (rounds, waves) = (parts.effort.order_rounds, parts.effort.deliveries.div_ceil(count));
        say(&format!("{count} streams of ours and of nchan, {waves} events each, in turns: {rounds} rounds."));
        let stores = count.div_ceil(READERS);
        let boards = parts.boards.get(..stores).ok_or("there are not enough stores")?;
        // Those that are open already are of the first stores.
        let more: Vec<_> = (open..count).filter_map(|number| boards.get(number / READERS).cloned()).collect();
        for side in &mut sides {
            side.open(if open == 0 { &more[1..] } else { &more })?;
        }
        open = count;
        let results = in_turns(rounds, 2, async |side| sides[side].round(boards, count, waves, &mut sample).await);
        let results = results.await?;
        rows.extend(compare(&results, count, targets));
    }
    for side in sides {
        side.stop()?;
    }
    let header = ["side", "CPU µs/delivery", "memory KiB/stream", "last client, ms", "ratios"];
    Ok(report::table(&header, &rows))
}

/// The rows of a number of streams, and its targets.
fn compare(results: &[Vec<Round>], count: usize, targets: &mut Vec<Target>) -> [Vec<String>; 2] {
    let spreads = [0, 1].map(|side: usize| {
        let of = |figure: fn(&Round) -> f64| Spread::of(results[side].iter().map(figure));
        [of(|round| round.micros), of(|round| round.kib), of(|round| round.last_ms)]
    });
    let ratios: [f64; 3] = std::array::from_fn(|figure| spreads[0][figure].median / spreads[1][figure].median);
    let names = ["CPU of a delivery", "memory of a stream", "last client's latency"];
    let aims = [" (aim 0.8)", " (aim 0.6)", ""];
    for ((name, aim), ratio) in names.into_iter().zip(aims).zip(ratios) {
        targets.push(Target::at_most(&format!("{count} streams beside nchan: {name}{aim}"), MOST, "×", ratio));
    }
    let ratios = ratios.map(|ratio| format!("{ratio:.2}")).join(", ");
    [("ours", ratios), ("nchan", String::new())].map(|(name, ratios)| {
        let [cpu, memory, last] = spreads[usize::from(name == "nchan")];
        let figures = [format!("{cpu:.1}"), format!("{memory:.1}"), format!("{last:.1}"), ratios];
        std::iter::once(format!("{name}, {count} streams")).chain(figures).collect()
    })
}

fn ours(parts: &Parts) -> Result<Side, Trouble> {
    let service = parts.stream()?;
    let feed = Feed::Redis(RedisFeed::new(Redis::open(&parts.redis_url(), Patience::WORK)?));
    let (address, pid) = (service.address, service.pid());
    Ok(Side { address, pid, readers: None, idle_mib: 0.0, server: Server::Ours { feed, _service: service } })
}

async fn nchan(parts: &Parts, most: usize) -> Result<Side, Trouble> {
    let server = Nchan::start(&parts.folder, most + 1).await?;
    let address = ([127, 0, 0, 1], server.port()).into();
    Ok(Side { address, pid: server.worker, readers: None, idle_mib: 0.0, server: Server::Nchan(server) })
}

impl Side {
    /// Open a stream at each of these boards.
    fn open(&mut self, boards: &[Board]) -> Result<(), Trouble> {
        let (begins, request): (_, fn(&Board) -> Vec<u8>) = match &self.server {
            Server::Ours { .. } => (READY, request),
            Server::Nchan(_) => (HI, |board| Nchan::subscribe(board.store_id)),
        };
        let requests: Vec<_> = boards.iter().map(request).collect();
        let mut readers = self.readers.take().map_or_else(Readers::new, Ok)?;
        let name = if matches!(self.server, Server::Nchan(_)) { "nchan" } else { "ours" };
        readers.open(self.address, &requests, begins).map_err(|error| format!("opening streams of {name}: {error}"))?;
        self.readers = Some(readers);
        Ok(())
    }

    /// Some waves.
    async fn round(
        &mut self,
        boards: &[Board],
        count: usize,
        waves: usize,
        sample: &mut Sample,
    ) -> Result<Round, Trouble> {
        let before = cpu::Process::start(self.pid)?;
        let mut last = Vec::new();
        for _ in 0..waves {
            let events = boards.iter().map(|board| sample.copy(board.store_id)).collect::<Result<Vec<_>, _>>()?;
            last.push(self.wave(&events, count).await?.as_secs_f64() * 1e3);
        }
        let spent = before.stop()?;
        let kib = (resident_mib(self.pid)? - self.idle_mib) * 1024.0 / (count - 1) as f64;
        let micros = spent.as_secs_f64() * 1e6 / (waves * count) as f64;
        Ok(Round { micros, last_ms: Spread::of(last).median, kib })
    }

    /// Publish these events and wait until so many deliveries are made: how long that took.
    async fn wave(&mut self, events: &[Envelope], deliveries: usize) -> Result<Duration, Trouble> {
        let mut readers = self.readers.take().ok_or("no stream is open")?;
        let began = Instant::now();
        let receiving = tokio::task::spawn_blocking(move || {
            let last = readers.receive(deliveries);
            (readers, last)
        });
        match &mut self.server {
            Server::Ours { feed, .. } => drop(feed.append(events, Clock::system().now()).await?),
            Server::Nchan(nchan) => {
                tokio::task::block_in_place(|| events.iter().try_for_each(|event| nchan.publish(event)))?
            }
        }
        let (readers, last) = receiving.await?;
        self.readers = Some(readers);
        let name = if matches!(self.server, Server::Nchan(_)) { "nchan" } else { "ours" };
        let last = last.map_err(|error| format!("reading streams of {name}: {error}"))?;
        Ok(last.saturating_duration_since(began))
    }

    fn stop(self) -> Result<(), Trouble> {
        // The clients first: a container waits for its streams.
        drop(self.readers);
        match self.server {
            Server::Ours { .. } => Ok(()),
            Server::Nchan(nchan) => nchan.stop(),
        }
    }
}

/// A request for a board's stream.
pub(super) fn request(board: &Board) -> Vec<u8> {
    let token = &board.staff;
    format!(
        "GET /api/admin/orders/stream HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/event-stream\r\n\
         authorization: Bearer {token}\r\n\r\n"
    )
    .into()
}
