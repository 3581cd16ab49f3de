//! The containers: `docker-compose.yml`, and what Prometheus and Grafana are given, name what the code and the documents know.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use local::gateway;
use regex::Regex;
use serde_json::Value;
use shared::config::VARIABLES;
use shared::telemetry::metrics::{
    Kind, LAID_ASIDE_MESSAGES, LOGIN_FAILURES_TOTAL, METRICS, Metric, ORDER_AMOUNT_WON_TOTAL, ORDERS_PLACED_TOTAL,
};

/// What the AWS SDK reads.
const AWS: [&str; 4] = ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// What others' images read: the beginnings of the names.
const OF_IMAGES: [&str; 3] = ["POSTGRES_", "RABBITMQ_DEFAULT_", "GF_"];
/// What only other processes count: in the container of streams it stays 0.
const OF_OTHERS: [&str; 4] = [ORDERS_PLACED_TOTAL, ORDER_AMOUNT_WON_TOTAL, LOGIN_FAILURES_TOTAL, LAID_ASIDE_MESSAGES];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A YAML file; JSON is YAML, too.
fn yaml(path: impl AsRef<Path>) -> Value {
    serde_saphyr::from_str(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// The services of `docker-compose.yml`.
fn services() -> BTreeMap<String, Value> {
    serde_json::from_value(yaml("docker-compose.yml")["services"].clone()).unwrap()
}

/// The files below a folder, by their path in the workspace.
fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(workspace().join(folder)).unwrap();
    let paths = entries.flat_map(|entry| {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() { files(&path) } else { vec![path] }
    });
    paths.collect()
}

/// Every text under a key, however deep.
fn texts_under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| texts_under(value, key, found)),
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str));
            fields.values().for_each(|value| texts_under(value, key, found));
        }
        _ => {}
    }
}

/// The lists of strings and maps that a service's `key` may be, as texts.
fn texts(service: &Value, key: &str) -> Vec<String> {
    let list = service[key].as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// What Prometheus can ask one of our processes for.
fn told_by(job: &str) -> Vec<&'static Metric> {
    let tells = |metric: &&Metric| match job {
        "gateway" => gateway::METRICS.contains(&metric.name),
        "stream" => !OF_OTHERS.contains(&metric.name),
        _ => false,
    };
    METRICS.iter().filter(tells).collect()
}

/// The names of a metric's series.
fn series(metric: &Metric) -> Vec<String> {
    let parts: &[&str] = if metric.kind == Kind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
    parts.iter().map(|part| format!("{}{part}", metric.name)).collect()
}

#[test]
fn a_service_sets_no_variable_that_nobody_reads() {
    let mut seen = 0;
    for (name, service) in services() {
        let variables = service["environment"].as_object().into_iter().flatten();
        for (variable, value) in variables {
            let ours = VARIABLES.iter().any(|known| known.name == variable) || AWS.contains(&variable.as_str());
            let of_image = OF_IMAGES.iter().any(|beginning| variable.starts_with(beginning));
            let is_ours = service["image"] == "table-order-dev";
            assert!(if is_ours { ours } else { of_image }, "{name}: nobody reads {variable}");
            assert!(value.is_string(), "{name}: {variable} must be quoted");
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} variables were found");
}

#[test]
fn the_emulator_of_aws_is_the_version_that_the_tests_use_and_cargo_lambda_is_read_from_the_same_file() {
    let requirements = read("local/private/requirements.txt");
    let moto = requirements.lines().find_map(|line| line.strip_prefix("moto[server]==")).unwrap();
    assert_eq!(services()["aws"]["image"], format!("motoserver/moto:{moto}"));
    assert!(requirements.lines().any(|line| line.starts_with("cargo-lambda==")), "{requirements}");
    assert!(read("Dockerfile").contains("COPY local/private/requirements.txt"));
}

#[test]
fn rust_is_the_version_that_the_workspace_asks_for() {
    let wanted = Regex::new(r#"(?m)^rust-version = "(.+)"$"#).unwrap();
    let manifest = read("Cargo.toml");
    let wanted = &wanted.captures(&manifest).unwrap()[1];
    let images: Vec<_> =
        read("Dockerfile").lines().filter_map(|line| line.strip_prefix("FROM rust:")).map(str::to_owned).collect();
    assert_eq!(images, [format!("{wanted}-bookworm AS rust")]);
}

/// docs/LOCAL.md says what can be reached where; nothing can be from another machine.
#[test]
fn every_port_is_open_to_this_machine_alone_and_documented() {
    let row = Regex::new(r"(?m)^\| `([a-z]+)`[^|]*\|[^|]*\blocalhost:(\d+)").unwrap();
    let document = read("docs/LOCAL.md");
    let documented: BTreeSet<_> =
        row.captures_iter(&document).map(|groups| (groups[1].to_owned(), groups[2].to_owned())).collect();
    let mut published = BTreeSet::new();
    for (name, service) in services() {
        for port in texts(&service, "ports") {
            let port = port.strip_prefix("127.0.0.1:").unwrap_or_else(|| panic!("{name}: {port} is open to all"));
            published.insert((name.clone(), port.split_once(':').unwrap().0.to_owned()));
        }
    }
    assert_eq!(published, documented);

    let readme = read("README.md");
    let section = readme.split("\n## ").find(|section| section.contains("docker compose up")).unwrap();
    let ports = Regex::new(r"localhost:(\d+)").unwrap();
    for groups in ports.captures_iter(section) {
        assert!(published.iter().any(|(_, port)| *port == groups[1]), "README.md: nothing is at {}", &groups[0]);
    }
    assert!(ports.is_match(section), "{section}");
}

/// Names of hosts in addresses, and what is waited for, are services.
#[test]
fn services_find_each_other() {
    let services = services();
    let compose = read("docker-compose.yml") + &read("ops/prometheus/prometheus.yml");
    let host = Regex::new(r#"(?:://(?:\w+:\w+@)?|targets: \[")([a-z-]+):\d+"#).unwrap();
    let hosts: BTreeSet<_> = host.captures_iter(&compose).map(|groups| groups[1].to_owned()).collect();
    assert!(hosts.len() > 6, "{hosts:?}");
    for host in hosts {
        assert!(host == "localhost" || services.contains_key(&host), "{host} is no service");
    }
    for (name, service) in &services {
        for (other, wait) in service["depends_on"].as_object().into_iter().flatten() {
            let checked = !services[other]["healthcheck"].is_null();
            assert_eq!(wait["condition"] == "service_healthy", checked, "{name} waits for {other}");
        }
    }
}

#[test]
fn every_query_names_a_metric_of_the_process_that_it_asks() {
    let scraped = yaml("ops/prometheus/prometheus.yml");
    let jobs: BTreeSet<_> =
        scraped["scrape_configs"].as_array().unwrap().iter().map(|job| job["job_name"].as_str().unwrap()).collect();
    // A name, and the labels that choose among its series.
    let selector = Regex::new(r"\b([a-z_][a-z0-9_]*)\{([^}]*)\}").unwrap();
    let wanted_job = Regex::new(r#"\bjob=~?"([^"]+)""#).unwrap();
    let label = Regex::new(r"(\w+)[=!]").unwrap();
    let word = Regex::new(r"\w+").unwrap();
    let all_series: BTreeSet<_> = METRICS.iter().flat_map(series).collect();
    let mut seen = 0;
    for file in files("ops").into_iter().filter(|file| !file.ends_with(".sh")) {
        let document = yaml(&file);
        let mut queries = Vec::new();
        texts_under(&document, "expr", &mut queries);
        for query in queries {
            let mut selectors = 0;
            for groups in selector.captures_iter(query) {
                let (name, labels) = (&groups[1], &groups[2]);
                let job = wanted_job.captures(labels).unwrap_or_else(|| panic!("{file}: {name} of which job? {query}"));
                for job in job[1].split('|') {
                    assert!(jobs.contains(job), "{file}: there is no job {job}: {query}");
                    let theirs = job.starts_with("rabbitmq") && name.starts_with("rabbitmq_");
                    let ours = told_by(job).into_iter().find(|metric| series(metric).iter().any(|one| one == name));
                    assert!(theirs || ours.is_some(), "{file}: {job} tells no {name}: {query}");
                    let known = ours.map_or(&[][..], |metric| metric.labels);
                    for label in label.captures_iter(labels) {
                        let known = theirs || ["job", "le"].contains(&&label[1]) || known.contains(&&label[1]);
                        assert!(known, "{file}: {name} has no label {}: {query}", &label[1]);
                    }
                }
                selectors += 1;
            }
            assert!(selectors > 0, "{file}: nothing is asked for by its job: {query}");
            // A name without labels would ask every job.
            let bare = word
                .find_iter(query)
                .find(|word| all_series.contains(word.as_str()) && !query[word.end()..].starts_with('{'));
            assert!(bare.is_none(), "{file}: which job? {query}");
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} queries were found");
}

#[test]
fn grafana_finds_its_dashboard_and_its_panels_find_prometheus() {
    let source = yaml("ops/grafana/provisioning/datasources/prometheus.yml");
    let dashboard: Value = serde_json::from_str(&read("ops/grafana/dashboards/table-order.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], source["datasources"][0]["uid"], "{}", panel["title"]);
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{}", panel["title"]);
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");

    let grafana = &services()["grafana"];
    let home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().unwrap();
    let provider = yaml("ops/grafana/provisioning/dashboards/table-order.yml");
    let folder = provider["providers"][0]["options"]["path"].as_str().unwrap();
    assert_eq!(home, format!("{folder}/table-order.json"));
    assert!(texts(grafana, "volumes").contains(&format!("./ops/grafana/dashboards:{folder}:ro")));
}

/// Started only by a guest's first request, a function would keep the guest waiting.
#[test]
fn every_function_is_started_before_anybody_asks() {
    let script = read("ops/api.sh");
    for entry in fs::read_dir(workspace().join("functions")).unwrap() {
        let function = entry.unwrap().file_name().into_string().unwrap();
        let named = Regex::new(&format!(r"\b{function}\b")).unwrap().is_match(&script);
        // The migration is no part of the service.
        assert_eq!(named, function != "migrate", "{function}");
    }
}
