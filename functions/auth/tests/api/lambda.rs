//! The real binary: what it needs before it can answer.

use std::fs;
use std::path::Path;
use std::time::Duration;

use aws_config::BehaviorVersion;
use shared::clock;
use shared::testing::test_keys;
use tokio::process::Command;

/// Other functions do without the private key; this one alone signs.
#[tokio::test]
async fn refuses_to_start_without_the_private_key_and_names_it() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-private-key");
    fs::create_dir_all(&folder).unwrap();
    let (private, public) = (folder.join("private.pem"), folder.join("public.pem"));
    fs::write(&public, &test_keys().public_pem).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_auth"));
    // Kept, so that `make coverage` sees what the binary runs.
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE"));
    command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").env("AWS_LAMBDA_FUNCTION_NAME", "auth");
    command.env("DATABASE_URL", "postgres://u:p@127.0.0.1:9/d").env("REDIS_URL", "redis://u:p@127.0.0.1:9");
    command.env("JWT_PUBLIC_KEY_PATH", &public).env("JWT_PRIVATE_KEY_PATH", &private);

    let output = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(30), output).await.unwrap().unwrap();

    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(private.to_str().unwrap()), "{said}");
    assert!(!said.contains("u:p@"), "{said}");
}

/// What a variable stands for is read from Secrets Manager, and what a secret does not hold stops the function.
#[tokio::test]
async fn reads_the_private_key_from_the_secret_that_its_variable_names() {
    let aws = aws_config::defaults(BehaviorVersion::latest()).load().await;
    let client = aws_sdk_secretsmanager::Client::new(&aws);
    let name = format!("test/{}", u128::from_ne_bytes(clock::random()));
    let created = client.create_secret().name(name).secret_string("no key at all").send().await.unwrap();
    let arn = created.arn.unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("private-key-in-a-secret");
    fs::create_dir_all(&folder).unwrap();
    let public = folder.join("public.pem");
    fs::write(&public, &test_keys().public_pem).unwrap();

    for (variable, expected) in [
        (format!("{{{arn}}}"), "the private key is wrong"),
        (format!("{{{arn}:pem::}}"), "is no JSON object"),
        (format!("{{{arn}-and-more}}"), "cannot be read"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auth"));
        command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").env("AWS_LAMBDA_FUNCTION_NAME", "auth");
        command.env("DATABASE_URL", "postgres://u:p@127.0.0.1:9/d").env("REDIS_URL", "redis://u:p@127.0.0.1:9");
        command.env("JWT_PUBLIC_KEY_PATH", &public).env("JWT_PRIVATE_KEY", &variable);

        let output = command.kill_on_drop(true).output();
        let output = tokio::time::timeout(Duration::from_secs(30), output).await.unwrap().unwrap();

        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{variable}: {said}");
        assert!(!said.contains("no key at all"), "{said}");
    }
}
