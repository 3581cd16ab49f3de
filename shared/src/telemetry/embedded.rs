//! Metrics on AWS, where nobody can scrape a function: lines of CloudWatch's embedded metric format on standard output, one
//! for each event that was handled, which CloudWatch turns into metrics of the same names.
//!
//! No label becomes a dimension. CloudWatch is paid by metric, and each combination of labels would be one: the log says which
//! route and which query. Faults alone are told by function, too: AWS takes an answer of 500 for a success, and a new version of
//! a function that gives nothing else is to be taken back.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use serde_json::{Map, Value, json};

use super::metrics::{DB_QUERY_DURATION_SECONDS, HTTP_ERRORS_TOTAL, Kind, METRICS};
use crate::domain::Timestamp;

/// The most values of a histogram in one line, by CloudWatch's rule. What comes beyond them until the next line is left out.
const MOST_VALUES: usize = 100;

/// Keeps what is counted until it is written.
#[derive(Clone, Debug)]
pub struct Embedded(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    namespace: String,
    /// The name of the function, or `stream`.
    function: String,
    metrics: HashMap<&'static str, Arc<Series>>,
}

/// One metric, of any kind.
#[derive(Debug)]
struct Series {
    kind: Kind,
    /// A counter's value, or the bits of a gauge's.
    value: AtomicU64,
    /// What an absolute counter stood at.
    before: AtomicU64,
    /// Whether a gauge has been set since the last line.
    set: AtomicBool,
    values: Mutex<Vec<f64>>,
}

impl Embedded {
    /// Keep metrics of this function for this namespace. The time of every single query is left out: an event may ask more than CloudWatch
    /// takes, and RDS measures queries itself.
    pub fn new(namespace: &str, function: &str) -> Self {
        let wanted = METRICS.iter().filter(|metric| metric.name != DB_QUERY_DURATION_SECONDS);
        let series = |kind| Series {
            kind,
            value: AtomicU64::default(),
            before: AtomicU64::default(),
            set: AtomicBool::default(),
            values: Mutex::default(),
        };
        let metrics = wanted.map(|metric| (metric.name, Arc::new(series(metric.kind)))).collect();
        Self(Arc::new(Kept { namespace: namespace.to_owned(), function: function.to_owned(), metrics }))
    }

    /// Write what has been counted since the last time, as one line; nothing when there is nothing.
    ///
    /// # Errors
    /// When it cannot be written. It is lost then.
    pub fn write(&self, writer: &mut impl Write, now: Timestamp) -> std::io::Result<()> {
        let mut values = Map::new();
        // In the order of the list.
        for metric in METRICS {
            if let Some(value) = self.0.metrics.get(metric.name).and_then(|series| series.take()) {
                values.insert(metric.name.to_owned(), value);
            }
        }
        if values.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = values.keys().map(|name| json!({ "Name": name })).collect();
        let mut directives = vec![json!({ "Namespace": self.0.namespace, "Dimensions": [[]], "Metrics": names })];
        let mut line = json!({ "_aws": { "Timestamp": now.as_millis() } });
        if values.contains_key(HTTP_ERRORS_TOTAL) {
            let metrics = json!([{ "Name": HTTP_ERRORS_TOTAL }]);
            directives.push(json!({ "Namespace": self.0.namespace, "Dimensions": [["function"]], "Metrics": metrics }));
            line["function"] = self.0.function.as_str().into();
        }
        line["_aws"]["CloudWatchMetrics"] = directives.into();
        if let Value::Object(line) = &mut line {
            line.append(&mut values);
        }
        // In one piece, so that lines do not mix.
        writer.write_all(format!("{line}\n").as_bytes())
    }

    fn series(&self, key: &Key) -> Option<Arc<Series>> {
        self.0.metrics.get(key.name()).cloned()
    }
}

impl Series {
    /// What there is to tell since the last time.
    fn take(&self) -> Option<Value> {
        match self.kind {
            Kind::Counter => Some(self.value.swap(0, Ordering::Relaxed)).filter(|value| *value > 0).map(Value::from),
            Kind::Gauge => {
                let set = self.set.swap(false, Ordering::Relaxed);
                set.then(|| f64::from_bits(self.value.load(Ordering::Relaxed)).into())
            }
            Kind::Histogram => {
                Some(std::mem::take(&mut *self.values())).filter(|values| !values.is_empty()).map(Value::from)
            }
        }
    }

    fn values(&self) -> MutexGuard<'_, Vec<f64>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl Fn(f64) -> f64) {
        let update = |bits| Some(change(f64::from_bits(bits)).to_bits());
        // It always gives a value.
        let _ = self.value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        self.set.store(true, Ordering::Relaxed);
    }
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        self.value.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        let before = self.before.fetch_max(value, Ordering::Relaxed);
        CounterFn::increment(self, value.saturating_sub(before));
    }
}

impl GaugeFn for Series {
    fn increment(&self, value: f64) {
        self.change(|present| present + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|present| present - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        let mut values = self.values();
        if values.len() < MOST_VALUES {
            values.push(value);
        }
    }
}

impl Recorder for Embedded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.series(key).map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.series(key).map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.series(key).map_or_else(Histogram::noop, Histogram::from_arc)
    }
}

#[cfg(test)]
mod tests {
    use metrics::{counter, gauge, histogram};

    use super::super::metrics::{
        HTTP_REQUEST_DURATION_SECONDS, HTTP_REQUESTS_TOTAL, OUTBOX_OLDEST_SECONDS, SSE_SLOW_READERS_TOTAL,
    };
    use super::*;
    use crate::clock::Clock;

    fn written(embedded: &Embedded) -> String {
        let mut line = Vec::new();
        embedded.write(&mut line, Clock::system().now()).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn an_event_leaves_one_line_that_cloudwatch_reads() {
        let embedded = Embedded::new("table-order/dev", "table-order-dev-orders");
        metrics::with_local_recorder(&embedded, || {
            for status in ["200", "503"] {
                counter!(HTTP_REQUESTS_TOTAL, "status" => status).increment(1);
            }
            counter!(HTTP_ERRORS_TOTAL).increment(1);
            histogram!(HTTP_REQUEST_DURATION_SECONDS, "endpoint" => "/health").record(0.25);
            histogram!(DB_QUERY_DURATION_SECONDS, "query_name" => "ping").record(0.5);
            gauge!(OUTBOX_OLDEST_SECONDS).set(1.5);
        });

        let line = written(&embedded);

        assert_eq!(line.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line[HTTP_REQUESTS_TOTAL], 2);
        assert_eq!(line[HTTP_ERRORS_TOTAL], 1);
        assert_eq!(line[HTTP_REQUEST_DURATION_SECONDS], json!([0.25]));
        assert_eq!(line[OUTBOX_OLDEST_SECONDS], 1.5);
        assert!(line.get(DB_QUERY_DURATION_SECONDS).is_none());
        let told = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(told["Namespace"], "table-order/dev");
        assert_eq!(told["Dimensions"], json!([[]]));
        let names: Vec<_> =
            told["Metrics"].as_array().unwrap().iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [HTTP_REQUESTS_TOTAL, HTTP_REQUEST_DURATION_SECONDS, HTTP_ERRORS_TOTAL, OUTBOX_OLDEST_SECONDS]
        );
        let of_function = &line["_aws"]["CloudWatchMetrics"][1];
        assert_eq!(of_function["Dimensions"], json!([["function"]]));
        assert_eq!(of_function["Metrics"], json!([{"Name": HTTP_ERRORS_TOTAL}]));
        assert_eq!(line["function"], "table-order-dev-orders");
        assert!(line["_aws"]["Timestamp"].as_u64().unwrap() > 1_700_000_000_000);
        // All of it is told once.
        assert_eq!(written(&embedded), "");
    }

    #[test]
    fn what_another_counter_stands_at_is_told_as_what_it_grew_by() {
        let embedded = Embedded::new("table-order/dev", "table-order-dev-orders");
        let told = |stands_at| {
            metrics::with_local_recorder(&embedded, || counter!(SSE_SLOW_READERS_TOTAL).absolute(stands_at));
            serde_json::from_str::<Value>(&written(&embedded))
                .map_or(Value::Null, |line| line[SSE_SLOW_READERS_TOTAL].clone())
        };
        assert_eq!([told(3), told(3), told(5)], [json!(3), Value::Null, json!(2)]);
    }

    #[test]
    fn a_histogram_has_no_more_values_than_cloudwatch_takes() {
        let embedded = Embedded::new("table-order/dev", "table-order-dev-orders");
        metrics::with_local_recorder(&embedded, || {
            (0..1_000).for_each(|value| histogram!(HTTP_REQUEST_DURATION_SECONDS).record(f64::from(value)));
        });
        let line: Value = serde_json::from_str(&written(&embedded)).unwrap();
        assert_eq!(line[HTTP_REQUEST_DURATION_SECONDS].as_array().unwrap().len(), MOST_VALUES);
    }
}
