//! The stacks of AWS name what the code has: its routes, variables, queues, permissions and metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use local::gateway::{Origin, PATHS};
use regex::Regex;
use serde_json::{Value, json};
use shared::db::{PoolSize, RequestStart};
use shared::domain::event::EventType;
use shared::telemetry::metrics::{DB_QUERY_DURATION_SECONDS, METRICS};

use crate::routing::router_of_cargo_lambda;

/// Variables that are for this machine, or that stand for another where there are files.
const LOCAL: [&str; 4] = ["LOG_FILE", "JWT_PUBLIC_KEY_PATH", "JWT_PRIVATE_KEY_PATH", "S3_PUBLIC_ENDPOINT"];
/// PostgreSQL's own, and an operator's: of its 200 connections, so many are not the service's.
const SPARED_CONNECTIONS: u64 = 20;
/// The file of RDS' authorities in a function's package, which `make build` puts there.
const AUTHORITIES: &str = "sslmode=verify-full&sslrootcert=/var/task/rds-ca.pem";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A stack. CloudFormation's `!Ref X`, `!GetAtt X` and `!Sub X` are read as X.
fn stack(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A stack's resources of a type.
fn resources(stack: &Value, kind: &str) -> BTreeMap<String, Value> {
    let all = stack["Resources"].as_object().unwrap().iter();
    let wanted = all.filter(|(_, resource)| resource["Type"] == kind);
    wanted.map(|(name, resource)| (name.clone(), resource["Properties"].clone())).collect()
}

/// The functions of all stacks, by the name of their binary.
fn functions() -> BTreeMap<String, Value> {
    let stacks = [stack("template.yaml"), stack("infra/data.yaml")];
    let functions = stacks.iter().flat_map(|stack| resources(stack, "AWS::Serverless::Function").into_values());
    let functions = functions.map(|function| {
        let name = function["FunctionName"].as_str().unwrap().rsplit('-').next().unwrap().to_owned();
        (name, function)
    });
    functions.collect()
}

/// The variables that each function reads, and how it is made.
fn variables_read() -> BTreeMap<&'static str, &'static [&'static [&'static str]]> {
    [
        ("auth", &auth::VARIABLES as &'static [&'static [&'static str]]),
        ("fanout", &fanout::VARIABLES),
        ("images", &images::VARIABLES),
        ("menus", &menus::VARIABLES),
        ("migrate", &migrate::VARIABLES),
        ("orders", &orders::VARIABLES),
        ("relay", &relay::VARIABLES),
        ("stores", &stores::VARIABLES),
        ("system", &system::VARIABLES),
        ("tables", &tables::VARIABLES),
    ]
    .into()
}

fn names<'a>(variables: &[&[&'a str]]) -> BTreeSet<&'a str> {
    variables.iter().flat_map(|names| names.iter().copied()).filter(|name| !LOCAL.contains(name)).collect()
}

/// A function's events of a type, without their names.
fn events(function: &Value, kind: &str) -> Vec<Value> {
    let events = function["Events"].as_object().into_iter().flat_map(|events| events.values());
    events.filter(|event| event["Type"] == kind).map(|event| event["Properties"].clone()).collect()
}

/// What a function may do: action, and to what.
fn permissions(policies: &Value) -> BTreeSet<(String, String)> {
    let statements = policies[0]["Statement"].as_array().into_iter().flatten();
    let mut allowed = BTreeSet::new();
    for statement in statements {
        let list = |key: &str| match &statement[key] {
            Value::Array(many) if many.iter().all(Value::is_string) && key == "Action" => many.clone(),
            Value::Array(many) if key == "Resource" && !is_sub(many) => many.clone(),
            one => vec![one.clone()],
        };
        for action in list("Action") {
            for resource in list("Resource") {
                allowed.insert((action.as_str().unwrap().to_owned(), resource.to_string()));
            }
        }
    }
    allowed
}

/// Whether this is `!Sub [text, variables]`.
fn is_sub(list: &[Value]) -> bool {
    matches!(list, [Value::String(_), Value::Object(_)])
}

/// All source of a function, tests left out.
fn source(function: &str) -> String {
    let folder = workspace().join("functions").join(function).join("src");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    files.collect()
}

#[test]
fn there_is_a_function_for_each_folder_and_it_is_the_binary_of_that_name() {
    let folders = fs::read_dir(workspace().join("functions")).unwrap();
    let folders: BTreeSet<_> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    let functions = functions();
    assert_eq!(functions.keys().cloned().collect::<BTreeSet<_>>(), folders);
    for (name, function) in functions {
        let code = function["CodeUri"].as_str().unwrap();
        assert_eq!(code.trim_start_matches("../"), format!("target/lambda/{name}/"));
        assert!(function["LoggingConfig"]["LogGroup"].is_string(), "{name} has no log group of its own");
    }
}

#[test]
fn the_gateway_has_the_routes_that_cargo_lambda_watch_has() {
    let mut paths = BTreeMap::new();
    for (name, function) in functions() {
        for route in events(&function, "HttpApi") {
            assert_eq!(route["ApiId"], "Api");
            let Some(path) = route["Path"].as_str() else {
                assert_eq!((name.as_str(), &route["Method"]), ("system", &Value::Null), "only `system` takes the rest");
                continue;
            };
            // A function answers the methods that it does not know, and preflight requests.
            assert_eq!(route["Method"], "ANY", "{path}");
            assert_eq!(paths.insert(path.to_owned(), name.clone()), None, "{path} is there twice");
        }
    }
    let expected = router_of_cargo_lambda().into_iter().filter(|(_, function)| function != "system");
    assert_eq!(paths, expected.collect());
}

/// CloudFront's table and `local gateway`'s are one.
#[test]
fn a_path_goes_to_the_same_origin_as_on_this_machine() {
    let distributions = resources(&stack("infra/edge.yaml"), "AWS::CloudFront::Distribution");
    let config = &distributions["Distribution"]["DistributionConfig"];
    let behaviours = config["CacheBehaviors"].as_array().unwrap().iter();
    let behaviours = behaviours.map(|behaviour| (behaviour["PathPattern"].as_str().unwrap(), behaviour));
    let found: Vec<_> = behaviours
        .chain([("*", &config["DefaultCacheBehavior"])])
        .map(|(pattern, behaviour)| (pattern, behaviour["TargetOriginId"].as_str().unwrap()))
        .collect();
    let expected = PATHS.map(|(pattern, origin)| {
        let origin = match origin {
            Origin::Api => "api",
            Origin::Stream => "stream",
            Origin::Pictures => "images",
        };
        (pattern, origin)
    });
    assert_eq!(found, expected);
    for origin in config["Origins"].as_array().unwrap().iter().filter(|origin| origin["Id"] != "images") {
        assert_eq!(origin["OriginCustomHeaders"][0]["HeaderName"], "x-origin-secret", "{}", origin["Id"]);
    }
}

#[test]
fn every_function_is_given_the_variables_that_it_reads_and_no_others() {
    let functions = functions();
    let read = variables_read();
    assert_eq!(functions.len(), read.len());
    for (name, function) in functions {
        let given: BTreeSet<_> = function["Environment"]["Variables"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(given, names(read[name.as_str()]).into_iter().map(str::to_owned).collect(), "{name}");
    }
    let tasks = resources(&stack("template.yaml"), "AWS::ECS::TaskDefinition");
    let given = tasks["StreamTask"]["ContainerDefinitions"][0]["Environment"].as_array().unwrap().iter();
    let given: BTreeSet<_> = given.map(|variable| variable["Name"].as_str().unwrap()).collect();
    assert_eq!(given, names(&stream::container::VARIABLES));
}

/// A secret is where Secrets Manager keeps it; what a variable holds is its ARN in braces.
#[test]
fn no_variable_holds_a_secret() {
    let tasks = resources(&stack("template.yaml"), "AWS::ECS::TaskDefinition");
    let task = tasks["StreamTask"]["ContainerDefinitions"][0]["Environment"].as_array().unwrap().iter();
    let task: serde_json::Map<_, _> =
        task.map(|variable| (variable["Name"].as_str().unwrap().to_owned(), variable["Value"].clone())).collect();
    let all = functions()
        .into_iter()
        .map(|(name, function)| (name, function["Environment"]["Variables"].as_object().unwrap().clone()));
    let reference = Regex::new(r"\{\$\{\w+\}(:\w+::)?\}").unwrap();
    let (mut references, mut logins) = (0, 0);
    for (name, variables) in all.chain([("stream".to_owned(), task)]) {
        for (variable, value) in variables {
            let text = value.as_str().or(value[0].as_str()).unwrap_or_default();
            let found = reference.find_iter(text).count();
            references += found;
            match variable.as_str() {
                "ORIGIN_SECRET" | "JWT_PRIVATE_KEY" => assert_eq!(found, 1, "{name}: {variable}"),
                "REDIS_URL" => assert!(text.starts_with("rediss://:{${"), "{name}: {text}"),
                "RABBITMQ_URL" => assert!(text.starts_with("amqps://{${") && found == 2, "{name}: {text}"),
                "DATABASE_URL" => {
                    // With a password from a secret, or with a token.
                    assert_eq!(found == 1, name == "migrate", "{name}: {text}");
                    let authorities = if name == "stream" {
                        AUTHORITIES.replace("/var/task", "/etc/ssl")
                    } else {
                        AUTHORITIES.to_owned()
                    };
                    assert!(text.ends_with(&authorities), "{name}: {text}");
                    logins += 1;
                }
                _ => assert_eq!(found, 0, "{name}: {variable}"),
            }
        }
    }
    assert!(references > 15 && logins == 10, "{references} references, {logins} logins");
}

#[test]
fn every_queue_of_events_has_a_mapping_without_a_wait() {
    let mappings = events(&functions()["fanout"], "MQ");
    let queues: Vec<_> = mappings.iter().map(|mapping| mapping["Queues"][0].as_str().unwrap()).collect();
    assert_eq!(queues, EventType::ALL.iter().map(|event_type| event_type.queue()).collect::<Vec<_>>());
    for mapping in mappings {
        assert_eq!(mapping["Queues"].as_array().unwrap().len(), 1);
        assert_eq!((&mapping["MaximumBatchingWindowInSeconds"], &mapping["BatchSize"]), (&json!(0), &json!(100)));
    }
    // A mapping has one environment.
    assert_eq!(functions()["fanout"]["ReservedConcurrentExecutions"], json!(EventType::ALL.len()));
}

/// SQS gives a message out again while its function still works on it, unless it waits six times as long.
#[test]
fn queues_wait_for_their_functions() {
    let queues = resources(&stack("infra/data.yaml"), "AWS::SQS::Queue");
    for (queue, function) in [("NudgeQueue", "relay"), ("UploadQueue", "images")] {
        let function = &functions()[function];
        let source = &events(function, "SQS")[0]["Queue"]["Fn::Sub"];
        assert!(source.as_str().unwrap().ends_with(&format!("-data-{queue}Arn")), "{source}");
        let timeout = function["Timeout"].as_u64().unwrap();
        assert_eq!(queues[queue]["VisibilityTimeout"], json!(6 * timeout), "{queue}");
    }
    assert_eq!(queues["NudgeQueue"]["MessageRetentionPeriod"], 60);
    assert!(queues["NudgeQueue"]["RedrivePolicy"].is_null());
    assert_eq!(queues["UploadQueue"]["RedrivePolicy"]["maxReceiveCount"], 5);
    assert_eq!(events(&functions()["images"], "SQS")[0]["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
}

#[test]
fn the_database_has_connections_for_everybody_at_once() {
    let (data, template) = (stack("infra/data.yaml"), stack("template.yaml"));
    let http = PoolSize::http_function(&RequestStart::default()).most;
    let mut connections = 0;
    for (name, function) in functions() {
        let environments =
            function["ReservedConcurrentExecutions"].as_u64().unwrap_or_else(|| panic!("{name} is without bound"));
        let variables = variables_read()[name.as_str()];
        match name.as_str() {
            // One, and no pool.
            "migrate" => connections += environments,
            _ if !names(variables).contains("DATABASE_URL") => {}
            _ if !events(&function, "HttpApi").is_empty() => connections += environments * u64::from(http),
            _ => connections += environments * u64::from(PoolSize::EVENT_FUNCTION.most),
        }
    }
    // In a deployment, all tasks are there twice.
    let tasks = &template["Mappings"]["Shape"]["production"];
    connections += 2 * tasks["MostTasks"].as_u64().unwrap() * u64::from(PoolSize::STREAM.most);
    let parameters = &resources(&data, "AWS::RDS::DBParameterGroup")["DatabaseParameters"]["Parameters"];
    let most: u64 = parameters["max_connections"].as_str().unwrap().parse().unwrap();
    assert!(connections <= most - SPARED_CONNECTIONS, "{connections} of {most}");
    assert!(connections > most / 2, "only {connections} were counted");
}

/// What the variables of a function, and its own code, let it do is what its policy allows, and nothing else.
#[test]
fn a_function_may_do_what_its_code_does_and_no_more() {
    // What each method of `Storage` asks of S3, and of which bucket.
    let storage = [
        ("presign", vec![("s3:PutObject", "UploadBucket", "/*")]),
        // S3 says that something is missing only to those who may list.
        ("upload", vec![("s3:GetObject", "UploadBucket", "/*"), ("s3:ListBucket", "UploadBucket", "")]),
        ("remove_upload", vec![("s3:DeleteObject", "UploadBucket", "/*")]),
        ("put_image", vec![("s3:PutObject", "ImageBucket", "/images/*")]),
        ("remove_images", vec![("s3:DeleteObject", "ImageBucket", "/images/*")]),
    ];
    let methods = Regex::new(r"pub async fn (\w+)\(&self").unwrap();
    let text = read("shared/src/storage.rs");
    let known: Vec<_> =
        methods.captures_iter(&text).map(|groups| groups[1].to_owned()).filter(|name| name != "client").collect();
    assert_eq!(known, storage.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "say here what it asks of S3");

    let import = |name: &str| json!({ "Fn::Sub": format!("table-order-${{Environment}}-data-{name}") });
    let object = |bucket: &str, path: &str| json!([format!("arn:${{AWS::Partition}}:s3:::${{Bucket}}{path}"), { "Bucket": import(bucket) }]);
    let roles = resources(&stack("template.yaml"), "AWS::IAM::Role");
    for (name, function) in functions().into_iter().filter(|(name, _)| name != "migrate") {
        let mut needed = BTreeSet::new();
        let mut need = |action: &str, resource: Value| needed.insert((action.to_owned(), resource.to_string()));
        let read = names(variables_read()[name.as_str()]);
        if read.contains("DATABASE_LOGIN") {
            // Of any database: one that was restored has another id.
            let role = "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser:*/table_order";
            need("rds-db:connect", json!(role));
        }
        for (variable, queue) in [("NUDGE_QUEUE_URL", "NudgeQueueArn"), ("PARKED_QUEUE_URL", "ParkedQueueArn")] {
            if read.contains(variable) {
                need("sqs:SendMessage", import(queue));
            }
        }
        let mut has_secrets = false;
        for (variable, secret) in [
            ("REDIS_URL", "RedisPassword"),
            ("RABBITMQ_URL", "BrokerCredentials"),
            ("ORIGIN_SECRET", "OriginSecret"),
            ("JWT_PRIVATE_KEY", "SigningKey"),
        ] {
            if read.contains(variable) {
                need("secretsmanager:GetSecretValue", import(secret));
                has_secrets = true;
            }
        }
        if has_secrets {
            need("secretsmanager:BatchGetSecretValue", json!("*"));
        }
        let source = source(&name);
        for (method, asked) in &storage {
            let is_called = Regex::new(&format!(r"storage\s*\.{method}\(")).unwrap().is_match(&source);
            for (action, bucket, path) in asked.iter().filter(|_| is_called) {
                need(action, object(bucket, path));
            }
        }
        if !events(&function, "MQ").is_empty() {
            for action in ["ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"] {
                need(action, json!("*"));
            }
        }
        for mapping in events(&function, "SQS") {
            for action in ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"] {
                needed.insert((action.to_owned(), mapping["Queue"].to_string()));
            }
        }
        // SAM would add every queue of the account to a role that it makes.
        let allowed = match function["Role"].as_str() {
            Some(role) => permissions(&json!([roles[role.trim_end_matches(".Arn")]["Policies"][0]["PolicyDocument"]])),
            None => {
                assert!(events(&function, "SQS").is_empty(), "{name} needs a role of its own");
                permissions(&function["Policies"])
            }
        };
        assert_eq!(allowed, needed, "{name}");
    }
}

/// `migrate` may do more than the others, and no more than it does.
#[test]
fn migrate_may_do_what_its_code_does_and_no_more() {
    let source = source("migrate");
    let asked = Regex::new(r"\.(\w+)\(\)\s*\.secret_id\(").unwrap();
    let asked = asked.captures_iter(&source).map(|groups| {
        let action: String = groups[1].split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        format!("secretsmanager:{action}")
    });
    // What its variables stand for, and a database that was restored.
    let needed = asked.chain(["secretsmanager:BatchGetSecretValue".to_owned(), "rds-db:connect".to_owned()]);
    let policy = &functions()["migrate"]["Policies"];
    let actions: BTreeSet<_> = permissions(policy).into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, needed.collect());
    let writes = permissions(policy).into_iter().filter(|(action, _)| action == "secretsmanager:PutSecretValue");
    let written: BTreeSet<_> = writes.map(|(_, secret)| secret).collect();
    assert_eq!(written, ["\"SigningKey\"", "\"SuperAdminPassword\""].map(str::to_owned).into());
    assert!(source.contains("Login::iam("), "nothing connects with a token any more");
}

#[test]
fn alarms_name_only_metrics_that_there_are() {
    let ours: BTreeSet<_> =
        METRICS.iter().map(|metric| metric.name).filter(|name| *name != DB_QUERY_DURATION_SECONDS).collect();
    // As AWS' documents have them.
    let of_aws: BTreeMap<&str, &[&str]> = [
        ("AWS/ApiGateway", &["5xx", "Count", "Latency"] as &[&str]),
        ("AWS/ApplicationELB", &["HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count"]),
        ("AWS/Lambda", &["Errors", "Invocations"]),
        (
            "AWS/RDS",
            &["CPUCreditBalance", "CPUUtilization", "DatabaseConnections", "FreeStorageSpace", "FreeableMemory"],
        ),
        ("AWS/ElastiCache", &["DatabaseMemoryUsagePercentage", "EngineCPUUtilization"]),
        ("AWS/AmazonMQ", &["RabbitMQMemLimit", "RabbitMQMemUsed"]),
        ("AWS/SQS", &["ApproximateNumberOfMessagesVisible"]),
        ("AWS/ECS", &["CPUUtilization", "MemoryUtilization"]),
        ("ECS/ContainerInsights", &["RunningTaskCount"]),
        ("AWS/WAFV2", &["BlockedRequests"]),
    ]
    .into();
    let mut seen = BTreeSet::new();
    for path in ["template.yaml", "infra/alarms.yaml", "infra/edge.yaml"] {
        for (name, alarm) in resources(&stack(path), "AWS::CloudWatch::Alarm") {
            let parts = alarm["Metrics"].as_array().into_iter().flatten();
            let metrics = parts.filter_map(|part| part.pointer("/MetricStat/Metric")).chain([&alarm]);
            for metric in metrics.filter(|metric| metric["MetricName"].is_string()) {
                let (namespace, metric) =
                    (metric["Namespace"].as_str().unwrap(), metric["MetricName"].as_str().unwrap());
                let known = match namespace {
                    "table-order/${Environment}" => ours.contains(metric),
                    _ => of_aws.get(namespace).is_some_and(|known| known.contains(&metric)),
                };
                assert!(known, "{path}: {name} watches {namespace} {metric}, which nobody tells");
                seen.insert((namespace.to_owned(), metric.to_owned()));
            }
            assert!(alarm["AlarmDescription"].as_str().unwrap().len() > 40, "{name} does not say what to do");
        }
    }
    assert!(seen.len() >= 20, "{seen:?}");
}

#[test]
fn samconfig_deploys_every_stack_with_parameters_that_it_has() {
    let text = read("samconfig.toml");
    let section = Regex::new(r"(?m)^\[([a-z-]+)\.deploy\.parameters\]$").unwrap();
    let parameter = Regex::new(r#"(?m)^    "(\w+)=[^"]+",$"#).unwrap();
    let file = Regex::new(r#"(?m)^template_file = "(.+)"$"#).unwrap();
    let mut deployed = BTreeSet::new();
    let starts: Vec<_> =
        section.captures_iter(&text).map(|groups| (groups[1].to_owned(), groups.get(0).unwrap().end())).collect();
    for (index, (name, start)) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(text.len(), |(_, next)| *next);
        let section = &text[*start..end];
        let file = &file.captures(section).unwrap()[1];
        let known = stack(file)["Parameters"].clone();
        let given: BTreeSet<_> = parameter.captures_iter(section).map(|groups| groups[1].to_owned()).collect();
        for name_of_parameter in &given {
            assert!(known.get(name_of_parameter).is_some(), "{name}: {file} has no {name_of_parameter}");
        }
        for (parameter, what) in known.as_object().unwrap() {
            assert!(what.get("Default").is_some() || given.contains(parameter), "{name}: {file} needs {parameter}");
        }
        deployed.insert((name.clone(), file.to_owned()));
    }
    let expected = ["dev", "staging", "production"].into_iter().flat_map(|environment| {
        [
            ("-data", "infra/data.yaml"),
            ("", "template.yaml"),
            ("-edge", "infra/edge.yaml"),
            ("-alarms", "infra/alarms.yaml"),
        ]
        .map(|(part, file)| (format!("{environment}{part}"), file.to_owned()))
    });
    assert_eq!(deployed, expected.collect());
}

/// A tag of an action can be moved to other code; its digest cannot.
#[test]
fn every_action_of_github_is_pinned_by_its_digest() {
    let action = Regex::new(r"(?m)^ *(?:- )?uses: (\S+)(.*)$").unwrap();
    let pinned = Regex::new(r"^[\w-]+/[\w-]+@[0-9a-f]{40}$").unwrap();
    let mut seen = 0;
    for file in ["ci.yml", "deploy.yml"] {
        for groups in action.captures_iter(&read(Path::new(".github/workflows").join(file))) {
            let local = groups[1].starts_with("./");
            assert!(local || pinned.is_match(&groups[1]) && groups[2].starts_with(" # v"), "{file}: {}", &groups[1]);
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen}");
}
