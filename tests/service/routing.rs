//! Which piece of the service a request is handed to, where the pieces are programs of their own.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use serde_json::Value;
use shared::http::Routes;

use crate::routes::routes;

/// A function's `router()`.
type Router = fn() -> Routes;

/// The HTTP functions whose paths `cargo lambda watch` is told of. Everything else is `system`'s.
const FUNCTIONS: [(&str, Router); 5] = [
    ("auth", auth::router),
    ("menus", menus::router),
    ("orders", orders::router),
    ("tables", tables::router),
    ("stores", stores::router),
];

fn paths(routes: Routes) -> Vec<String> {
    routes.openapi().paths.paths.into_keys().collect()
}

/// The workspace as cargo, and with it `cargo lambda watch`, sees it.
fn workspace() -> Value {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    // In a package's own folder, that package alone would be the default.
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let output = cargo.output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// The table of `cargo lambda watch`.
pub(crate) fn router_of_cargo_lambda() -> BTreeMap<String, String> {
    let router = &workspace()["metadata"]["lambda"]["watch"]["router"];
    serde_json::from_value(router.clone()).unwrap()
}

#[test]
fn cargo_lambda_watch_hands_each_path_to_the_function_that_serves_it_and_the_rest_to_system() {
    let router = router_of_cargo_lambda();
    let mut expected: BTreeMap<_, _> = ["/", "/{*path}"].map(|path| (path.to_owned(), "system".to_owned())).into();
    for (function, routes) in FUNCTIONS {
        for path in paths(routes()) {
            let other = expected.insert(path.clone(), function.to_owned());
            assert_eq!(other, None, "{path} is served by {function}, too: a path must belong to one function");
        }
    }
    assert_eq!(router, expected, "say it in Cargo.toml, under workspace.metadata.lambda.watch.router");

    let systems = paths(system::router());
    for (_, path) in routes() {
        // Streams outlive a function's call: a container serves them, and `/metrics` is its own.
        let streams = path.ends_with("/stream") || path == "/metrics";
        let known = expected.contains_key(&path) || systems.contains(&path);
        assert!(known != streams, "{path} is new: name the function that serves it here");
    }
}

/// `cargo lambda watch` runs a function as `cargo run --bin <its name>`.
#[test]
fn every_function_has_a_binary_of_its_name_that_cargo_run_finds() {
    let workspace = workspace();
    let defaults = workspace["workspace_default_members"].as_array().unwrap();
    let packages = workspace["packages"].as_array().unwrap();
    let runnable: Vec<_> = packages
        .iter()
        .filter(|package| defaults.contains(&package["id"]))
        .flat_map(|package| package["targets"].as_array().unwrap())
        .filter(|target| target["kind"] == serde_json::json!(["bin"]))
        .map(|target| target["name"].as_str().unwrap())
        .collect();
    for function in FUNCTIONS.map(|(name, _)| name).into_iter().chain(["system"]) {
        assert_eq!(runnable.iter().filter(|name| **name == function).count(), 1, "{function} in {runnable:?}");
    }
}
