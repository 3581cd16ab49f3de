//! The real binary: what it needs before it can answer.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use shared::aws::secrets_manager;
use shared::clock;
use shared::testing::test_keys;
use tokio::process::Command;

/// Other functions do without the private key; this one alone signs.
#[tokio::test]
async fn refuses_to_start_without_the_private_key_and_names_it() {
    let private = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-private-key.pem");
    let private = private.to_str().unwrap();

    let said = refusal(("JWT_PRIVATE_KEY_PATH", private)).await;

    assert!(said.contains(private), "{said}");
}

/// What a variable stands for is read from Secrets Manager, and what a secret does not hold stops the function.
#[tokio::test]
async fn reads_the_private_key_from_the_secret_that_its_variable_names() {
    let name = format!("test/{}", u128::from_ne_bytes(clock::random()));
    let creating = secrets_manager().await.create_secret().name(name).secret_string("no key at all");
    let arn = creating.send().await.unwrap().arn.unwrap();

    for (variable, expected) in [
        (format!("{{{arn}}}"), "the private key is wrong"),
        (format!("{{{arn}:pem::}}"), "is no JSON object"),
        (format!("{{{arn}-and-more}}"), "cannot be read"),
    ] {
        let said = refusal(("JWT_PRIVATE_KEY", &variable)).await;

        assert!(said.contains(expected), "{variable}: {said}");
        assert!(!said.contains("no key at all"), "{said}");
    }
}

/// What it says when it does not start with this private key, and all else that it needs. It names no password.
async fn refusal(private_key: (&str, &str)) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(shared::hex(&clock::random::<8>()));
    fs::create_dir_all(&folder).unwrap();
    let public = folder.join("public.pem");
    fs::write(&public, &test_keys().public_pem).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth"));
    // What reaches the stand-in for AWS, and what lets `make coverage` see what the binary runs.
    let kept = |name: &OsStr| name == "LLVM_PROFILE_FILE" || name.to_string_lossy().starts_with("AWS_");
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| kept(name)));
    command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").env("AWS_LAMBDA_FUNCTION_NAME", "auth");
    command.env("DATABASE_URL", "postgres://u:p@127.0.0.1:9/d").env("REDIS_URL", "redis://u:p@127.0.0.1:9");
    command.env("JWT_PUBLIC_KEY_PATH", &public).env(private_key.0, private_key.1);

    let output = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(30), output).await.unwrap().unwrap();

    fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && !said.contains("u:p@"), "{said}");
    said
}
