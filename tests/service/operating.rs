//! What `make deploy` and the tasks beside it ask of AWS, in which order, and when they stop: `infra/operate.sh` with stand-ins
//! for the programs that it calls. What AWS would say to it, nobody on this machine knows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;

/// Writes down how it was called, and answers what AWS' would, as far as the script looks.
const STAND_IN: &str = r#"#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0") $*" in
    "aws sts get-caller-identity"*) echo 123456789012 ;;
    "aws rds describe-db-instances"*) [[ $DATABASE == there ]] || { echo "${DATABASE}" >&2; exit 1; } ;;
    "aws lambda invoke"*)
        echo "$MIGRATE" >"${@: -1}"
        [[ $MIGRATE == *errorMessage* ]] && echo Unhandled || echo None ;;
    "aws ecr describe-images"*) [[ -n ${IMAGE:-} ]] ;;
    "aws cloudformation describe-stacks"*"'StreamRepository'"*) echo 123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/stream ;;
    "aws cloudformation describe-stacks"*) echo an-address ;;
    "git rev-parse"*) echo 0123456789ab ;;
    "git status"*) echo -n "${CHANGES:-}" ;;
esac
"#;

/// As much as the script reads.
const SAMCONFIG: &str = r#"
[dev.deploy.parameters]
parameter_overrides = ["DomainName=order.hanbit.kr"]
[production.deploy.parameters]
parameter_overrides = ["DomainName=order.hanbit.kr"]
[production-alarms.deploy.parameters]
parameter_overrides = ["SlackChannelId=NONE"]
[staging-edge.deploy.parameters]
parameter_overrides = ["HostedZoneId=Z0000000EXAMPLE"]
"#;

/// The script in a workspace of its own.
struct Workspace(PathBuf);

impl Workspace {
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("operating").join(name);
        let _ = fs::remove_dir_all(&root);
        for folder in ["infra", "bin", "functions/orders", "target/lambda/orders"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("target/lambda/orders/bootstrap"), "").unwrap();
        fs::write(root.join("target/lambda/commit"), "0123456789ab\n").unwrap();
        fs::write(root.join("samconfig.toml"), SAMCONFIG).unwrap();
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/operate.sh"), root.join("infra/operate.sh"))
            .unwrap();
        for program in ["aws", "sam", "docker", "git"] {
            let path = root.join("bin").join(program);
            fs::write(&path, STAND_IN).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(root)
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let path = format!("{}:{}", self.0.join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(self.0.join("infra/operate.sh"));
        command.args(arguments).env("PATH", path).env("CALLS", self.0.join("calls"));
        command.env("MIGRATE", r#"{"migration": 1, "public_keys": {"keys": []}}"#);
        command.env("DATABASE", "DBInstanceNotFound").envs(variables.iter().copied());
        command.output().unwrap()
    }

    /// What was called, with as much of each call as tells them apart.
    fn calls(&self) -> Vec<String> {
        let short = Regex::new(
            r"^(sam deploy --config-env \S+|sam delete .*|aws ssm put-parameter --region \S+ --name \S+ --value \S+|docker \w+|aws \w+ [\w-]+)",
        )
        .unwrap();
        let calls = fs::read_to_string(self.0.join("calls")).unwrap_or_default();
        let calls = calls.lines().filter_map(|line| short.captures(line));
        let asking =
            ["aws sts get-caller-identity", "aws cloudformation describe-stacks", "aws ecr get-login-password"];
        calls.map(|call| call[1].to_owned()).filter(|call| !asking.contains(&call.as_str())).collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

const PARAMETER: &str = "aws ssm put-parameter --region";

#[test]
fn a_deployment_makes_each_part_when_what_it_needs_is_there() {
    let workspace = Workspace::new("dev");

    let done = workspace.run(&["deploy", "dev"], &[]);

    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(
        workspace.calls(),
        [
            "sam deploy --config-env dev-data".to_owned(),
            "aws lambda invoke".to_owned(),
            format!("{PARAMETER} ap-northeast-2 --name /table-order/dev/public-keys --value {{\"keys\":[]}}"),
            "aws ecr describe-images".to_owned(),
            "docker login".to_owned(),
            "docker build".to_owned(),
            "docker push".to_owned(),
            format!(
                "{PARAMETER} ap-northeast-2 --name /table-order/dev/stream-image \
                 --value 123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/stream:0123456789ab"
            ),
            "sam deploy --config-env dev".to_owned(),
            format!("{PARAMETER} us-east-1 --name /table-order/dev/api-address --value an-address"),
            format!("{PARAMETER} us-east-1 --name /table-order/dev/image-bucket-address --value an-address"),
            "sam deploy --config-env dev-edge".to_owned(),
            "sam deploy --config-env dev-alarms".to_owned(),
        ]
    );
}

#[test]
fn production_is_kept_as_it_is_first_and_an_image_that_is_there_is_not_built() {
    let workspace = Workspace::new("production");
    let done = workspace.run(&["deploy", "production"], &[("DATABASE", "there"), ("IMAGE", "there")]);
    assert!(done.status.success(), "{}", said(&done));
    let calls = workspace.calls();
    let beginning = [
        "aws rds describe-db-instances",
        "aws rds create-db-snapshot",
        "aws rds wait",
        "aws rds describe-db-snapshots",
        "sam deploy --config-env production-data",
    ];
    assert_eq!(calls[..5], beginning);
    assert!(!calls.iter().any(|call| call.starts_with("docker")), "{calls:?}");
}

/// An expired login, for one, must not look like a first deployment.
#[test]
fn production_is_not_deployed_while_nobody_knows_whether_there_is_something_to_keep() {
    let workspace = Workspace::new("unknown");
    let refused = workspace.run(&["deploy", "production"], &[("DATABASE", "ExpiredToken: log in again")]);
    assert!(!refused.status.success() && said(&refused).contains("log in again"), "{}", said(&refused));
    assert_eq!(workspace.calls(), ["aws rds describe-db-instances"]);

    let first = workspace.run(&["deploy", "production"], &[]);
    assert!(first.status.success(), "{}", said(&first));
    assert!(!workspace.calls().contains(&"aws rds create-db-snapshot".to_owned()));
}

/// Functions read variables and secrets when they start, and SAM makes a new version only of another package.
#[test]
fn every_deployment_is_another_package() {
    let workspace = Workspace::new("releases");
    let release = workspace.0.join("target/lambda/orders/release");
    let written = Regex::new(r"^0123456789ab \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$").unwrap();
    for arguments in [["deploy", "dev"], ["rotate-key", "dev"]] {
        let _ = fs::remove_file(&release);
        let done = workspace.run(&arguments, &[("STEP", "promote")]);
        assert!(done.status.success(), "{}", said(&done));
        let release = fs::read_to_string(&release).unwrap();
        assert!(written.is_match(&release), "{release}");
    }
}

#[test]
fn nothing_is_deployed_over_a_migration_that_fails() {
    let workspace = Workspace::new("failing");
    let failed = workspace.run(&["deploy", "dev"], &[("MIGRATE", r#"{"errorMessage": "a migration fails"}"#)]);
    assert!(!failed.status.success() && said(&failed).contains("a migration fails"), "{}", said(&failed));
    assert_eq!(workspace.calls(), ["sam deploy --config-env dev-data", "aws lambda invoke"]);
}

#[test]
fn what_cannot_be_found_again_or_was_not_built_is_not_deployed() {
    let workspace = Workspace::new("refused");
    let changed = workspace.run(&["deploy", "dev"], &[("CHANGES", " M Cargo.toml")]);
    assert!(!changed.status.success() && said(&changed).contains("not committed"), "{}", said(&changed));
    fs::write(workspace.0.join("target/lambda/commit"), "ba9876543210\n").unwrap();
    let stale = workspace.run(&["deploy", "dev"], &[]);
    assert!(!stale.status.success() && said(&stale).contains("is of ba9876543210"), "{}", said(&stale));
    fs::write(workspace.0.join("target/lambda/commit"), "0123456789ab\n").unwrap();
    fs::remove_file(workspace.0.join("target/lambda/orders/bootstrap")).unwrap();
    let missing = workspace.run(&["deploy", "dev"], &[]);
    assert!(!missing.status.success() && said(&missing).contains("make build"), "{}", said(&missing));
    let unnamed = workspace.run(&["deploy", "staging"], &[]);
    assert!(!unnamed.status.success() && said(&unnamed).contains("names of an example"), "{}", said(&unnamed));
    let unknown = workspace.run(&["deploy", "prod"], &[]);
    assert!(
        !unknown.status.success() && said(&unknown).contains("ENV=dev, staging or production"),
        "{}",
        said(&unknown)
    );
    assert!(workspace.calls().is_empty(), "{:?}", workspace.calls());
}

#[test]
fn each_step_of_a_key_is_deployed() {
    let workspace = Workspace::new("keys");
    let refused = workspace.run(&["rotate-key", "dev"], &[]);
    assert!(
        !refused.status.success() && said(&refused).contains("STEP=prepare, promote or retire"),
        "{}",
        said(&refused)
    );
    let done = workspace.run(&["rotate-key", "dev"], &[("STEP", "promote")]);
    assert!(done.status.success(), "{}", said(&done));
    let keys = format!("{PARAMETER} ap-northeast-2 --name /table-order/dev/public-keys --value {{\"keys\":[]}}");
    assert_eq!(workspace.calls(), ["aws lambda invoke".to_owned(), keys, "sam deploy --config-env dev".to_owned()]);
    let calls = fs::read_to_string(workspace.0.join("calls")).unwrap();
    assert!(calls.contains(r#"--payload {"task": "promote_key"}"#), "{calls}");
}

#[test]
fn nothing_is_taken_down_by_mistake() {
    let workspace = Workspace::new("destroyed");
    for (environment, confirm) in
        [("production", "table-order-production"), ("dev", ""), ("dev", "table-order-staging")]
    {
        let refused = workspace.run(&["destroy", environment], &[("CONFIRM", confirm)]);
        assert!(!refused.status.success(), "{environment} {confirm}");
    }
    assert!(workspace.calls().is_empty());
    assert!(workspace.run(&["destroy", "dev"], &[("CONFIRM", "table-order-dev")]).status.success());
    assert_eq!(workspace.calls().len(), 4);
}
