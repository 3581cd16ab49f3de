//! Metrics: their names, and what keeps them until they are asked for.
//!
//! Where something happens it is counted, by the names below. No store and no user is ever a label: their number has no
//! bound. Revenue by store comes from PostgreSQL.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::extract::MatchedPath;
use axum::http::{Method, StatusCode};
use metrics::{
    Counter, Histogram, Label, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;

use super::embedded::Embedded;
use crate::domain::Timestamp;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many were how large.
    Histogram,
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, with its unit.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// One line on it.
    pub about: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $about:literal;)*) => {
        $(#[doc = $about] pub const $constant: &str = $name;)*

        /// Every metric of the service.
        pub const METRICS: &[Metric] = &[
            $(Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], about: $about },)*
        ];
    };
}

metrics! {
    HTTP_REQUESTS_TOTAL = Counter "http_requests_total" ["method", "endpoint", "status"]
        "Requests answered; `endpoint` is the matched route, `unmatched` where there is none; a `method` that HTTP does not \
         know is `_OTHER`.";
    HTTP_REQUEST_DURATION_SECONDS = Histogram "http_request_duration_seconds" ["method", "endpoint"]
        "Time until the answer begins.";
    HTTP_ERRORS_TOTAL = Counter "http_errors_total" []
        "Requests answered with a fault of ours: 500 and above.";
    ACTIVE_CONNECTIONS = Gauge "active_connections" []
        "Connections to PostgreSQL that are in use.";
    DB_QUERY_DURATION_SECONDS = Histogram "db_query_duration_seconds" ["query_name"]
        "Time a query took, waiting for a connection included where it needs one of its own.";
    SLOW_QUERIES_TOTAL = Counter "slow_queries_total" ["query_name"]
        "Queries that took longer than SLOW_QUERY_MS.";
    PROCESS_RESIDENT_MEMORY_BYTES = Gauge "process_resident_memory_bytes" []
        "Memory that the process holds.";
    SSE_CONNECTIONS = Gauge "sse_connections" []
        "Streams that are open.";
    SSE_SLOW_READERS_TOTAL = Counter "sse_slow_readers_total" []
        "Streams cut off because their reader fell too far behind.";
    OUTBOX_OLDEST_SECONDS = Gauge "outbox_oldest_seconds" []
        "Age of the oldest event that waits to be published; 0 when none does.";
    QUEUE_MESSAGES = Gauge "queue_messages" []
        "Events that wait in RabbitMQ's queues, all of them together.";
    QUEUES_WITHOUT_CONSUMER = Gauge "queues_without_consumer" []
        "RabbitMQ's queues that nobody reads.";
    DEAD_LETTER_MESSAGES = Gauge "dead_letter_messages" []
        "Messages that RabbitMQ's queues gave up, all of them together.";
    ORDERS_PLACED_TOTAL = Counter "orders_placed_total" []
        "Orders placed; one sent again counts once.";
    ORDER_AMOUNT_WON_TOTAL = Counter "order_amount_won_total" []
        "What those orders came to, in won.";
    LOGIN_FAILURES_TOTAL = Counter "login_failures_total" ["role"]
        "Logins with a wrong name or password.";
    LAID_ASIDE_MESSAGES = Gauge "laid_aside_messages" ["queue"]
        "Messages in SQS that could not be handled; told by the gateway, and by CloudWatch on AWS.";
}

/// Bounds of requests' durations in seconds: the targets (0.2 for reads, 0.3 for writes) and time-outs (5, 10) among them.
const REQUEST_BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 3.0, 5.0, 10.0];
/// Bounds of queries' durations in seconds: what is slow by default (2) and PostgreSQL's time-out (10) among them.
const QUERY_BUCKETS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0];
/// How often measurements are folded into the histograms when nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);

/// Keeps a process's metrics for whoever asks.
#[derive(Clone, Debug)]
pub struct Metrics(Keeper);

#[derive(Clone, Debug)]
enum Keeper {
    Nobody,
    /// Until it is asked for them.
    Prometheus(PrometheusHandle),
    /// Until it writes them.
    Embedded(Embedded),
}

impl Metrics {
    /// Keep everything that this process counts from now on. To be called once, at the start.
    pub fn install() -> Self {
        Self::install_some(|_| true)
    }

    /// Keep these metrics, by their names, for a process that has only some: the others would seem to be 0.
    pub fn install_some(wanted: impl Fn(&str) -> bool) -> Self {
        let recorder = recorder_of(wanted);
        let kept = Self::of(&recorder);
        // Refused when there is a recorder already: then nothing comes to this one.
        if metrics::set_global_recorder(recorder).is_ok() { kept } else { Self::off() }
    }

    /// What this recorder keeps.
    pub fn of(recorder: &PrometheusRecorder) -> Self {
        Self(Keeper::Prometheus(recorder.handle()))
    }

    /// Keep everything that this function counts from now on for CloudWatch, if there is a namespace; see [`Embedded`]. To be
    /// called once, at the start.
    pub fn embedded(namespace: Option<&str>, function: &str) -> Self {
        let Some(namespace) = namespace else { return Self::off() };
        let embedded = Embedded::new(namespace, function);
        // Refused when there is a recorder already: then nothing comes to this one.
        if metrics::set_global_recorder(embedded.clone()).is_ok() {
            Self(Keeper::Embedded(embedded))
        } else {
            Self::off()
        }
    }

    /// Nobody asks: nothing is kept.
    pub fn off() -> Self {
        Self(Keeper::Nobody)
    }

    /// Everything in Prometheus' text format; empty when nothing is kept for it.
    pub fn render(&self) -> String {
        if let Keeper::Prometheus(handle) = &self.0 { handle.render() } else { String::new() }
    }

    /// Write what CloudWatch is to know to standard output, if it is to know anything.
    pub fn write(&self, now: Timestamp) {
        if let Keeper::Embedded(embedded) = &self.0 {
            // Nobody could be told that it cannot be written.
            let _ = embedded.write(&mut std::io::stdout(), now);
        }
    }

    /// Fold measurements into histograms until stopped: kept one by one for a scrape that never comes, they would fill the
    /// memory.
    pub async fn keep_up(self, stopped: CancellationToken) {
        let Keeper::Prometheus(handle) = self.0 else { return };
        while stopped.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
            handle.run_upkeep();
        }
    }
}

/// Keeps metrics in memory. It knows every one of ours; those without labels stand at 0 from the start.
pub fn recorder() -> PrometheusRecorder {
    recorder_of(|_| true)
}

/// The same, knowing only those that are wanted.
pub fn recorder_of(wanted: impl Fn(&str) -> bool) -> PrometheusRecorder {
    let seconds = |name: &str| Matcher::Full(name.to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(seconds(HTTP_REQUEST_DURATION_SECONDS), REQUEST_BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(seconds(DB_QUERY_DURATION_SECONDS), QUERY_BUCKETS));
    // Only an empty list of bounds is refused.
    let recorder = builder.unwrap_or_default().build_recorder();
    metrics::with_local_recorder(&recorder, || METRICS.iter().filter(|metric| wanted(metric.name)).for_each(describe));
    recorder
}

fn describe(metric: &Metric) {
    let unlabelled = metric.labels.is_empty();
    match metric.kind {
        Kind::Counter => {
            describe_counter!(metric.name, metric.about);
            if unlabelled {
                counter!(metric.name).increment(0);
            }
        }
        Kind::Gauge => {
            describe_gauge!(metric.name, metric.about);
            if unlabelled {
                gauge!(metric.name).set(0.0);
            }
        }
        Kind::Histogram => describe_histogram!(metric.name, metric.about),
    }
}

/// Methods that are told apart: a client may send any word.
const METHODS: [&str; 9] = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];
/// What every other method counts as, by OpenTelemetry's convention.
const OTHER_METHOD: &str = "_OTHER";

/// Counts and times answers. What does so for answers of one kind is looked up once: finding it by its name and labels takes
/// longer than all the counting.
#[derive(Debug, Default)]
pub struct Answers(RwLock<HashMap<String, OfRoute>>);

/// A route's answers, by method and status.
type OfRoute = HashMap<(&'static str, StatusCode), Answer>;

/// Answers of one kind.
#[derive(Debug)]
struct Answer {
    requests: Counter,
    duration: Histogram,
}

impl Answers {
    /// Count an answer to a request of this route; `None` where no route matched.
    pub fn count(&self, method: &Method, endpoint: Option<&MatchedPath>, status: StatusCode, took: Duration) {
        let endpoint = endpoint.map_or("unmatched", MatchedPath::as_str);
        let method = METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER_METHOD);
        let kind = (method, status);
        let count = |answer: &Answer| {
            answer.requests.increment(1);
            answer.duration.record(took);
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.get(endpoint).and_then(|kinds| kinds.get(&kind)) {
            count(answer);
        } else {
            drop(known);
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let kinds = known.entry(endpoint.to_owned()).or_default();
            count(kinds.entry(kind).or_insert_with(|| Answer::find(method, endpoint, status)));
        }
        if status.is_server_error() {
            counter!(HTTP_ERRORS_TOTAL).increment(1);
        }
    }
}

impl Answer {
    fn find(method: &'static str, endpoint: &str, status: StatusCode) -> Self {
        let labels = [Label::from_static_parts("method", method), Label::new("endpoint", endpoint.to_owned())];
        let with_status = labels.iter().cloned().chain([Label::new("status", status.as_str().to_owned())]);
        Self {
            requests: counter!(HTTP_REQUESTS_TOTAL, with_status.collect::<Vec<_>>()),
            duration: histogram!(HTTP_REQUEST_DURATION_SECONDS, labels.to_vec()),
        }
    }
}

/// Memory that this process holds, in bytes, where the system tells it.
pub fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB")?.trim().parse().ok());
    kibibytes.map(|kibibytes: u64| kibibytes * 1024)
}
