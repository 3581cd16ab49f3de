//! What has changed between two descriptions of the API, and whether a client would break on it.
//!
//! A request may come to allow more, an answer may come to say less varied things; the other way round breaks somebody. Texts
//! and examples do not count. What this cannot judge, like another pattern, counts as breaking.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Whether a client that was right before may be wrong now.
    pub breaking: bool,
    /// Where, from the operation down to the field.
    pub at: String,
    /// What.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Who writes what a schema describes, and so who is surprised when it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// Clients write, the service reads.
    Request,
    /// The service writes, clients read.
    Answer,
}

/// The changes from one description to another.
pub fn between(old: &Value, new: &Value) -> Vec<Change> {
    let mut comparison = Comparison { old, new, changes: BTreeSet::new() };
    comparison.paths();
    comparison.changes.into_iter().collect()
}

struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    changes: BTreeSet<Change>,
}

impl Comparison<'_> {
    fn note(&mut self, breaking: bool, at: &str, what: impl Into<String>) {
        self.changes.insert(Change { breaking, at: at.to_owned(), what: what.into() });
    }

    fn paths(&mut self) {
        for (path, old, new) in pairs(&self.old["paths"], &self.new["paths"]) {
            for (method, old, new) in pairs(old, new) {
                let at = format!("{} {path}", method.to_uppercase());
                match (old.is_null(), new.is_null()) {
                    (false, true) => self.note(true, &at, "removed"),
                    (true, false) => self.note(false, &at, "added"),
                    _ => self.operation(&at, old, new),
                }
            }
        }
    }

    fn operation(&mut self, at: &str, old: &Value, new: &Value) {
        if old["operationId"] != new["operationId"] {
            // Generated clients name their functions after it.
            self.note(true, at, format!("operationId {} became {}", old["operationId"], new["operationId"]));
        }
        self.security(at, &old["security"], &new["security"]);
        let by_name = |parameters: &Value| -> Map<String, Value> {
            let parameters = parameters.as_array().into_iter().flatten();
            parameters.map(|it| (format!("{} {}", text(&it["in"]), text(&it["name"])), it.clone())).collect()
        };
        let (old_parameters, new_parameters) = (by_name(&old["parameters"]), by_name(&new["parameters"]));
        for (name, old, new) in pairs(&old_parameters.into(), &new_parameters.into()) {
            self.input(&format!("{at}, {name}"), old, new, &old["schema"], &new["schema"]);
        }
        let (old_body, new_body) = (&old["requestBody"], &new["requestBody"]);
        let schema = |body: &Value| body["content"]["application/json"]["schema"].clone();
        self.input(&format!("{at}, body"), old_body, new_body, &schema(old_body), &schema(new_body));
        for (status, old, new) in pairs(&old["responses"], &new["responses"]) {
            self.answer(&format!("{at}, {status}"), old, new);
        }
    }

    /// Who may ask: each alternative is one way in.
    fn security(&mut self, at: &str, old: &Value, new: &Value) {
        let ways = |security: &Value| -> BTreeSet<String> {
            security.as_array().into_iter().flatten().map(Value::to_string).collect()
        };
        let (old, new) = (ways(old), ways(new));
        match (old.is_empty(), new.is_empty()) {
            (true, false) => self.note(true, at, "needs authentication now"),
            (false, true) => self.note(false, at, "needs no authentication any more"),
            _ => {
                old.difference(&new).for_each(|way| self.note(true, at, format!("authentication {way} removed")));
                new.difference(&old).for_each(|way| self.note(false, at, format!("authentication {way} added")));
            }
        }
    }

    /// A parameter, or the body of a request.
    fn input(&mut self, at: &str, old: &Value, new: &Value, old_schema: &Value, new_schema: &Value) {
        let is_required = |input: &Value| input["required"] == true;
        match (old.is_null(), new.is_null()) {
            (true, true) => {}
            // What is unknown is refused.
            (false, true) => self.note(true, at, "removed"),
            (true, false) => {
                self.note(is_required(new), at, if is_required(new) { "added, required" } else { "added" })
            }
            (false, false) => {
                match (is_required(old), is_required(new)) {
                    (false, true) => self.note(true, at, "became required"),
                    (true, false) => self.note(false, at, "became optional"),
                    _ => {}
                }
                self.schema(at, old_schema, new_schema, Direction::Request);
            }
        }
    }

    fn answer(&mut self, at: &str, old: &Value, new: &Value) {
        let (old, new) = (resolve(self.old, old), resolve(self.new, new));
        match (old.is_null(), new.is_null()) {
            (false, true) => return self.note(true, at, "removed"),
            (true, false) => return self.note(false, at, "added"),
            _ => {}
        }
        for (name, old, new) in pairs(&old["headers"], &new["headers"]) {
            match (old.is_null(), new.is_null()) {
                (false, true) => self.note(true, at, format!("header {name} removed")),
                (true, false) => self.note(false, at, format!("header {name} added")),
                _ => {}
            }
        }
        for (media_type, old, new) in pairs(&old["content"], &new["content"]) {
            match (old.is_null(), new.is_null()) {
                (false, true) => self.note(true, at, format!("{media_type} removed")),
                (true, false) => self.note(false, at, format!("{media_type} added")),
                _ => {
                    self.schema(at, &old["schema"], &new["schema"], Direction::Answer);
                    for (event, old, new) in pairs(&old["x-event-schemas"], &new["x-event-schemas"]) {
                        let at = format!("{at}, event {event}");
                        match (old.is_null(), new.is_null()) {
                            (false, true) => self.note(true, &at, "removed"),
                            // A client ignores events that it has no listener for.
                            (true, false) => self.note(false, &at, "added"),
                            _ => self.schema(&at, old, new, Direction::Answer),
                        }
                    }
                }
            }
        }
    }

    fn schema(&mut self, at: &str, old: &Value, new: &Value, direction: Direction) {
        let (old, new) = (Shape::read(self.old, old), Shape::read(self.new, new));
        // Allowing more is right for a request, allowing less for an answer.
        let more = direction == Direction::Answer;
        let less = direction == Direction::Request;

        for kind in old.types.difference(&new.types) {
            self.note(less, at, format!("can no longer be {kind}"));
        }
        for kind in new.types.difference(&old.types) {
            self.note(more, at, format!("can be {kind} now"));
        }
        self.values(at, old.values.as_ref(), new.values.as_ref(), direction);
        for (rule, raised) in LIMITS {
            let (old, new) = (old.rules.get(*rule), new.rules.get(*rule));
            let number = |rule: Option<&Value>| rule.and_then(Value::as_f64);
            let breaking = match (number(old), number(new)) {
                (Some(old), Some(new)) if old == new => continue,
                (None, None) => continue,
                (Some(_), None) => more,
                (None, Some(_)) => less,
                (Some(old), Some(new)) => {
                    if (new > old) == *raised {
                        less
                    } else {
                        more
                    }
                }
            };
            self.note(breaking, at, format!("{rule} {} became {}", or_none(old), or_none(new)));
        }
        for rule in FORMS {
            match (old.rules.get(*rule), new.rules.get(*rule)) {
                (old, new) if old == new => {}
                (Some(_), None) => self.note(more, at, format!("{rule} lifted")),
                (None, Some(rule_now)) => self.note(less, at, format!("{rule} {rule_now} added")),
                // Whether one allows more than the other is not to be told.
                (old, new) => self.note(true, at, format!("{rule} {} became {}", or_none(old), or_none(new))),
            }
        }
        self.properties(at, &old, &new, direction);
        match (&old.items, &new.items) {
            (Some(old), Some(new)) => self.schema(&format!("{at}[]"), old, new, direction),
            (None, Some(_)) => self.note(less, at, "its items are described now"),
            (Some(_), None) => self.note(more, at, "its items are not described any more"),
            (None, None) => {}
        }
    }

    fn values(
        &mut self,
        at: &str,
        old: Option<&BTreeSet<String>>,
        new: Option<&BTreeSet<String>>,
        direction: Direction,
    ) {
        // Clients treat an error code that they do not know by its status.
        let tolerated = at.ends_with("error.code");
        match (old, new) {
            (Some(old), Some(new)) => {
                for value in old.difference(new) {
                    let breaking = direction == Direction::Request || tolerated;
                    self.note(breaking, at, format!("value {value} removed"));
                }
                for value in new.difference(old) {
                    let breaking = direction == Direction::Answer && !tolerated;
                    self.note(breaking, at, format!("value {value} added"));
                }
            }
            (Some(_), None) => self.note(direction == Direction::Answer, at, "can be any value now"),
            (None, Some(_)) => self.note(direction == Direction::Request, at, "can only be certain values now"),
            (None, None) => {}
        }
    }

    fn properties(&mut self, at: &str, old: &Shape, new: &Shape, direction: Direction) {
        if old.is_closed != new.is_closed && direction == Direction::Request {
            let what = if new.is_closed { "refuses unknown fields now" } else { "takes unknown fields now" };
            self.note(new.is_closed, at, what);
        }
        let names: BTreeSet<_> = old.properties.keys().chain(new.properties.keys()).collect();
        for name in names {
            let at = if at.contains(": ") { format!("{at}.{name}") } else { format!("{at}: {name}") };
            let required = new.required.contains(name);
            match (old.properties.get(name), new.properties.get(name)) {
                (Some(old_field), Some(new_field)) => {
                    match (old.required.contains(name), required) {
                        (false, true) => self.note(direction == Direction::Request, &at, "became required"),
                        (true, false) => self.note(direction == Direction::Answer, &at, "became optional"),
                        _ => {}
                    }
                    self.schema(&at, old_field, new_field, direction);
                }
                // Missed in an answer, refused in a request.
                (Some(_), None) => self.note(true, &at, "removed"),
                (None, _) => {
                    let breaking = direction == Direction::Request && required;
                    self.note(breaking, &at, if breaking { "added, required" } else { "added" });
                }
            }
        }
    }
}

/// Rules that are numbers, and whether a greater one allows less.
const LIMITS: &[(&str, bool)] = &[
    ("minimum", true),
    ("exclusiveMinimum", true),
    ("minLength", true),
    ("minItems", true),
    ("maximum", false),
    ("exclusiveMaximum", false),
    ("maxLength", false),
    ("maxItems", false),
];
/// Rules of which only a person can say which allows more.
const FORMS: &[&str] = &["format", "pattern", "multipleOf", "uniqueItems"];

/// A schema with references, `allOf` and nullability worked in.
#[derive(Default)]
struct Shape {
    types: BTreeSet<String>,
    values: Option<BTreeSet<String>>,
    rules: BTreeMap<String, Value>,
    properties: BTreeMap<String, Value>,
    required: BTreeSet<String>,
    is_closed: bool,
    items: Option<Value>,
}

impl Shape {
    fn read(document: &Value, schema: &Value) -> Self {
        let mut shape = Self::default();
        shape.take_in(document, schema);
        shape
    }

    fn take_in(&mut self, document: &Value, schema: &Value) {
        if schema["$ref"].is_string() {
            self.take_in(document, resolve(document, schema));
        }
        schema["allOf"].as_array().into_iter().flatten().for_each(|part| self.take_in(document, part));
        let choices: Vec<_> = ["oneOf", "anyOf"].iter().filter_map(|name| schema[name].as_array()).flatten().collect();
        match choices.as_slice() {
            [] => {}
            [one] => self.take_in(document, one),
            // utoipa's way to say that something may be null.
            [one, null] | [null, one] if null["type"] == "null" => {
                self.take_in(document, one);
                self.types.insert("null".to_owned());
            }
            choices => self.types.extend(choices.iter().map(|choice| format!("one of {choice}"))),
        }
        let types = schema["type"].as_array().map_or(std::slice::from_ref(&schema["type"]), Vec::as_slice);
        self.types.extend(types.iter().filter_map(Value::as_str).map(str::to_owned));
        if let Some(values) = schema["enum"].as_array() {
            let values: BTreeSet<_> = values.iter().map(Value::to_string).collect();
            self.values.get_or_insert_default().extend(values);
        }
        for rule in LIMITS.iter().map(|(rule, _)| rule).chain(FORMS) {
            if let Some(value) = schema.get(rule) {
                self.rules.insert((*rule).to_owned(), value.clone());
            }
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            // Parts of an `allOf` may each say something of the same field.
            let known = self.properties.remove(name);
            let field = known.map_or_else(|| field.clone(), |known| serde_json::json!({"allOf": [known, field]}));
            self.properties.insert(name.clone(), field);
        }
        let required = schema["required"].as_array().into_iter().flatten();
        self.required.extend(required.filter_map(Value::as_str).map(str::to_owned));
        self.is_closed |= schema["additionalProperties"] == false;
        if let Some(items) = schema.get("items") {
            self.items = Some(items.clone());
        }
    }
}

/// What a reference leads to.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str().and_then(|target| target.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
        None => value,
    }
}

/// The fields of two objects side by side; null where one lacks it.
fn pairs<'a>(old: &'a Value, new: &'a Value) -> Vec<(String, &'a Value, &'a Value)> {
    let names = |value: &'a Value| value.as_object().into_iter().flat_map(Map::keys);
    let names: BTreeSet<_> = names(old).chain(names(new)).collect();
    names.into_iter().map(|name| (name.clone(), &old[name], &new[name])).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn or_none(rule: Option<&Value>) -> String {
    rule.map_or_else(|| "none".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An API with one operation that has one of everything.
    fn before() -> Value {
        json!({
            "paths": {"/orders": {"post": {
                "operationId": "orders_place",
                "security": [{"bearer": []}],
                "parameters": [
                    {"name": "page", "in": "query", "required": false,
                     "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
                ],
                "requestBody": {"required": true, "content": {"application/json": {"schema": {
                    "$ref": "#/components/schemas/PlaceOrder"
                }}}},
                "responses": {
                    "201": {
                        "headers": {"x-request-id": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                    },
                    "404": {"$ref": "#/components/responses/NotFound"},
                },
            }}},
            "components": {
                "schemas": {
                    "PlaceOrder": {
                        "type": "object",
                        "required": ["items"],
                        "additionalProperties": false,
                        "properties": {
                            "items": {"type": "array", "minItems": 1, "items": {"type": "integer"}},
                            "note": {"type": ["string", "null"], "maxLength": 200, "pattern": "^.*$"},
                            "kind": {"type": "string", "enum": ["here", "to_go"]},
                        },
                    },
                    "Order": {"allOf": [
                        {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "minimum": 1}}},
                        {"type": "object", "required": ["status"], "properties": {
                            "status": {"$ref": "#/components/schemas/Status"},
                            "session": {"oneOf": [{"$ref": "#/components/schemas/Session"}, {"type": "null"}]},
                        }},
                    ]},
                    "Status": {"type": "string", "enum": ["pending", "served"]},
                    "Session": {"type": "object", "properties": {"id": {"type": "integer"}}},
                    "Error": {"type": "object", "properties": {
                        "error": {"type": "object", "properties": {"code": {"type": "string"}}},
                    }},
                },
                "responses": {"NotFound": {"content": {"application/json": {"schema": {"allOf": [
                    {"$ref": "#/components/schemas/Error"},
                    {"properties": {"error": {"properties": {"code": {"enum": ["MENU_NOT_FOUND"]}}}}},
                ]}}}}},
            },
        })
    }

    /// What changes when the value at a place is replaced; null takes it away.
    fn after(place: &str, value: Value) -> Vec<(bool, String)> {
        let mut new = before();
        let (parent, name) = place.rsplit_once('/').unwrap();
        let name = name.replace("~1", "/");
        let parent = new.pointer_mut(parent).unwrap_or_else(|| panic!("{place}"));
        match (parent, value) {
            (Value::Object(fields), Value::Null) => drop(fields.remove(&name).unwrap()),
            (Value::Object(fields), value) => drop(fields.insert(name, value)),
            (Value::Array(values), Value::Null) => drop(values.remove(name.parse().unwrap())),
            (Value::Array(values), value) => values.insert(name.parse().unwrap(), value),
            _ => panic!("{place}"),
        }
        between(&before(), &new).into_iter().map(|change| (change.breaking, change.to_string())).collect()
    }

    const OPERATION: &str = "/paths/~1orders/post";
    const REQUEST: &str = "/components/schemas/PlaceOrder";
    const ANSWER: &str = "/components/schemas/Order/allOf/1";

    #[track_caller]
    fn check(breaking: bool, place: String, value: Value, what: &str) {
        assert_eq!(after(&place, value), [(breaking, format!("POST /orders{what}"))], "{place}");
    }

    #[track_caller]
    fn breaks(place: String, value: Value, what: &str) {
        check(true, place, value, what);
    }

    #[track_caller]
    fn adds(place: String, value: Value, what: &str) {
        check(false, place, value, what);
    }

    #[test]
    fn nothing_changes_when_only_texts_do() {
        assert_eq!(between(&before(), &before()), []);
        for place in [OPERATION, REQUEST] {
            assert_eq!(after(&format!("{place}/description"), json!("Other words.")), []);
            assert_eq!(after(&format!("{place}/examples"), json!([1])), []);
        }
    }

    #[test]
    fn operations_come_and_go() {
        breaks(OPERATION.to_owned(), Value::Null, ": removed");
        breaks("/paths/~1orders".to_owned(), Value::Null, ": removed");
        breaks(format!("{OPERATION}/operationId"), json!("place"), ": operationId \"orders_place\" became \"place\"");
        assert_eq!(after("/paths/~1menus", json!({"get": {}})), [(false, "GET /menus: added".to_owned())]);
        assert_eq!(after("/paths/~1orders/get", json!({})), [(false, "GET /orders: added".to_owned())]);
    }

    #[test]
    fn ways_to_authenticate_come_and_go() {
        adds(format!("{OPERATION}/security"), json!([]), ": needs no authentication any more");
        adds(format!("{OPERATION}/security/1"), json!({"ticket": []}), ": authentication {\"ticket\":[]} added");
        let mut open = before();
        open["paths"]["/orders"]["post"]["security"] = json!([]);
        let changes = between(&open, &before());
        assert!(matches!(changes.as_slice(), [Change { breaking: true, .. }]), "{changes:?}");
    }

    #[test]
    fn parameters() {
        let parameters = format!("{OPERATION}/parameters");
        breaks(format!("{parameters}/0"), Value::Null, ", query page: removed");
        breaks(format!("{parameters}/0/required"), json!(true), ", query page: became required");
        breaks(format!("{parameters}/0/schema/maximum"), json!(50), ", query page: maximum 100 became 50");
        breaks(format!("{parameters}/0/schema/minimum"), json!(2), ", query page: minimum 1 became 2");
        adds(format!("{parameters}/0/schema/maximum"), json!(200), ", query page: maximum 100 became 200");
        adds(format!("{parameters}/0/schema/minimum"), Value::Null, ", query page: minimum 1 became none");
        breaks(format!("{parameters}/0/schema/enum"), json!([1, 2]), ", query page: can only be certain values now");
        adds(format!("{parameters}/0/schema/type"), json!(["string", "integer"]), ", query page: can be string now");
        let named = |required: bool| json!({"name": "q", "in": "query", "required": required, "schema": {}});
        adds(format!("{parameters}/1"), named(false), ", query q: added");
        breaks(format!("{parameters}/1"), named(true), ", query q: added, required");
    }

    #[test]
    fn what_a_request_may_say_must_not_become_less() {
        let fields = format!("{REQUEST}/properties");
        breaks(format!("{OPERATION}/requestBody"), Value::Null, ", body: removed");
        adds(format!("{OPERATION}/requestBody/required"), json!(false), ", body: became optional");
        breaks(format!("{fields}/note"), Value::Null, ", body: note: removed");
        breaks(format!("{REQUEST}/required/1"), json!("note"), ", body: note: became required");
        adds(format!("{REQUEST}/required/0"), Value::Null, ", body: items: became optional");
        adds(format!("{fields}/tip"), json!({"type": "integer"}), ", body: tip: added");
        adds(format!("{REQUEST}/additionalProperties"), Value::Null, ", body: takes unknown fields now");
        breaks(format!("{fields}/note/type"), json!("string"), ", body: note: can no longer be null");
        breaks(format!("{fields}/note/maxLength"), json!(100), ", body: note: maxLength 200 became 100");
        adds(format!("{fields}/note/maxLength"), json!(300), ", body: note: maxLength 200 became 300");
        breaks(format!("{fields}/note/minLength"), json!(1), ", body: note: minLength none became 1");
        breaks(format!("{fields}/note/pattern"), json!("^a*$"), ", body: note: pattern \"^.*$\" became \"^a*$\"");
        adds(format!("{fields}/note/pattern"), Value::Null, ", body: note: pattern lifted");
        breaks(format!("{fields}/note/format"), json!("uuid"), ", body: note: format \"uuid\" added");
        breaks(format!("{fields}/items/items/minimum"), json!(1), ", body: items[]: minimum none became 1");
        breaks(format!("{fields}/kind/enum/0"), Value::Null, ", body: kind: value \"here\" removed");
        adds(format!("{fields}/kind/enum/2"), json!("delivered"), ", body: kind: value \"delivered\" added");
    }

    #[test]
    fn a_new_field_that_is_required_breaks() {
        let mut new = before();
        new["components"]["schemas"]["PlaceOrder"]["properties"]["tip"] = json!({"type": "integer"});
        new["components"]["schemas"]["PlaceOrder"]["required"] = json!(["items", "tip"]);
        let changes = between(&before(), &new);
        assert_eq!(
            changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["POST /orders, body: tip: added, required"]
        );
        assert!(changes[0].breaking);
    }

    #[test]
    fn what_an_answer_may_say_must_not_become_more() {
        let fields = format!("{ANSWER}/properties");
        let answers = format!("{OPERATION}/responses");
        breaks(format!("{answers}/404"), Value::Null, ", 404: removed");
        adds(format!("{answers}/409"), json!({}), ", 409: added");
        breaks(format!("{answers}/201/headers/x-request-id"), Value::Null, ", 201: header x-request-id removed");
        adds(format!("{answers}/201/headers/etag"), json!({}), ", 201: header etag added");
        breaks(format!("{answers}/201/content/application~1json"), Value::Null, ", 201: application/json removed");
        breaks(format!("{fields}/status"), Value::Null, ", 201: status: removed");
        adds(format!("{fields}/table"), json!({"type": "string"}), ", 201: table: added");
        breaks(format!("{ANSWER}/required"), json!([]), ", 201: status: became optional");
        adds(format!("{ANSWER}/required/1"), json!("session"), ", 201: session: became required");
        breaks("/components/schemas/Status/enum/2".to_owned(), json!("gone"), ", 201: status: value \"gone\" added");
        adds("/components/schemas/Status/enum/0".to_owned(), Value::Null, ", 201: status: value \"pending\" removed");
        breaks(
            "/components/schemas/Status/type".to_owned(),
            json!(["string", "null"]),
            ", 201: status: can be null now",
        );
        adds(format!("{fields}/session/oneOf/1"), Value::Null, ", 201: session: can no longer be null");
        breaks("/components/schemas/Session/properties/id".to_owned(), Value::Null, ", 201: session.id: removed");
        let id = "/components/schemas/Order/allOf/0/properties/id/minimum";
        breaks(id.to_owned(), json!(0), ", 201: id: minimum 1 became 0");
        adds(id.to_owned(), json!(2), ", 201: id: minimum 1 became 2");
    }

    /// Clients treat a code that they do not know by its status; one that is gone is one they wait for in vain.
    #[test]
    fn error_codes_may_come_but_not_go() {
        let codes = "/components/responses/NotFound/content/application~1json/schema/allOf/1/properties/error/properties/code/enum";
        adds(format!("{codes}/1"), json!("TABLE_NOT_FOUND"), ", 404: error.code: value \"TABLE_NOT_FOUND\" added");
        breaks(format!("{codes}/0"), Value::Null, ", 404: error.code: value \"MENU_NOT_FOUND\" removed");
    }

    #[test]
    fn events_of_a_stream() {
        let mut old = before();
        let stream = |events: Value| json!({"schema": {"type": "string"}, "x-event-schemas": events});
        let order = json!({"$ref": "#/components/schemas/Order"});
        let content = "/paths/~1orders/post/responses/201/content";
        *old.pointer_mut(content).unwrap() = json!({"text/event-stream": stream(json!({"order.created": order}))});
        let mut new = old.clone();
        *new.pointer_mut(content).unwrap() = json!({"text/event-stream": stream(json!({"menu.changed": order}))});
        let changes: Vec<_> = between(&old, &new).into_iter().map(|it| (it.breaking, it.to_string())).collect();
        assert_eq!(
            changes,
            [
                (false, "POST /orders, 201, event menu.changed: added".to_owned()),
                (true, "POST /orders, 201, event order.created: removed".to_owned()),
            ]
        );
        let mut new = old.clone();
        new["components"]["schemas"]["Session"]["properties"] = json!({});
        let changes: Vec<_> = between(&old, &new).into_iter().map(|it| (it.breaking, it.to_string())).collect();
        assert_eq!(changes, [(true, "POST /orders, 201, event order.created: session.id: removed".to_owned())]);
    }
}
