//! Holds every answer that a test receives to the published description of the API: its status, its headers, its error code
//! and its body, in which nothing may stand that the description does not name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{MatchedPath, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use jsonschema::{Registry, Validator};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::domain::event::EventType;
use crate::http::openapi;

/// What the document is known as among the validators.
const ADDRESS: &str = "urn:table-order:openapi";

/// The description of some routes, ready to check answers with.
pub(super) struct Contract {
    document: Value,
    registry: &'static Registry<'static>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One answer that the description knows.
pub(super) struct Described<'a> {
    contract: &'a Contract,
    /// Who gives it, for messages.
    operation: String,
    /// Where its schema is, unless it has no body or none in JSON.
    schema: Option<String>,
}

impl Contract {
    /// The contract of these routes, made once for all tests of a process that have the same ones.
    pub(super) fn of(routes: &OpenApi) -> Arc<Self> {
        static KNOWN: Mutex<Vec<(OpenApi, Arc<Contract>)>> = Mutex::new(Vec::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, contract)) = known.iter().find(|(seen, _)| seen == routes) {
            return contract.clone();
        }
        let contract = Arc::new(Self::new(openapi::document(routes).unwrap()));
        known.push((routes.clone(), contract.clone()));
        contract
    }

    fn new(mut document: Value) -> Self {
        for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
            // Others may add to it: it is closed wherever it stands for itself.
            close(schema, true);
        }
        let mut answers: Vec<&mut Value> = Vec::new();
        let (paths, shared) = (document["paths"].take(), document["components"]["responses"].take());
        let (mut paths, mut shared) = (object(paths), object(shared));
        let operations = paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut);
        answers.extend(
            operations.filter_map(|operation| operation["responses"].as_object_mut()).flat_map(Map::values_mut),
        );
        answers.extend(shared.values_mut());
        for answer in answers {
            for content in
                answer.get_mut("content").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
            {
                close(&mut content["schema"], false);
            }
        }
        document["paths"] = paths.into();
        document["components"]["responses"] = shared.into();
        let registry = Registry::new().add(ADDRESS, document.clone()).unwrap().prepare().unwrap();
        // As long as the process: contracts are made a few times at most.
        Self { document, registry: Box::leak(Box::new(registry)), validators: Mutex::default() }
    }

    /// Check the beginning of an answer, given the route that gave it. `None` for what is not described: unknown paths and methods.
    #[track_caller]
    pub(super) fn check_head(
        &self,
        method: &Method,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Described<'_>> {
        let operation = self.document["paths"].get(path)?.get(method.as_str().to_lowercase())?;
        let name = format!("{method} {path}");
        let mut pointer =
            format!("/paths/{}/{}/responses/{}", escape(path), method.as_str().to_lowercase(), status.as_u16());
        let mut answer = &operation["responses"][status.as_str()];
        if let Some(target) = answer["$ref"].as_str() {
            pointer = target.trim_start_matches('#').to_owned();
            answer = self.document.pointer(&pointer).unwrap();
        }
        assert!(answer.is_object(), "{name} answered {status}, which its description does not name");
        for (header, about) in answer["headers"].as_object().into_iter().flatten() {
            let about = match about["$ref"].as_str() {
                Some(target) => self.document.pointer(target.trim_start_matches('#')).unwrap(),
                None => about,
            };
            let needed = about["required"] == true;
            assert!(!needed || headers.contains_key(header), "{name} answered {status} without {header}");
        }
        let sent = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap().split(';').next().unwrap());
        let described = |sent| answer["content"].get(sent).is_some();
        assert!(
            sent.map_or(answer["content"].is_null(), described),
            "{name} answered {status} with {sent:?}, which its description does not name"
        );
        let schema = (sent == Some("application/json")).then(|| format!("{pointer}/content/application~1json/schema"));
        Some(Described { contract: self, operation: name, schema })
    }

    /// Check a value against the schema at a place in the document.
    #[track_caller]
    fn check(&self, place: &str, value: &Value, what: &str) {
        let mut schema = json!({"$ref": format!("{ADDRESS}#{place}")});
        if place.starts_with("/components/schemas/") {
            close(&mut schema, false);
        }
        let validator = {
            let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
            let compiled = || {
                let options = jsonschema::options().with_registry(self.registry).should_validate_formats(true);
                Arc::new(options.build(&schema).unwrap())
            };
            validators.entry(place.to_owned()).or_insert_with(compiled).clone()
        };
        let errors: Vec<_> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what} is not as described: {errors:#?}\n{value:#}");
    }
}

impl Described<'_> {
    /// Check the body.
    #[track_caller]
    pub(super) fn check_body(&self, status: StatusCode, body: &str) {
        let Some(schema) = &self.schema else { return };
        let what = format!("the {status} of {}", self.operation);
        let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{what} is no JSON: {error}"));
        self.contract.check(schema, &body, &what);
    }
}

/// Check the data of a stream's frame against the description of its event.
#[track_caller]
pub fn check_event(event: &str, data: &Value) {
    match EventType::ALL.iter().find(|event_type| event_type.routing_key() == event) {
        Some(event_type) => {
            let contract = Contract::of(&OpenApi::default());
            contract.check(&format!("/components/schemas/{}Event", event_type.name()), data, event);
        }
        None => {
            assert!(["ready", "resync", "token_expired"].contains(&event), "no event {event} is described");
            assert_eq!(*data, json!({}), "{event}");
        }
    }
}

/// Check a value against a schema of the document that describes all routes.
#[track_caller]
pub fn check_sample(routes: &OpenApi, schema: &str, value: &Value) {
    Contract::of(routes).check(schema, value, schema);
}

/// Note on the answer which route gave it.
pub(super) async fn remember_path(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(path) = path {
        response.extensions_mut().insert(path);
    }
    response
}

/// Let a schema's objects have no fields but the ones it names, all the way down. What is `open` itself is part of something
/// that has more.
fn close(schema: &mut Value, open: bool) {
    let Some(fields) = schema.as_object_mut() else { return };
    for part in fields.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        close(part, true);
    }
    for choices in ["oneOf", "anyOf"] {
        for choice in fields.get_mut(choices).and_then(Value::as_array_mut).into_iter().flatten() {
            close(choice, open);
        }
    }
    if let Some(items) = fields.get_mut("items") {
        close(items, false);
    }
    for field in fields.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        // Another part may have more to say about a field, if its schema is written out here.
        close(field, open && field.get("properties").is_some());
    }
    if !open && ["$ref", "allOf", "properties"].iter().any(|keyword| fields.contains_key(*keyword)) {
        fields.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

/// A path as one step of a JSON pointer in a URI.
fn escape(path: &str) -> String {
    path.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D")
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use axum::http::HeaderValue;
    use serde::Serialize;
    use utoipa::ToSchema;

    use super::*;
    use crate::domain::page::Page;
    use crate::http::Routes;
    use crate::http::response::Json;
    use crate::{Code, routes};

    #[derive(Serialize, ToSchema)]
    struct Thing {
        #[schema(minimum = 1, examples(1))]
        id: i64,
        #[schema(required)]
        part: Option<Part>,
    }

    #[derive(Serialize, ToSchema)]
    struct Part {
        #[schema(examples("lid"))]
        name: String,
    }

    /// Things.
    #[utoipa::path(
        get,
        path = "/things/{id}",
        operation_id = "things_list",
        params(("id" = i64, Path)),
        responses((status = 200, body = Page<Thing>)),
        extensions(("x-errors" = json!([Code::TableNotFound]))),
    )]
    async fn things() -> Json<()> {
        Json(())
    }

    fn contract() -> Arc<Contract> {
        Contract::of(&Routes::default().routes(routes!(self::things)).openapi())
    }

    /// Whether the contract lets an answer of `GET /things/{id}` pass.
    fn passes(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        let (status, headers) = (StatusCode::from_u16(status).unwrap(), headers.collect());
        let contract = contract();
        catch_unwind(AssertUnwindSafe(|| {
            let described = contract.check_head(&Method::GET, "/things/{id}", status, &headers);
            described.unwrap().check_body(status, body);
        }))
        .is_ok()
    }

    const ID: (&str, &str) = ("x-request-id", "019c3f7e-5b40-7d2a-9c3e-4a1b2c3d4e5f");
    const JSON: (&str, &str) = ("content-type", "application/json");

    fn page(items: Value) -> String {
        let pagination = json!({"page": 1, "page_size": 50, "total_count": 1, "total_pages": 1});
        json!({"items": items, "pagination": pagination}).to_string()
    }

    #[test]
    fn an_answer_must_be_as_described() {
        let answers = |items: Value| passes(200, &[ID, JSON], &page(items));
        assert!(answers(json!([])));
        assert!(answers(json!([{"id": 1, "part": null}, {"id": 2, "part": {"name": "lid"}}])));
        assert!(!answers(json!([{"id": 0, "part": null}])), "below the minimum");
        assert!(!answers(json!([{"id": "1", "part": null}])), "another type");
        assert!(!answers(json!([{"id": 1}])), "a required field is missing");
        assert!(!answers(json!([{"id": 1, "part": null, "more": 1}])), "a field that is not described");
        assert!(!answers(json!([{"id": 1, "part": {"name": "lid", "more": 1}}])), "the same further down");
        assert!(!passes(200, &[ID, JSON], "no JSON"));
    }

    #[test]
    fn status_headers_and_media_type_must_be_as_described() {
        let body = page(json!([]));
        assert!(passes(200, &[ID, ("content-type", "application/json; charset=utf-8")], &body));
        assert!(!passes(201, &[ID, JSON], &body));
        assert!(!passes(200, &[JSON], &body), "no x-request-id");
        assert!(!passes(200, &[ID, ("content-type", "text/plain")], &body));
        assert!(!passes(200, &[ID], ""), "no body");
    }

    #[test]
    fn an_error_must_have_a_code_of_the_operation_and_the_status() {
        let answers = |status: u16, code: &str| {
            let body = json!({"error": {"code": code, "message": "문장."}}).to_string();
            passes(status, &[ID, JSON, ("retry-after", "1"), ("www-authenticate", "Bearer")], &body)
        };
        assert!(answers(404, "TABLE_NOT_FOUND"));
        assert!(!answers(404, "MENU_NOT_FOUND"));
        assert!(!answers(400, "TABLE_NOT_FOUND"));
        assert!(answers(400, "VALIDATION_ERROR"));
        assert!(answers(401, "TOKEN_EXPIRED"));
        assert!(answers(429, "RATE_LIMIT_EXCEEDED"));
        assert!(!answers(409, "VERSION_CONFLICT"));
        let more = json!({"error": {"code": "TABLE_NOT_FOUND", "message": "문장.", "more": 1}}).to_string();
        assert!(!passes(404, &[ID, JSON], &more));
        assert!(!passes(
            429,
            &[ID, JSON],
            &json!({"error": {"code": "RATE_LIMIT_EXCEEDED", "message": "문장."}}).to_string()
        ));
    }

    #[test]
    fn what_is_not_described_is_not_checked() {
        let contract = contract();
        let check =
            |method, path| contract.check_head(&method, path, StatusCode::NOT_FOUND, &HeaderMap::new()).is_none();
        assert!(check(Method::GET, "/nowhere"));
        assert!(check(Method::POST, "/things/{id}"));
    }

    #[test]
    #[should_panic(expected = "order.deleted is not as described")]
    fn an_event_must_be_as_described() {
        check_event("ready", &json!({}));
        check_event("order.deleted", &json!({"event_type": "OrderDeleted"}));
    }
}
