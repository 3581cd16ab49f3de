//! Error answers in the description. Statuses and sentences come from the table of codes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::samples::sample;
use crate::domain::MenuId;
use crate::domain::order::{NotAllowed, OrderStatus};
use crate::domain::placing::PlaceRefusal;
use crate::error::{Code, Error, Result};
use crate::http::layers::is_unlimited;

/// Error answers, each described once however many operations give it.
pub(super) struct Errors<'a> {
    schemas: &'a Map<String, Value>,
    responses: BTreeMap<String, Value>,
    examples: BTreeMap<String, Value>,
}

/// The schemas that all error answers share.
pub(super) fn schemas() -> [(String, Value); 2] {
    let error = json!({
        "type": "object",
        "description": "The body of every error.",
        "required": ["error"],
        "properties": {"error": {"$ref": "#/components/schemas/ErrorBody"}},
    });
    let body = json!({
        "type": "object",
        "description": "What went wrong.",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "string", "description": "For programs. Stable."},
            "message": {
                "type": "string",
                "description": "For people: in Korean, or in English for `Accept-Language: en`.",
            },
            "details": {
                "type": "object",
                "description": "More for programs. `VALIDATION_ERROR` names what it refuses: `fields`, each with `field` \
                                and `reason`.",
            },
        },
    });
    [("Error".to_owned(), error), ("ErrorBody".to_owned(), body)]
}

impl<'a> Errors<'a> {
    pub(super) fn new(schemas: &'a Map<String, Value>) -> Self {
        Self { schemas, responses: BTreeMap::new(), examples: BTreeMap::new() }
    }

    /// The error answers of an operation, by status.
    pub(super) fn responses(
        &mut self,
        path: &str,
        operation: &Value,
        open: bool,
        own: &Value,
    ) -> Result<Vec<(String, Value)>> {
        let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
        for code in codes(path, operation, open, own)? {
            by_status.entry(code.status()).or_default().push(code);
        }
        Ok(by_status.into_iter().map(|(status, codes)| (status.to_string(), self.response(status, &codes))).collect())
    }

    fn response(&mut self, status: u16, codes: &[Code]) -> Value {
        let name = codes.iter().map(|code| format!("{code:?}")).collect::<Vec<_>>().join(".");
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        if self.responses.contains_key(&name) {
            return reference;
        }
        let mut examples = Map::new();
        for code in codes {
            for (name, message) in [(code.as_str().to_owned(), code.korean()), (format!("{code}.en"), code.english())] {
                let mut error = json!({"code": code, "message": message});
                if let Some(details) = self.details(*code) {
                    error["details"] = details;
                }
                let example = json!({"summary": name, "value": {"error": error}});
                examples.insert(name.clone(), json!({"$ref": format!("#/components/examples/{name}")}));
                self.examples.insert(name, example);
            }
        }
        let sentences: Vec<_> = codes.iter().map(|code| format!("- `{code}`: {}", code.english())).collect();
        let these = json!({"properties": {"error": {"properties": {"code": {"enum": codes}}}}});
        let mut headers = json!({"x-request-id": {"$ref": "#/components/headers/RequestId"}});
        match status {
            401 => headers["www-authenticate"] = json!({"$ref": "#/components/headers/WwwAuthenticate"}),
            429 => headers["retry-after"] = json!({"$ref": "#/components/headers/RetryAfter"}),
            _ => {}
        }
        let response = json!({
            "description": sentences.join("\n"),
            "headers": headers,
            "content": {
                "application/json": {
                    "schema": {"allOf": [{"$ref": "#/components/schemas/Error"}, these]},
                    "examples": examples,
                },
            },
        });
        self.responses.insert(name, response);
        reference
    }

    /// What the details of a code look like, told by the errors themselves where they write them.
    fn details(&self, code: Code) -> Option<Value> {
        let error = match code {
            Code::ValidationError => Error::field("price", "lower than 1"),
            Code::InvalidQuantity => PlaceRefusal::InvalidQuantity(0).into(),
            Code::MenuNotAvailable => PlaceRefusal::MenusNotAvailable(MenuId::new(7).into_iter().collect()).into(),
            Code::InvalidStatusTransition => {
                NotAllowed { from: OrderStatus::Preparing, to: OrderStatus::Served }.into()
            }
            Code::VersionConflict => {
                let current = sample(&json!({"$ref": "#/components/schemas/Order"}), self.schemas);
                Error::with_details(code, json!({ "current": current }))
            }
            Code::SessionHasUnfinishedOrders => Error::with_details(code, json!({"unfinished_count": 2})),
            Code::RateLimitExceeded => Error::too_many(Duration::from_secs(17)),
            _ => code.into(),
        };
        error.details
    }

    /// All answers and all examples that were referred to.
    pub(super) fn into_components(self) -> (Value, Value) {
        (self.responses.into_iter().collect(), self.examples.into_iter().collect())
    }
}

/// Every code an operation may answer with: its own, and what follows from what it takes and who may ask.
fn codes(path: &str, operation: &Value, open: bool, own: &Value) -> Result<Vec<Code>> {
    let mut codes = Vec::new();
    let takes_body = operation.get("requestBody").is_some();
    if takes_body || operation["parameters"].as_array().is_some_and(|parameters| !parameters.is_empty()) {
        codes.push(Code::ValidationError);
    }
    if takes_body {
        codes.extend([Code::PayloadTooLarge, Code::UnsupportedMediaType]);
    }
    if !open {
        codes.extend([Code::TokenMissing, Code::TokenExpired, Code::InvalidToken]);
        // A super admin has no store.
        if !path.starts_with("/api/superadmin/") {
            codes.push(Code::StoreInactive);
        }
    }
    if !is_unlimited(path) {
        // In production, what comes past CloudFront may not ask either.
        codes.extend([Code::InsufficientPermissions, Code::RateLimitExceeded]);
    }
    codes.extend([Code::InternalError, Code::ServiceUnavailable, Code::Timeout]);
    for name in own.as_array().into_iter().flatten() {
        let code = Code::ALL.iter().find(|code| name == code.as_str());
        codes.push(*code.ok_or_else(|| Error::internal(format!("{path}: there is no code {name}")))?);
    }
    codes.sort_by_key(|code| (code.status(), Code::ALL.iter().position(|known| known == code)));
    codes.dedup();
    Ok(codes)
}
