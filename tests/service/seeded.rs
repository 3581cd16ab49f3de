//! The mistakes of `make seeded`: each still fits the sources and names tests that there are, so that the command can be
//! relied on when it is wanted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The guarantees that are taken out.
const MISTAKES: [&str; 8] = ["confirm", "dedupe", "limit", "outbox", "price", "replay", "store-filter", "version"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The patches, by name.
fn patches() -> Vec<(String, PathBuf)> {
    let mut patches = Vec::new();
    for entry in fs::read_dir(workspace().join("tests/seeded")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            patches.push((path.file_stem().unwrap().to_str().unwrap().to_owned(), path));
        }
    }
    patches.sort();
    patches
}

/// What a patch says of itself under a field.
fn field(patch: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(patch).unwrap();
    let head = text.lines().take_while(|line| !line.starts_with("--- "));
    head.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned).collect()
}

/// The folder of a package.
fn package(name: &str) -> PathBuf {
    let folders = [name.to_owned(), format!("functions/{name}"), format!("tests/{name}")];
    let mut folders = folders.iter().map(|folder| workspace().join(folder));
    folders.find(|folder| folder.join("Cargo.toml").exists()).unwrap_or_else(|| panic!("there is no package {name}"))
}

/// The sources of a package's tests.
fn tests_of(folder: &Path, target: &str) -> String {
    let folders = [folder.join("tests").join(target), folder.join(target)];
    let folder = folders.iter().find(|folder| folder.is_dir()).unwrap_or_else(|| panic!("there is no target {target}"));
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files
        .map(|path| format!("mod {}\n", path.file_stem().unwrap().display()) + &fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn the_mistakes_are_these() {
    let names: Vec<_> = patches().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, MISTAKES);
}

#[test]
fn every_mistake_still_fits_the_sources() {
    for (name, path) in patches() {
        let mut check = Command::new("git");
        let output = check.args(["apply", "--check"]).arg(&path).current_dir(workspace()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "make {name}.patch anew, as tests/seeded/run.sh says: {said}");
    }
}

#[test]
fn every_mistake_says_what_it_takes_out_and_which_tests_notice() {
    for (name, path) in patches() {
        assert_eq!(field(&path, "Takes out").len(), 1, "{name}");
        let tests = field(&path, "Caught by");
        assert!(!tests.is_empty(), "nothing notices {name}");
        for test in tests {
            let [package_name, target, filter] = test.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let sources = tests_of(&package(package_name), target);
            let (module, function) = filter.split_once("::").unwrap();
            assert!(sources.contains(&format!("mod {module}\n")), "{name}: there is no {module}");
            assert!(
                function.is_empty() || sources.contains(&format!("fn {function}(")),
                "{name}: there is no {function}"
            );
        }
    }
}
