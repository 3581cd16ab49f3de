//! Every query has a name, by which it is measured and found, and none is put together while the program runs.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use regex::Regex;

/// The functions of a file in `shared::db` that run queries, each with how many it runs and the names it gives them.
fn queries(source: &str) -> Vec<(&str, usize, Vec<&str>)> {
    let functions = source.split("fn ").skip(1);
    functions
        .map(|text| {
            let (name, body) = text.split_once('(').unwrap();
            let run = [".fetch_one(", ".fetch_optional(", ".fetch_all(", ".execute("];
            let runs = run.iter().map(|call| body.matches(call).count()).sum();
            let names = body.split(".named(\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
            (name.split('<').next().unwrap(), runs, names)
        })
        .collect()
}

#[test]
fn a_query_is_named_after_its_file_and_function_and_no_two_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src/db");
    let mut seen = HashSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_str().unwrap();
        let source = fs::read_to_string(&path).unwrap();
        for (function, runs, names) in queries(&source) {
            assert_eq!(names.len(), runs, "{file}::{function} runs {runs} queries and names {names:?}");
            let expected = if file == "mod" { function.to_owned() } else { format!("{file}.{function}") };
            for name in names {
                assert!(name.starts_with(&expected), "{name} is a query of {expected}");
                assert!(seen.insert(name.to_owned()), "two queries are called {name}");
            }
        }
    }
    assert!(seen.len() > 60, "only {} queries were found", seen.len());
}

/// The Rust sources below folders of the workspace, tests left out, each with its path.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let mut folders: Vec<_> = folders.iter().map(|name| workspace.join(name)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let skipped = ["shared/src/testing", "tests", "target"];
            if skipped.iter().any(|end| path.ends_with(end)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&workspace).unwrap().to_str().unwrap().to_owned();
                sources.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(sources.len() > 60, "only {} files were found", sources.len());
    sources
}

#[test]
fn queries_are_nowhere_else() {
    for (path, source) in sources(&["shared/src", "functions", "stream/src", "local/src"]) {
        let queries = source.contains("sqlx::query") && !path.starts_with("shared/src/db/");
        assert!(!queries, "{path} queries the database itself");
    }
}

/// Where SQL may be no checked macro: constant texts, all of them.
const UNCHECKED: &[(&str, &str)] = &[
    // sqlx's own table, which may not be there yet.
    ("shared/src/db/mod.rs", r#"query_scalar("select to_regclass('_sqlx_migrations') is not null")"#),
    ("shared/src/db/mod.rs", r#"query_scalar("select max(version) from _sqlx_migrations")"#),
    // A private server, of a developer or of tests, whose database is only being made.
    (
        "local/private/src/postgres/server.rs",
        r#"query_scalar("select exists (select from pg_database where datname = $1)")"#,
    ),
    ("local/private/src/postgres/server.rs", r#"query("create database table_order")"#),
];

/// SQL that is put together while the program runs could hold what a client has sent. `query!` and its like take one text,
/// which PostgreSQL has read when the program was compiled.
#[test]
fn no_sql_is_put_together_from_strings() {
    let unchecked = Regex::new(concat!(
        r"\b(query|query_as|query_scalar)\s*(::<[^(]*>)?\(\s*[^)\s]",
        r"|\bquery\w*_(with|unchecked)\b|\bquery_file\w*|\braw_sql\b|\bQueryBuilder\b|\bAssertSqlSafe\b|\bSqlSafeStr\b",
        r#"|\.(execute|fetch)\w*\(\s*&?(r?#?"|format!)"#,
    ))
    .unwrap();
    let sources = sources(&["shared/src", "functions", "stream/src", "local"]);
    let checked: usize = sources.iter().map(|(_, source)| source.matches("sqlx::query").count()).sum();
    assert!(checked > 60, "only {checked} queries were found");
    let mut allowed: Vec<_> = UNCHECKED.into();
    for (path, source) in sources {
        for found in unchecked.find_iter(&source) {
            let (before, from) = source.split_at(found.start());
            match allowed.iter().position(|(file, sql)| *file == path && from.starts_with(sql)) {
                Some(known) => drop(allowed.remove(known)),
                None => panic!("{path}:{}: nobody has checked `{}`", before.lines().count(), found.as_str()),
            }
        }
    }
    assert!(allowed.is_empty(), "not there any more: {allowed:?}");
}
