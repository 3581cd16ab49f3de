//! The published description of the API (OpenAPI 3.1).
//!
//! A handler says what is its own: parameters, body, answer, and, under [`ERRORS`], the codes of its own errors. What all
//! operations have in common is added here, once.

mod errors;
mod events;
mod samples;

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use self::errors::Errors;
use self::samples::sample;
use crate::domain::text::PATTERNS;
use crate::error::Result;

/// What a handler lists the codes of its own errors under: `extensions(("x-errors" = json!([Code::…])))`. Not published.
pub const ERRORS: &str = "x-errors";

/// What operations are grouped by, in the order they are shown in.
const TAGS: &[(&str, &str)] = &[
    ("auth", "Log in, see who you are, change a password, get a ticket for a stream."),
    ("menus", "The menu card: categories and menus. Guests read it, store admins keep it."),
    ("orders", "Place orders, follow them, move them through the kitchen."),
    ("tables", "Tables, the staff's dashboard, closing a table, and the history of its orders."),
    ("stream", events::DESCRIPTION),
    ("stores", "For the super admin: stores and the accounts of those who run them."),
    ("system", "Whether the service is well, and this documentation."),
];

/// Complete the description of some routes.
pub fn document(routes: &OpenApi) -> Result<Value> {
    let mut routes = serde_json::to_value(routes)?;
    let mut schemas = take(&mut routes["components"], "schemas");
    events::add_schemas(&mut schemas)?;
    schemas.extend(errors::schemas());
    publish_patterns(&mut schemas);
    name_items_of_pages(&mut schemas);
    schemas.sort_keys();

    let mut errors = Errors::new(&schemas);
    let mut paths = take(&mut routes, "paths");
    for (path, operations) in &mut paths {
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            publish_patterns_in(operation);
            complete(path, operation, &schemas, &mut errors)?;
        }
    }
    let tags: Vec<_> = TAGS.iter().map(|(name, about)| json!({"name": name, "description": about})).collect();
    let (responses, examples) = errors.into_components();
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "table-order",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Guests order from their table, staff see it at once.",
            "description": include_str!("description.md"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "Where this document comes from."}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "examples": examples,
            "headers": headers(),
            "securitySchemes": security_schemes(),
        },
    }))
}

/// What is in every operation, or follows from what is in this one.
fn complete(path: &str, operation: &mut Value, schemas: &Map<String, Value>, errors: &mut Errors) -> Result<()> {
    let own = operation.as_object_mut().and_then(|operation| operation.remove(ERRORS)).unwrap_or_default();
    // `security(())` is how a handler says that anybody may ask.
    let open = operation["security"] == json!([{}]);
    if open {
        operation["security"] = json!([]);
    } else if operation["security"].is_null() {
        operation["security"] = json!([{"bearer": []}]);
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        never_null(&mut parameter["schema"]);
        if parameter["required"] == true {
            parameter["example"] = sample(&parameter["schema"], schemas);
        }
    }
    if let Some(body) = operation.get_mut("requestBody") {
        let required = body["required"] == true;
        body["required"] = json!(required);
        let media_type = &mut body["content"]["application/json"];
        never_null(&mut media_type["schema"]);
        media_type["example"] = sample(&media_type["schema"], schemas);
    }
    let mut responses = take(operation, "responses");
    for (status, response) in &mut responses {
        complete_answer(status, response, schemas)?;
    }
    for (status, response) in errors.responses(path, operation, open, &own)? {
        responses.entry(status).or_insert(response);
    }
    responses.sort_keys();
    operation["responses"] = responses.into();
    Ok(())
}

fn complete_answer(status: &str, response: &mut Value, schemas: &Map<String, Value>) -> Result<()> {
    if response["description"].as_str().is_none_or(str::is_empty) {
        let description = match status {
            "200" => "Done.",
            "201" => "Made.",
            "204" => "Done. There is no body.",
            _ => "See the body.",
        };
        response["description"] = json!(description);
    }
    response["headers"]["x-request-id"] = json!({"$ref": "#/components/headers/RequestId"});
    for (media_type, content) in response.get_mut("content").and_then(Value::as_object_mut).into_iter().flatten() {
        match media_type.as_str() {
            "application/json" if content["example"].is_null() => {
                content["example"] = sample(&content["schema"], schemas);
            }
            "text/event-stream" => events::describe(content, schemas)?,
            _ => {}
        }
    }
    Ok(())
}

fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "Names the request, here and in the log.",
            "required": true,
            "schema": {"type": "string", "format": "uuid", "examples": ["019c3f7e-5b40-7d2a-9c3e-4a1b2c3d4e5f"]},
        },
        "RetryAfter": {
            "description": "After how many seconds the next try can succeed.",
            "required": true,
            "schema": {"type": "integer", "minimum": 1, "examples": [17]},
        },
        "WwwAuthenticate": {
            "description": "How to authenticate.",
            "required": true,
            "schema": {"type": "string", "pattern": "^Bearer$", "examples": ["Bearer"]},
        },
    })
}

fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `access_token` of a login.",
        },
        "ticket": {
            "type": "apiKey",
            "in": "query",
            "name": "ticket",
            "description": "A stream ticket, for a browser's `EventSource`, which cannot send headers: good for 30 seconds \
                            and once.",
        },
    })
}

/// A text field gives the name of its rule as its format; clients are given the rule's pattern instead.
fn publish_patterns(schemas: &mut Map<String, Value>) {
    schemas.values_mut().for_each(publish_patterns_in);
}

fn publish_patterns_in(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let named = |format: &Value| PATTERNS.iter().find(|(name, _)| format == name);
            if let Some((_, pattern)) = fields.get("format").and_then(named) {
                fields.remove("format");
                fields.insert("pattern".to_owned(), json!(pattern));
            }
            fields.values_mut().for_each(publish_patterns_in);
        }
        Value::Array(values) => values.iter_mut().for_each(publish_patterns_in),
        _ => {}
    }
}

/// utoipa copies a generic type's argument into it; the items of a page have a schema of their own.
fn name_items_of_pages(schemas: &mut Map<String, Value>) {
    for (name, schema) in schemas {
        if let Some(item) = name.strip_prefix("Page_") {
            schema["properties"]["items"]["items"] = json!({"$ref": format!("#/components/schemas/{item}")});
        }
    }
}

/// utoipa writes what is optional as nullable, too. A parameter or a whole body cannot be null, only absent.
fn never_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array()
        && let [only, null] = types.as_slice()
        && null == "null"
    {
        schema["type"] = only.clone();
    } else if let Some(choices) = schema["oneOf"].as_array()
        && let Some(only) = choices.iter().find(|choice| choice["type"] != "null")
    {
        *schema = only.clone();
    }
}

fn take(value: &mut Value, field: &str) -> Map<String, Value> {
    match value.get_mut(field).map(Value::take) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}
