//! Metrics: what happens is counted, under the declared names, and no label names a store or a user.

use std::collections::{BTreeMap, BTreeSet};

use metrics_exporter_prometheus::PrometheusRecorder;
use serde_json::json;
use shared::telemetry::metrics::{Kind, METRICS, Metrics, recorder};
use shared::testing::{Options, TestApp};

use crate::service_with;

/// What `/metrics` says: a value for each name with its labels.
struct Scraped(BTreeMap<String, f64>);

impl Scraped {
    async fn from(app: &TestApp) -> Self {
        let answer = app.get("/metrics").send().await;
        assert_eq!(answer.status, 200);
        let lines = answer.body.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Self(
            lines
                .map(|line| {
                    let (name, value) = line.rsplit_once(' ').unwrap();
                    (name.to_owned(), value.parse().unwrap())
                })
                .collect(),
        )
    }

    fn value(&self, series: &str) -> f64 {
        *self.0.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.0))
    }
}

/// A service whose metrics are kept by this recorder. What the test's own thread counts comes to it, and nothing else.
async fn measured(recorder: &PrometheusRecorder) -> TestApp {
    service_with(Options { metrics: Metrics::of(recorder), ..Options::default() }).await
}

#[tokio::test]
async fn what_happens_is_counted() {
    let recorder = recorder();
    let _kept = metrics::set_default_local_recorder(&recorder);
    let app = measured(&recorder).await;
    let store = app.store().await;
    let before = Scraped::from(&app).await;
    for counter in ["orders_placed_total", "order_amount_won_total", "http_errors_total", "sse_slow_readers_total"] {
        assert_eq!(before.value(counter), 0.0, "{counter}");
    }

    let table = app.table(&store, "7").await;
    let category = app.category(&store, "식사").await;
    let menu = app.menu(&store, category, "김치찌개", 9_000).await;
    let order = json!({"items": [{"menu_id": menu, "quantity": 2}]});
    for _sent_twice in 0..2 {
        let place = app.post("/api/customer/orders").token(&table.token).header("idempotency-key", "tap-1");
        place.json(order.clone()).send().await.expect(201);
    }
    let wrong = json!({"store_id": store.id, "table_number": "7", "password": "wrong"});
    app.post("/api/customer/auth/login").json(wrong).send().await.expect_error(401, "INVALID_CREDENTIALS");
    app.get("/api/nowhere").send().await.expect_error(404, "NOT_FOUND");
    app.get("/api/admin/orders/123456").token(&store.admin.token).send().await.expect_error(404, "ORDER_NOT_FOUND");
    let _stream = app.get("/api/admin/orders/stream").token(&store.admin.token).open().await;
    app.clock.advance(chrono::TimeDelta::seconds(42));

    let after = Scraped::from(&app).await;
    assert_eq!(after.value("orders_placed_total"), 1.0);
    assert_eq!(after.value("order_amount_won_total"), 18_000.0);
    assert_eq!(after.value(r#"login_failures_total{role="table"}"#), 1.0);
    let requests = |method, endpoint, status| {
        let labels = format!(r#"method="{method}",endpoint="{endpoint}",status="{status}""#);
        after.value(&format!("http_requests_total{{{labels}}}"))
    };
    assert_eq!(requests("POST", "/api/customer/orders", 201), 2.0);
    assert_eq!(requests("GET", "/api/admin/orders/{id}", 404), 1.0);
    assert_eq!(requests("GET", "unmatched", 404), 1.0);
    let timed = r#"http_request_duration_seconds_count{method="POST",endpoint="/api/customer/orders"}"#;
    assert_eq!(after.value(timed), 2.0);
    assert_eq!(after.value(r#"db_query_duration_seconds_count{query_name="placing.insert"}"#), 1.0);
    assert_eq!(after.value("outbox_oldest_seconds"), 42.0);
    assert_eq!(after.value("sse_connections"), 1.0);
    assert!(after.value("process_resident_memory_bytes") > 1e6);
    assert!(after.0.contains_key("active_connections"));

    app.drain().await;
    assert_eq!(Scraped::from(&app).await.value("outbox_oldest_seconds"), 0.0);
}

#[tokio::test]
async fn a_fault_is_an_error_and_metrics_are_told_without_the_database() {
    let recorder = recorder();
    let _kept = metrics::set_default_local_recorder(&recorder);
    let app = measured(&recorder).await;
    let store = app.store().await;
    app.get("/api/admin/orders/123456").token(&store.admin.token).send().await.expect_error(404, "ORDER_NOT_FOUND");
    assert_eq!(Scraped::from(&app).await.value("http_errors_total"), 0.0, "a refusal is no fault");

    app.cut_off_database().await;
    app.get("/api/admin/dashboard").token(&store.admin.token).send().await.expect_error(503, "SERVICE_UNAVAILABLE");

    assert_eq!(Scraped::from(&app).await.value("http_errors_total"), 1.0);
}

#[tokio::test]
async fn every_metric_is_declared_and_no_label_names_a_store_or_a_user() {
    let recorder = recorder();
    let _kept = metrics::set_default_local_recorder(&recorder);
    let app = measured(&recorder).await;
    let store = app.store().await;
    let table = app.table(&store, "창가 7").await;
    app.get("/metrics").token(&store.admin.token).send().await;
    for path in ["/api/customer/menus", "/api/customer/orders/987654321", "/api/nowhere/987654321"] {
        app.get(path).token(&table.token).send().await;
    }
    for path in ["/api/customer/menus", "/api/nowhere"] {
        // Whatever a client makes up: there would be no end to them.
        app.request("BREW-987654321".parse().unwrap(), path).send().await;
    }

    let text = app.get("/metrics").send().await.body;
    for name in [store.id.to_string().as_str(), "창가", "987654321", &store.admin.username, "table:"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
    assert!(text.contains(r#"http_requests_total{method="_OTHER",endpoint="unmatched",status="404"} 1"#), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) =
            series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest.trim_end_matches('}')));
        let metric = METRICS.iter().find(|metric| {
            let parts: &[&str] = if metric.kind == Kind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
            parts.iter().any(|part| name == format!("{}{part}", metric.name))
        });
        let metric = metric.unwrap_or_else(|| panic!("{name} is not declared"));
        let labels =
            labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).filter(|label| *label != "le");
        assert_eq!(labels.collect::<BTreeSet<_>>(), metric.labels.iter().copied().collect(), "{line}");
    }
    for metric in METRICS {
        assert!(text.contains(&format!("# HELP {} ", metric.name)) || !metric.labels.is_empty(), "{}", metric.name);
    }
}
