//! What Prometheus is asked for: by name, each metric of a process that tells it.

use std::collections::BTreeSet;
use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use local::gateway;
use private_services::free_port;
use private_services::packages::on_path;
use regex::Regex;
use serde_json::json;
use shared::telemetry::metrics::{
    DEAD_LETTER_MESSAGES, Kind, LAID_ASIDE_MESSAGES, LOGIN_FAILURES_TOTAL, METRICS, Metric, ORDER_AMOUNT_WON_TOTAL,
    ORDERS_PLACED_TOTAL, QUEUE_MESSAGES, QUEUES_WITHOUT_CONSUMER,
};
use shared::testing::TestDatabase;

use super::queries;
use crate::compose::{workspace, yaml};
use crate::routes::routes;

/// What only other processes count: in the container of streams it stays 0.
const OF_OTHERS: [&str; 7] = [
    ORDERS_PLACED_TOTAL,
    ORDER_AMOUNT_WON_TOTAL,
    LOGIN_FAILURES_TOTAL,
    QUEUE_MESSAGES,
    QUEUES_WITHOUT_CONSUMER,
    DEAD_LETTER_MESSAGES,
    LAID_ASIDE_MESSAGES,
];
/// A metric that others tell, as far as it is asked for: the job that asks them, its name, and its labels.
type Told = (&'static str, &'static str, &'static [&'static str]);
/// Those of PostgreSQL's exporter; a test looks at what it tells.
const OF_POSTGRES: [Told; 16] = [
    ("postgres", "pg_up", &[]),
    ("postgres", "pg_database_size_bytes", &["datname"]),
    ("postgres", "pg_locks_count", &["datname", "mode"]),
    ("postgres", "pg_settings_max_connections", &[]),
    ("postgres", "pg_stat_activity_count", &["datname", "state"]),
    ("postgres", "pg_stat_database_blks_hit", &["datname"]),
    ("postgres", "pg_stat_database_blks_read", &["datname"]),
    ("postgres", "pg_stat_database_deadlocks", &["datname"]),
    ("postgres", "pg_stat_database_temp_files", &["datname"]),
    ("postgres", "pg_stat_database_tup_deleted", &["datname"]),
    ("postgres", "pg_stat_database_tup_fetched", &["datname"]),
    ("postgres", "pg_stat_database_tup_inserted", &["datname"]),
    ("postgres", "pg_stat_database_tup_returned", &["datname"]),
    ("postgres", "pg_stat_database_tup_updated", &["datname"]),
    ("postgres", "pg_stat_database_xact_commit", &["datname"]),
    ("postgres", "pg_stat_database_xact_rollback", &["datname"]),
];
/// Those that the exporter in the containers tells (0.19.1: `collector` and `exporter` of its source), and Debian's not yet.
const OF_NEWER_EXPORTER: [Told; 2] = [
    ("postgres", "pg_stat_activity_max_tx_duration", &["datname", "state", "usename"]),
    ("postgres", "pg_stat_user_tables_n_dead_tup", &["datname", "relname"]),
];
/// Those of RabbitMQ 4.2: `deps/rabbitmq_prometheus` of its source. Of `/metrics/detailed` it tells what it is asked for.
const OF_RABBITMQ: [Told; 8] = [
    ("rabbitmq", "rabbitmq_global_messages_received_total", &["protocol"]),
    ("rabbitmq", "rabbitmq_global_messages_delivered_total", &["protocol", "queue_type"]),
    ("rabbitmq", "rabbitmq_global_messages_acknowledged_total", &["protocol", "queue_type"]),
    ("rabbitmq", "rabbitmq_process_resident_memory_bytes", &[]),
    ("rabbitmq", "rabbitmq_resident_memory_limit_bytes", &[]),
    ("rabbitmq-queues", "rabbitmq_detailed_queue_messages", &["vhost", "queue"]),
    ("rabbitmq-queues", "rabbitmq_detailed_queue_messages_ready", &["vhost", "queue"]),
    ("rabbitmq-queues", "rabbitmq_detailed_queue_consumers", &["vhost", "queue"]),
];
/// How long the exporter may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// What others tell.
fn of_others() -> impl Iterator<Item = &'static Told> {
    OF_POSTGRES.iter().chain(&OF_NEWER_EXPORTER).chain(&OF_RABBITMQ)
}

/// The names of a metric's series.
fn series(metric: &Metric) -> Vec<String> {
    let parts: &[&str] = if metric.kind == Kind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
    parts.iter().map(|part| format!("{}{part}", metric.name)).collect()
}

/// The labels of a series, besides `job`, if this job tells it. `None` stands for Prometheus itself.
fn labels(job: Option<&str>, name: &str) -> Option<Vec<&'static str>> {
    let Some(job) = job else { return (name == "ALERTS").then(|| vec!["alertname", "alertstate", "severity"]) };
    if name == "up" {
        return Some(vec![]);
    }
    let ours = METRICS.iter().find(|metric| series(metric).iter().any(|one| one == name));
    let tells = |metric: &Metric| match job {
        "gateway" => gateway::METRICS.contains(&metric.name),
        "stream" => !OF_OTHERS.contains(&metric.name),
        _ => false,
    };
    match ours {
        Some(metric) => tells(metric).then(|| [metric.labels, &["le"]].concat()),
        None => of_others().find(|told| (told.0, told.1) == (job, name)).map(|told| told.2.into()),
    }
}

#[test]
fn every_query_names_a_metric_of_the_process_that_it_asks() {
    let scraped = yaml("ops/prometheus/prometheus.yml");
    let jobs: BTreeSet<_> =
        scraped["scrape_configs"].as_array().unwrap().iter().map(|job| job["job_name"].as_str().unwrap()).collect();
    // A name, and the labels that choose among its series.
    let selector = Regex::new(r"\b([A-Za-z_][A-Za-z0-9_]*)\{([^}]*)\}").unwrap();
    let wanted_job = Regex::new(r#"\bjob=~?"([^"]+)""#).unwrap();
    let label = Regex::new(r"(\w+)(?:=|!=|!~)").unwrap();
    let word = Regex::new(r"\w+").unwrap();
    let of_others = of_others().map(|told| told.1).chain(["up", "ALERTS"]).map(str::to_owned);
    let all_series: BTreeSet<_> = METRICS.iter().flat_map(series).chain(of_others).collect();
    let queries = queries();
    for (place, query) in &queries {
        for groups in selector.captures_iter(query) {
            let (name, chosen) = (&groups[1], &groups[2]);
            let asked: Vec<_> = match wanted_job.captures(chosen) {
                Some(job) => job.get(1).unwrap().as_str().split('|').map(Some).collect(),
                None => vec![None],
            };
            for job in asked {
                assert!(job.is_none_or(|job| jobs.contains(job)), "{place}: there is no such job: {query}");
                let known = labels(job, name);
                let known = known.unwrap_or_else(|| panic!("{place}: {job:?} tells no {name}: {query}"));
                for label in label.captures_iter(chosen).filter(|label| &label[1] != "job") {
                    assert!(known.contains(&&label[1]), "{place}: {name} has no label {}: {query}", &label[1]);
                }
            }
        }
        assert!(selector.is_match(query), "{place}: nothing is asked for by its job: {query}");
        // A name without labels would ask every job.
        let bare = word
            .find_iter(query)
            .find(|word| all_series.contains(word.as_str()) && !query[word.end()..].starts_with('{'));
        assert!(bare.is_none(), "{place}: which job? {query}");
    }
    assert!(queries.len() >= 60, "only {} queries were found", queries.len());
}

/// A name that is asked for nowhere need not be looked after.
#[test]
fn what_others_are_said_to_tell_is_asked_for() {
    let queries: String = queries().into_iter().map(|(_, query)| query + "\n").collect();
    for (_, name, _) in of_others() {
        assert!(queries.contains(&format!("{name}{{")), "nobody asks for {name}");
    }
    let scraped = yaml("ops/prometheus/prometheus.yml");
    let jobs = scraped["scrape_configs"].as_array().unwrap();
    let detailed = jobs.iter().find(|job| job["job_name"] == "rabbitmq-queues").unwrap();
    assert_eq!(detailed["params"]["family"], json!(["queue_coarse_metrics", "queue_consumer_count"]));
}

#[test]
fn an_endpoint_that_a_query_names_is_served() {
    let routes: BTreeSet<_> = routes().into_iter().map(|(_, path)| path).collect();
    let endpoint = Regex::new(r#"\bendpoint(=~?)"([^"]+)""#).unwrap();
    let mut seen = 0;
    for (place, query) in queries() {
        for groups in endpoint.captures_iter(&query) {
            let named = if &groups[1] == "=" { regex::escape(&groups[2]) } else { groups[2].to_owned() };
            let named = Regex::new(&format!("^(?:{named})$")).unwrap();
            assert!(routes.iter().any(|route| named.is_match(route)), "{place}: {} is not served", &groups[2]);
            seen += 1;
        }
    }
    assert!(seen >= 2, "only {seen} were found");
}

/// The exporter, where this machine has it: `make ops-check` unpacks Debian's.
fn exporter() -> Option<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let unpacked = target.join("tools/bin/prometheus-postgres-exporter");
    on_path("prometheus-postgres-exporter")
        .or(on_path("postgres_exporter"))
        .or(Some(unpacked).filter(|path| path.is_file()))
}

/// What an exporter on this port tells.
fn scrape(port: u16) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    connection.read_to_string(&mut text)?;
    Ok(text)
}

/// Debian's, which is older than the one in the containers.
#[tokio::test]
async fn the_exporter_of_postgresql_tells_what_it_is_asked_for() {
    let Some(exporter) = exporter() else {
        assert!(env::var_os("CI").is_none(), "there is no postgres_exporter: `make ops-check` brings it");
        return;
    };
    let database = TestDatabase::create().await;
    let port = free_port().unwrap();
    let mut process = Command::new(exporter)
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .env("DATA_SOURCE_NAME", format!("{}?sslmode=disable", database.url()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let text = loop {
        match scrape(port) {
            Ok(text) if text.contains("\npg_up 1\n") => break text,
            other => assert!(begun.elapsed() < PATIENCE, "{other:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    process.kill().unwrap();
    process.wait().unwrap();

    for (_, name, labels) in OF_POSTGRES {
        let line = text.lines().find(|line| line.split(['{', ' ']).next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("it tells no {name}: {text}"));
        for label in labels {
            assert!(line.contains(&format!("{label}=\"")), "{line} has no {label}");
        }
    }
}
