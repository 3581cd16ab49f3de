//! `events/`: what developers invoke functions with.

use std::fs;

use serde_json::Value;

use crate::running::Running;

/// A sample for every function, and each is answered.
pub(crate) async fn every_function_answers_its_samples(running: &Running) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");
    let mut functions = Vec::new();
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let function = name.split('.').next().unwrap().to_owned();
        let event: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let answer = running.invoke(&function, &event).await;
        if let Some(status) = answer["statusCode"].as_u64() {
            assert!(status < 500, "{name}: {answer}");
        }
        if function == "fanout" {
            assert_eq!(answer["parked"], 0, "{name}: {answer}");
        }
        functions.push(function);
    }
    functions.dedup();
    let all = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions");
    let mut all: Vec<_> =
        fs::read_dir(all).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    all.sort();
    assert_eq!(functions, all, "a function lacks a sample, or a sample its function");
}
