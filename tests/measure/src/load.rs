//! The load generator: threads with a connection each, at a fixed rate (open loop) or as fast as answers come (closed
//! loop).
//!
//! In an open loop the time of every request is fixed beforehand and its latency counts from that time, also when all
//! connections were busy and it went out late: a server that stalls cannot slow down its own measurement (no coordinated
//! omission).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Trouble;
use crate::http::Connection;
use crate::program::unless_interrupted;

/// The longest latency that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(60);
/// Time for all threads to start before the first request is due.
const HEAD_START: Duration = Duration::from_millis(50);

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Requests a second in an open loop; `None` closes the loop.
    pub rate: Option<f64>,
    /// Send no more than this.
    pub requests: u64,
    /// Send for no longer than this.
    pub time: Duration,
}

impl Plan {
    /// So many requests a second for some time, whatever the answers.
    pub fn open(rate: f64, time: Duration) -> Self {
        // Rates and times of a run are small numbers.
        let requests = (rate * time.as_secs_f64()).round() as u64;
        Self { rate: Some(rate), requests, time: Duration::MAX }
    }

    /// For some time, the next request when the last is answered.
    pub fn closed(time: Duration) -> Self {
        Self { rate: None, requests: u64::MAX, time }
    }

    /// So many requests, the next when the last is answered.
    pub fn all(requests: u64) -> Self {
        Self { rate: None, requests, time: Duration::MAX }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Latencies of the good answers in nanoseconds.
    latencies: Histogram<u64>,
    /// Answers of another status than the one expected.
    pub failed: u64,
    /// The first of them.
    pub first_failure: Option<String>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Outcome {
    fn new() -> Result<Self, Trouble> {
        let longest = u64::try_from(LONGEST.as_nanos())?;
        let latencies = Histogram::new_with_bounds(1_000, longest, 3)?;
        Ok(Self { latencies, failed: 0, first_failure: None, elapsed: Duration::ZERO })
    }

    /// Good answers.
    pub fn good(&self) -> u64 {
        self.latencies.len()
    }

    /// Good answers a second.
    pub fn per_second(&self) -> f64 {
        self.good() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this share of the good answers kept, in milliseconds.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        self.latencies.value_at_percentile(percent) as f64 / 1e6
    }

    fn record(&mut self, latency: Duration) {
        self.latencies.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Add what another thread, or another round, measured.
    ///
    /// # Errors
    /// When the latencies cannot be added.
    pub fn add(&mut self, other: Self) -> Result<(), Trouble> {
        self.latencies.add(&other.latencies)?;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.elapsed += other.elapsed;
        Ok(())
    }
}

/// Open connections: as many as there can be requests at once.
///
/// # Errors
/// When nobody listens there.
pub fn connect(address: SocketAddr, connections: usize) -> Result<Vec<Connection>, Trouble> {
    Ok((0..connections).map(|_| Connection::open(address)).collect::<Result<_, _>>()?)
}

/// Carry a plan out. `write` writes the bytes of a request, and `expected` is the status of a good answer.
///
/// # Errors
/// When a connection fails, or the run is interrupted.
pub fn drive(
    connections: &mut [Connection],
    plan: Plan,
    expected: u16,
    write: impl Fn(u64, &mut Vec<u8>) + Sync,
) -> Result<Outcome, Trouble> {
    let begin = Instant::now() + HEAD_START;
    let next = AtomicU64::new(0);
    let client = |connection: &mut Connection| -> Result<Outcome, Trouble> {
        let mut outcome = Outcome::new()?;
        let mut request = Vec::new();
        sleep_until(begin);
        loop {
            unless_interrupted()?;
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= plan.requests || begin.elapsed() >= plan.time {
                return Ok(outcome);
            }
            request.clear();
            write(number, &mut request);
            let due = match plan.rate {
                Some(rate) => begin + Duration::from_secs_f64(number as f64 / rate),
                None => Instant::now(),
            };
            sleep_until(due);
            let answer = connection.exchange(&request)?;
            if answer.status == expected {
                outcome.record(due.elapsed());
            } else {
                outcome.failed += 1;
                let body = String::from_utf8_lossy(answer.body);
                outcome.first_failure.get_or_insert_with(|| format!("{} {body}", answer.status));
            }
        }
    };
    let outcomes = thread::scope(|scope| {
        let threads: Vec<_> = connections.iter_mut().map(|connection| scope.spawn(|| client(connection))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread of the load generator panicked")?)
            .collect()
    });
    let outcomes: Result<Vec<_>, Trouble> = outcomes;
    let elapsed = begin.elapsed();
    let mut all = Outcome::new()?;
    for outcome in outcomes? {
        all.add(outcome)?;
    }
    Ok(Outcome { elapsed, ..all })
}

fn sleep_until(due: Instant) {
    let wait = due.saturating_duration_since(Instant::now());
    if !wait.is_zero() {
        thread::sleep(wait);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    /// A server for one connection that answers every request with `answer` after `before`.
    fn serve(answer: &'static [u8], before: impl Fn(u64) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for number in 0.. {
                if stream.read(&mut [0; 64]).unwrap() == 0 {
                    return;
                }
                before(number);
                stream.write_all(answer).unwrap();
            }
        });
        address
    }

    fn x(_: u64, request: &mut Vec<u8>) {
        request.push(b'x');
    }

    #[test]
    fn a_stall_counts_for_every_request_that_was_due_meanwhile() {
        // 100 requests are due within a tenth of a second; the first answer comes after half a second.
        let begun = Instant::now();
        let address = serve(ANSWER, move |number| {
            while number == 0 && begun.elapsed() < Duration::from_millis(500) {
                thread::yield_now();
            }
        });
        let outcome =
            drive(&mut connect(address, 1).unwrap(), Plan::open(1000.0, Duration::from_millis(100)), 200, x).unwrap();
        assert_eq!((outcome.good(), outcome.failed), (100, 0));
        assert!(outcome.percentile_ms(0.0) > 300.0, "{}", outcome.percentile_ms(0.0));
    }

    #[test]
    fn a_closed_loop_sends_the_next_request_after_the_answer() {
        let address = serve(ANSWER, |_| {});
        let outcome = drive(&mut connect(address, 1).unwrap(), Plan::all(10), 200, x).unwrap();
        assert_eq!((outcome.good(), outcome.failed), (10, 0));
    }

    #[test]
    fn another_status_is_a_failure_and_has_no_latency() {
        let address = serve(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy", |_| {});
        let outcome = drive(&mut connect(address, 1).unwrap(), Plan::all(3), 200, x).unwrap();
        assert_eq!((outcome.good(), outcome.failed, outcome.first_failure.as_deref()), (0, 3, Some("503 busy")));
    }
}
