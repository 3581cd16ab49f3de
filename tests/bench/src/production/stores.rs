//! What an event costs when one store is read, when 9,999 others have feeds, and when many of them are read, too.

use std::time::{Duration, Instant};

use measure::Trouble;
use measure::program::say;
use measure::report::{self, Spread, Target};
use measure::service::Service;
use shared::clock::Clock;
use shared::domain::StoreId;
use shared::events::feed::{Feed, RedisFeed};
use shared::redis::{Patience, Redis};
use uuid::Uuid;

use super::parts::Parts;
use super::readers::{Readers, allow_connections};
use super::sample::Sample;
use super::streams::{READERS, READY, request};
use crate::cpu;
use crate::turns::in_turns;

/// Most of each figure, in times of what it is with one store.
const MOST: f64 = 1.2;
/// Other stores that have feeds.
const OTHERS: u32 = 9_999;
/// What those stores' ids begin with.
const OTHER_STORES: u128 = 0x5000_8000_0000_0000_0000;
/// Other stores' events appended together.
const TOGETHER: usize = 500;
/// What is measured, in this order.
const CASES: [&str; 3] = ["one store", "10,000 stores with feeds", "1,000 stores read"];

/// One round: what an event costs.
struct Round {
    redis_micros: f64,
    stream_micros: f64,
    /// From the call to the answer: the median.
    append_micros: f64,
}

/// A Redis of its own, and a container of streams over it.
struct Case {
    redis: private_services::redis::Server,
    stream: Service,
    feed: Feed,
    readers: Option<Readers>,
}

pub(super) async fn measure(parts: &mut Parts, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let (events, rounds) = (parts.effort.asked, parts.effort.order_rounds);
    say(&format!("{events} events with few and with many stores in turns: {rounds} rounds."));
    allow_connections(CASES.len() * READERS + parts.boards.len())?;
    let mut sample = Sample::read(&mut parts.db).await?;
    let mut cases = Vec::new();
    for number in 0..CASES.len() {
        cases.push(Case::start(parts, number, &mut sample).await?);
    }
    let store_id = parts.boards.first().ok_or("there is no store")?.store_id;
    let results = in_turns(rounds, CASES.len(), async |case| cases[case].round(store_id, events, &mut sample).await);
    let results = results.await?;

    let figure = |case: usize, figure: fn(&Round) -> f64| Spread::of(results[case].iter().map(figure));
    let cost = |case: usize| figure(case, |round| round.redis_micros + round.stream_micros);
    let append = |case: usize| figure(case, |round| round.append_micros);
    let mut rows = Vec::new();
    for (case, name) in CASES.into_iter().enumerate() {
        let ratios = [cost(case).median / cost(0).median, append(case).median / append(0).median];
        if case > 0 {
            for (what, ratio) in ["CPU of an event", "append of an event"].into_iter().zip(ratios) {
                targets.push(Target::at_most(&format!("{what}: {name}, beside one store"), MOST, "×", ratio));
            }
        }
        rows.push(vec![
            name.to_owned(),
            figure(case, |round| round.redis_micros).to_string(),
            figure(case, |round| round.stream_micros).to_string(),
            append(case).to_string(),
            if case == 0 { String::new() } else { ratios.map(|ratio| format!("{ratio:.2}")).join(", ") },
        ]);
    }
    for case in cases {
        case.stop()?;
    }
    Ok(report::table(&["case", "Redis µs/event", "stream µs/event", "append p50 µs", "ratios"], &rows))
}

impl Case {
    async fn start(parts: &Parts, number: usize, sample: &mut Sample) -> Result<Self, Trouble> {
        let redis = private_services::redis::Server::start(&parts.folder.join(format!("redis-{number}"))).await?;
        let stream = parts.stream_on(&redis.url())?;
        let feed = Feed::Redis(RedisFeed::new(Redis::open(&redis.url().into(), Patience::WORK)?));
        if number > 0 {
            let others: Vec<_> =
                (1..=OTHERS).map(|other| StoreId(Uuid::from_u128(OTHER_STORES + u128::from(other)))).collect();
            for stores in others.chunks(TOGETHER) {
                let events = stores.iter().map(|store_id| sample.copy(*store_id)).collect::<Result<Vec<_>, _>>()?;
                feed.append(&events, Clock::system().now()).await?;
            }
        }
        let mut requests = vec![request(parts.boards.first().ok_or("there is no store")?); READERS];
        if number > 1 {
            requests.extend(parts.boards.iter().skip(1).map(request));
        }
        let mut readers = Readers::new()?;
        readers.open(stream.address, &requests, READY)?;
        Ok(Self { redis, stream, feed, readers: Some(readers) })
    }

    /// So many events in the store that has many readers, each when all have the one before.
    async fn round(&mut self, store_id: StoreId, events: usize, sample: &mut Sample) -> Result<Round, Trouble> {
        let before = [cpu::Process::start(self.redis.pid())?, cpu::Process::start(self.stream.pid())?];
        let mut readers = self.readers.take().ok_or("no stream is open")?;
        let mut appends = Vec::new();
        for _ in 0..events {
            let event = sample.copy(store_id)?;
            let began = Instant::now();
            self.feed.append(std::slice::from_ref(&event), Clock::system().now()).await?;
            appends.push(began.elapsed().as_secs_f64() * 1e6);
            tokio::task::block_in_place(|| readers.receive(READERS))?;
        }
        self.readers = Some(readers);
        let [redis, stream] = before;
        let micros = |spent: Duration| spent.as_secs_f64() * 1e6 / events as f64;
        Ok(Round {
            redis_micros: micros(redis.stop()?),
            stream_micros: micros(stream.stop()?),
            append_micros: Spread::of(appends).median,
        })
    }

    fn stop(self) -> Result<(), Trouble> {
        // The clients first: a container waits for its streams.
        drop(self.readers);
        drop(self.stream);
        Ok(self.redis.stop()?)
    }
}
