//! Documents: what they name is there, and what they list is complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use shared::Code;
use shared::config::VARIABLES;
use shared::domain::event::EventType;
use shared::events::topology::dead_letter_queue;
use shared::telemetry::metrics::METRICS;

use crate::routes::routes;

/// A line of a document.
struct Line {
    document: String,
    number: usize,
    text: String,
}

impl Line {
    fn place(&self) -> String {
        format!("{}:{}", self.document, self.number)
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents, by their path in the workspace.
fn documents() -> Vec<String> {
    let mut documents: Vec<_> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned).into();
    for entry in fs::read_dir(workspace().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            documents.push(format!("docs/{name}"));
        }
    }
    assert!(documents.len() > 8, "{documents:?}");
    documents
}

fn lines() -> Vec<Line> {
    let of = |document: String| {
        let text = read(&document);
        let lines = text.lines().enumerate().map(|(at, text)| (at + 1, text.to_owned())).collect::<Vec<_>>();
        lines.into_iter().map(move |(number, text)| Line { document: document.clone(), number, text })
    };
    documents().into_iter().flat_map(of).collect()
}

/// What a pattern's first group finds, each with the line it stands in. At least `least`, or the pattern has gone blind.
fn found(pattern: &str, least: usize) -> Vec<(String, Line)> {
    let pattern = Regex::new(pattern).unwrap();
    let mut found = Vec::new();
    for line in lines() {
        for groups in pattern.captures_iter(&line.text) {
            let line = Line { document: line.document.clone(), number: line.number, text: line.text.clone() };
            found.push((groups[1].to_owned(), line));
        }
    }
    assert!(found.len() >= least, "{pattern} found only {}", found.len());
    found
}

#[test]
fn a_command_that_a_document_names_is_a_task() {
    let makefile = read("Makefile");
    let tasks: BTreeSet<_> = makefile.lines().filter_map(|line| line.strip_prefix(".PHONY: ")).collect();
    for (command, line) in found(r"(?:`|\$ )make ([a-z][a-z -]*)", 20) {
        for task in command.split_whitespace() {
            assert!(tasks.contains(task), "{}: there is no `make {task}`", line.place());
        }
    }
}

#[test]
fn every_task_of_the_makefile_is_in_its_help_or_serves_one_that_is() {
    let makefile = read("Makefile");
    for task in makefile.lines().filter_map(|line| line.strip_prefix(".PHONY: ")).filter(|task| !task.starts_with('$'))
    {
        let explained = makefile.lines().any(|line| line.starts_with(&format!("{task}:")) && line.contains(" ## "));
        let serves = makefile.lines().any(|line| {
            line.split_once(": ")
                .is_some_and(|(name, needs)| name != ".PHONY" && needs.split_whitespace().any(|need| need == task))
        });
        assert!(explained || serves, "nobody learns of `make {task}`");
    }
}

#[test]
fn a_route_that_a_document_names_is_served() {
    let routes: BTreeSet<_> = routes().into_iter().map(|(_, path)| path).collect();
    let id = Regex::new(r"/(\d+|\{id\})(/|$)").unwrap();
    for (path, line) in found(r"(?:^|[^a-z])(/api/[a-z0-9/{},_-]+|/health[a-z/]*|/metrics\b|/\.well-known/[a-z.]+)", 20)
    {
        let path = path.trim_end_matches(['/', '-', ',']);
        let path = id.replace_all(path, "/{id}$2").into_owned();
        let alternatives = match path.split_once('{').filter(|(_, rest)| !rest.starts_with("id}")) {
            Some((before, rest)) => {
                let (names, after) = rest.split_once('}').unwrap();
                names.split(',').map(|name| format!("{before}{name}{after}")).collect()
            }
            None => vec![path],
        };
        for path in alternatives {
            assert!(routes.contains(&path), "{}: {path} is not served", line.place());
        }
    }
}

#[test]
fn an_upper_case_name_in_a_document_is_a_variable_or_a_code() {
    let files = [
        "Makefile",
        ".cargo/config.toml",
        ".github/workflows/deploy.yml",
        "infra/operate.sh",
        "local/private/src/main.rs",
        ".env.example",
        "samconfig.toml",
    ];
    let known_elsewhere: String = files.map(read).concat();
    let word = |name: &str| Regex::new(&format!(r"\b{name}\b")).unwrap().is_match(&known_elsewhere);
    for (name, line) in found(r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])\b(?:[^.]|$)", 50) {
        let variable = VARIABLES.iter().any(|variable| variable.name == name);
        let code = Code::ALL.iter().any(|code| code.as_str() == name);
        let document = documents().iter().any(|document| document.ends_with(&format!("{name}.md")));
        assert!(variable || code || document || word(&name), "{}: there is no {name}", line.place());
    }
}

#[test]
fn a_metric_that_a_document_names_is_counted() {
    let fields_of_events = read("shared/src/domain/event.rs");
    for (name, line) in found(r"`([a-z][a-z_]*_(?:total|seconds|bytes|connections))\b", 13) {
        let metric = METRICS.iter().any(|metric| metric.name == name);
        assert!(metric || fields_of_events.contains(&name), "{}: there is no {name}", line.place());
    }
}

#[test]
fn a_file_that_a_document_names_is_there() {
    for (link, line) in found(r"\]\(([^)#:]+)(?:#[^)]*)?\)", 8) {
        let folder = workspace().join(&line.document).parent().unwrap().to_owned();
        assert!(folder.join(&link).exists(), "{}: there is no {link}", line.place());
    }
    for (path, line) in found(r"`((?:functions|shared|stream|local|tests|migrations|docs)/[^`<>*{ ]+)`", 15) {
        assert!(workspace().join(&path).exists(), "{}: there is no {path}", line.place());
    }
}

#[test]
fn the_error_codes_are_all_listed_with_their_status_and_sentences() {
    let rows: Vec<_> = read("docs/ERRORS.md").lines().filter(|line| line.contains("<br>")).map(str::to_owned).collect();
    let row = |code: &Code| {
        let (name, status, korean, english) = (code.as_str(), code.status(), code.korean(), code.english());
        format!("| `{name}` | {status} | {korean}<br>{english} |")
    };
    assert_eq!(rows, Code::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn the_metrics_are_all_listed_with_their_labels() {
    let kinds = ["counter", "gauge", "histogram"];
    let text = read("docs/TELEMETRY.md");
    let rows: Vec<_> =
        text.lines().filter(|line| kinds.iter().any(|kind| line.contains(&format!("| {kind} |")))).collect();
    let expected: Vec<_> = METRICS
        .iter()
        .map(|metric| {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let kind = format!("{:?}", metric.kind).to_lowercase();
            format!("| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.about)
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn the_events_are_all_listed_by_both_names() {
    let text = read("docs/EVENTS.md");
    let rows: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("| `")).filter(|line| line.contains("` | `")).collect();
    let (queues, events): (Vec<&str>, Vec<&str>) = rows.iter().partition(|row| row.contains("-queue`"));
    assert_eq!((events.len(), queues.len()), (EventType::ALL.len(), EventType::ALL.len()));
    for ((event, queue), event_type) in events.iter().zip(queues).zip(EventType::ALL) {
        let (name, key, takes) = (event_type.name(), event_type.routing_key(), event_type.queue());
        assert!(event.starts_with(&format!("{name}` | `{key}` |")), "{event}");
        assert_eq!(queue, format!("{name}` | `{key}` | `{takes}` | `{}` |", dead_letter_queue(takes)));
    }
}
