//! The published description of the API, and the pages that show it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use shared::Code;
use shared::domain::event::{Envelope, EventType};
use shared::events::feed::Feed;
use shared::testing::{check_event, check_sample};
use stream::Streams;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

use crate::service;

const COMMITTED: &str = include_str!("../../docs/openapi.json");

fn document() -> Value {
    serde_json::from_str(COMMITTED).unwrap()
}

fn routes() -> OpenApi {
    local::routes(Streams::new(Feed::local("routes"), CancellationToken::new())).openapi()
}

/// Every operation, by `GET /path`.
fn operations(document: &Value) -> BTreeMap<String, Value> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation.clone()))
    });
    operations.collect()
}

fn follow<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(target) => {
            document.pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("{target} is nowhere"))
        }
        None => value,
    }
}

/// Every object in a value, with the JSON pointer that leads to it.
fn walk<'a>(pointer: String, value: &'a Value, visit: &mut impl FnMut(&str, &'a Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            visit(&pointer, fields);
            for (name, value) in fields {
                walk(format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), value, visit);
            }
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| walk(format!("{pointer}/{at}"), value, visit));
        }
        _ => {}
    }
}

#[test]
fn the_committed_document_is_that_of_the_routes() {
    let generated = local::openapi::document().unwrap();
    assert!(generated == COMMITTED, "the API has changed: run `make openapi` and look at the difference");
}

#[test]
fn every_operation_says_what_it_is() {
    let document = document();
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{name}: there is another {id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}: {id}");
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{name}: no summary");
        assert!(tags.contains(&&operation["tags"][0]), "{name}: {}", operation["tags"]);
        assert_eq!(operation.get("x-errors"), None, "{name}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{name}: {}", parameter["name"]);
        }
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let answer = follow(&document, answer);
            assert!(answer["description"].is_string(), "{name} {status}: no description");
            assert!(answer["headers"]["x-request-id"].is_object(), "{name} {status}: no x-request-id");
            assert_eq!(answer["headers"]["retry-after"].is_object(), status == "429", "{name} {status}");
        }
    }
}

#[test]
fn the_tables_own_codes_and_those_that_follow_are_listed() {
    let document = document();
    let operations = operations(&document);
    let codes = |operation: &str, status: &str| {
        let content = &follow(&document, &operations[operation]["responses"][status])["content"]["application/json"];
        content["schema"]["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"].clone()
    };
    let place = "POST /api/customer/orders";
    assert_eq!(codes(place, "400"), serde_json::json!(["VALIDATION_ERROR", "EMPTY_ORDER", "INVALID_QUANTITY"]));
    assert_eq!(codes(place, "401"), serde_json::json!(["TOKEN_MISSING", "TOKEN_EXPIRED", "INVALID_TOKEN"]));
    assert_eq!(codes(place, "403"), serde_json::json!(["INSUFFICIENT_PERMISSIONS", "STORE_INACTIVE"]));
    assert_eq!(codes(place, "413"), serde_json::json!(["PAYLOAD_TOO_LARGE"]));
    assert_eq!(codes("GET /api/superadmin/stores", "403"), serde_json::json!(["INSUFFICIENT_PERMISSIONS"]));
    assert_eq!(codes("GET /api/admin/dashboard", "400"), Value::Null);
    assert_eq!(codes("GET /api/admin/dashboard", "415"), Value::Null);
    assert_eq!(codes("GET /health/live", "429"), Value::Null);
    assert_eq!(codes("GET /openapi.json", "401"), Value::Null);
    assert_eq!(codes("GET /openapi.json", "504"), serde_json::json!(["TIMEOUT"]));
}

#[test]
fn every_code_is_described_with_both_sentences() {
    let document = document();
    let examples = document["components"]["examples"].as_object().unwrap();
    for code in Code::ALL {
        // Given where there is no operation.
        if [Code::NotFound, Code::MethodNotAllowed].contains(code) {
            continue;
        }
        let error = |name: &str| examples[name]["value"]["error"].clone();
        assert_eq!(error(code.as_str())["message"], code.korean());
        assert_eq!(error(&format!("{code}.en"))["message"], code.english());
    }
}

#[test]
fn every_example_is_as_its_schema_says() {
    let (document, routes) = (document(), routes());
    let mut checked = 0;
    walk(String::new(), &document, &mut |pointer, fields| {
        let Some(schema) = fields.get("schema") else { return };
        let schema_at = format!("{}/schema", pointer.replace('{', "%7B").replace('}', "%7D"));
        let named = fields.get("examples").and_then(Value::as_object).into_iter().flat_map(Map::values);
        let named = named.map(|example| &follow(&document, example)["value"]);
        for example in fields.get("example").into_iter().chain(named) {
            check_sample(&routes, &schema_at, example);
            checked += 1;
        }
        let is_json = pointer.ends_with("application~1json");
        assert!(!is_json || fields.contains_key("example") || fields.contains_key("examples"), "{pointer}: {schema}");
    });
    assert!(checked > 150, "{checked}");
}

/// A text's rule is given as a format and published as a pattern: one that is misspelt would be published as it is.
#[test]
fn only_known_formats_are_published() {
    let known = ["date", "date-time", "int32", "int64", "timezone", "uri", "uuid"];
    walk(String::new(), &document(), &mut |pointer, fields| {
        let format = fields.get("format").and_then(Value::as_str);
        assert!(format.is_none_or(|format| known.contains(&format)), "{pointer}: {format:?}");
    });
}

/// Clients outside know a request's limits from here alone.
#[test]
fn every_number_and_text_of_a_request_has_its_limits() {
    let document = document();
    let check = |name: String, schema: &Value| {
        let types = schema["type"].to_string();
        assert!(!types.contains("integer") || schema["minimum"].is_number(), "{name} has no minimum");
        let bounded = ["maxLength", "format", "enum", "pattern"].iter().any(|limit| schema.get(limit).is_some());
        assert!(!types.contains("string") || bounded, "{name} has no limits");
    };
    for (name, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let of_a_stream = ["last_event_id", "Last-Event-ID"].map(Value::from).contains(&parameter["name"]);
            if !of_a_stream {
                check(format!("{name} {}", parameter["name"]), follow(&document, &parameter["schema"]));
            }
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let Some(fields) = follow(&document, body)["properties"].as_object() else { continue };
        assert_eq!(follow(&document, body)["additionalProperties"], false, "{name}");
        for (field, schema) in fields {
            let schema = if schema["oneOf"].is_array() { &schema["oneOf"][0] } else { schema };
            check(format!("{name} {field}"), follow(&document, schema));
        }
    }
}

/// A password is counted in bytes, which a schema cannot say: it may not refuse the shortest in characters that is taken.
#[tokio::test]
async fn no_password_that_is_taken_is_refused_by_its_schema() {
    let app = service().await;
    let (store, keeper) = (app.store().await, app.admin(None).await);
    let table = json!({"table_number": "1", "password": "🍜"});
    let admin = json!({"username": "keeper.2", "password": "🍜🍜", "role": "super_admin"});
    let document = document();
    for (path, body, token) in
        [("/api/admin/tables", table, &store.admin.token), ("/api/superadmin/admins", admin, &keeper.token)]
    {
        let password = body["password"].as_str().unwrap().chars().count() as u64;
        app.post(path).token(token).json(body).send().await.expect(201);
        let operation = &document["paths"][path]["post"];
        let schema = follow(&document, &operation["requestBody"]["content"]["application/json"]["schema"]);
        assert_eq!(schema["properties"]["password"]["minLength"], password, "{path}");
    }
}

#[test]
fn every_event_is_shown_as_it_is_sent() {
    let document = document();
    let content = &operations(&document)["GET /api/admin/orders/stream"]["responses"]["200"]["content"];
    let frames = &content["text/event-stream"]["examples"];
    for event_type in EventType::ALL {
        let frame = frames[event_type.routing_key()]["value"].as_str().unwrap();
        let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        assert_eq!(field("event: "), event_type.routing_key());
        let data: Value = serde_json::from_str(field("data: ")).unwrap();
        check_event(event_type.routing_key(), &data);
        let envelope: Envelope = serde_json::from_value(data).unwrap();
        assert_eq!(envelope.event.event_type(), *event_type);
    }
}

#[test]
fn everything_referred_to_is_there_and_everything_there_is_referred_to() {
    let document = document();
    let mut targets = BTreeSet::new();
    walk(String::new(), &document, &mut |_, fields| {
        targets.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
    });
    for target in &targets {
        follow(&document, &serde_json::json!({ "$ref": target }));
    }
    for (kind, parts) in document["components"].as_object().unwrap() {
        for name in parts.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            assert!(targets.contains(&format!("#/components/{kind}/{name}")), "nothing refers to {kind}/{name}");
        }
    }
}

#[tokio::test]
async fn the_document_and_its_pages_are_served_to_everybody_from_here_alone() {
    let app = service().await;
    let served = app.get("/openapi.json").send().await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(served.body, COMMITTED);

    for page in ["/docs", "/redoc"] {
        let page = app.get(page).send().await;
        assert_eq!(page.status.as_u16(), 200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        let policy = page.header("content-security-policy").unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("http"), "{policy}");
        assert!(!page.body.contains("//"), "{}", page.body);
        let mut loaded = 0;
        for attribute in ["src=\"", "href=\""] {
            for path in page.body.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                let file = app.get(path).header("accept-encoding", "gzip").open().await;
                assert_eq!(file.status().as_u16(), 200, "{path}");
                assert_eq!(file.headers()["content-encoding"], "gzip");
                loaded += 1;
            }
        }
        assert!(loaded >= 3, "{}", page.body);
    }
    app.get("/docs/passwd").send().await.expect_error(404, "NOT_FOUND");
    app.get("/docs/..%2fCargo.toml").send().await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn who_has_the_document_already_is_not_sent_it_again() {
    let app = service().await;
    let first = app.get("/openapi.json").send().await;
    let etag = first.header("etag").unwrap();
    for known in [etag.to_owned(), format!("\"other\", {etag}")] {
        let again = app.get("/openapi.json").header("if-none-match", &known).send().await;
        assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
        assert_eq!(again.header("etag"), Some(etag));
    }
    app.get("/openapi.json").header("if-none-match", "\"other\"").send().await.expect(200);
}
