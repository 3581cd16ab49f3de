//! The containers: `docker-compose.yml` names what the code and the documents know, and files that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;
use shared::config::VARIABLES;

/// What the AWS SDK reads.
const AWS: [&str; 4] = ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// What others' images read: the beginnings of the names.
const OF_IMAGES: [&str; 4] = ["POSTGRES_", "RABBITMQ_DEFAULT_", "GF_", "DATA_SOURCE_"];

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A YAML file; JSON is YAML, too.
pub(crate) fn yaml(path: impl AsRef<Path>) -> Value {
    serde_saphyr::from_str(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// The services of `docker-compose.yml`.
pub(crate) fn services() -> BTreeMap<String, Value> {
    serde_json::from_value(yaml("docker-compose.yml")["services"].clone()).unwrap()
}

/// The files below a folder, by their path in the workspace.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(workspace().join(folder)).unwrap();
    let paths = entries.flat_map(|entry| {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() { files(&path) } else { vec![path] }
    });
    paths.collect()
}

/// The lists of strings and maps that a service's `key` may be, as texts.
pub(crate) fn texts(service: &Value, key: &str) -> Vec<String> {
    let list = service[key].as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
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
    let files =
        ["docker-compose.yml", "ops/prometheus/prometheus.yml", "ops/grafana/provisioning/datasources/table-order.yml"];
    let compose = files.map(read).concat();
    let host = Regex::new(r#"(?:://(?:\w+:\w+@)?|targets: \["|url: )([a-z-]+):\d+"#).unwrap();
    let hosts: BTreeSet<_> = host.captures_iter(&compose).map(|groups| groups[1].to_owned()).collect();
    assert!(hosts.len() > 9, "{hosts:?}");
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

/// Docker makes an empty folder of a file that is not there.
#[test]
fn what_a_service_is_given_of_the_workspace_is_there() {
    let mut seen = 0;
    for (name, service) in services() {
        for volume in texts(&service, "volumes") {
            let Some(path) = volume.strip_prefix("./") else { continue };
            let path = path.split_once(':').unwrap().0;
            assert!(workspace().join(path).exists(), "{name}: there is no {path}");
            seen += 1;
        }
    }
    assert!(seen > 4, "only {seen} were found");
}

/// The role that reads the database: made by one file, used by two others.
#[test]
fn who_reads_the_database_has_a_role_in_it() {
    let (role, password) = ("reader", "reader");
    assert!(read("ops/postgres/reader.sql").contains(&format!("create role {role} login password '{password}';")));
    let given = "./ops/postgres/reader.sql:/docker-entrypoint-initdb.d/reader.sql:ro".to_owned();
    let services = services();
    assert!(texts(&services["db"], "volumes").contains(&given));
    let source = services["postgres-exporter"]["environment"]["DATA_SOURCE_NAME"].as_str().unwrap();
    assert!(source.starts_with(&format!("postgres://{role}:{password}@db:5432/tableorder?")), "{source}");
    let sources = yaml("ops/grafana/provisioning/datasources/table-order.yml");
    let source = &sources["datasources"][1];
    assert_eq!((&source["user"], &source["secureJsonData"]["password"]), (&role.into(), &password.into()));
    assert_eq!(source["jsonData"]["database"], services["db"]["environment"]["POSTGRES_DB"]);
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
