//! Examples of whole bodies, put together from the examples of their fields.

use serde_json::{Map, Value, json};

/// A value that a schema allows. A field that has neither an example nor a default becomes null, which its schema refuses:
/// the tests find it.
pub(super) fn sample(schema: &Value, schemas: &Map<String, Value>) -> Value {
    let given = [&schema["example"], &schema["examples"][0], &schema["default"], &schema["const"], &schema["enum"][0]];
    if let Some(value) = given.into_iter().find(|value| !value.is_null()) {
        return value.clone();
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/components/schemas/")) {
        return schemas.get(name).map_or(Value::Null, |schema| sample(schema, schemas));
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().filter_map(|part| match sample(part, schemas) {
            Value::Object(fields) => Some(fields),
            _ => None,
        });
        return Value::Object(parts.flatten().collect());
    }
    if let Some(choice) = schema["oneOf"].as_array().and_then(|choices| choices.iter().find(|c| c["type"] != "null")) {
        return sample(choice, schemas);
    }
    if let Some(properties) = schema["properties"].as_object() {
        return properties.iter().map(|(name, schema)| (name.clone(), sample(schema, schemas))).collect();
    }
    match &schema["type"] {
        kind if is(kind, "array") => json!([sample(&schema["items"], schemas)]),
        kind if is(kind, "boolean") => json!(true),
        kind if is(kind, "object") => json!({}),
        _ => Value::Null,
    }
}

fn is(kind: &Value, name: &str) -> bool {
    kind == name || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == name))
}
