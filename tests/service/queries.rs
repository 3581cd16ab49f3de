//! Every query has a name, by which it is measured and found.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

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

#[test]
fn queries_are_nowhere_else() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<_> =
        ["shared/src", "functions", "stream/src", "local/src"].map(|name| workspace.join(name)).into();
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let skipped = ["shared/src/db", "shared/src/testing", "tests", "target"];
            if skipped.iter().any(|end| path.ends_with(end)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files += 1;
                let source = fs::read_to_string(&path).unwrap();
                assert!(!source.contains("sqlx::query"), "{} queries the database itself", path.display());
            }
        }
    }
    assert!(files > 60, "only {files} files were found");
}
