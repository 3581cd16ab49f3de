//! Every route: its token and its role. The wall between stores is in `wall`.
//!
//! The routes are read off the router's own description, so that a new one is tested, or missed here, by itself.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};
use shared::testing::{TestApp, TestResponse};

use crate::service;

/// The routes that anybody may ask. A route that is not on this list needs a token.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/docs"),
    ("GET", "/health"),
    ("GET", "/health/live"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/redoc"),
    ("POST", "/api/admin/auth/login"),
    ("POST", "/api/customer/auth/login"),
    ("POST", "/api/superadmin/auth/login"),
];

/// Every route of the service, as method and path.
pub(crate) fn routes() -> Vec<(Method, String)> {
    let routes: Vec<_> = described().into_iter().map(|(method, path, _)| (method, path)).collect();
    assert!(routes.len() > 40, "{routes:?}");
    routes
}

/// Every route with its description.
fn described() -> Vec<(Method, String, Value)> {
    let document: Value = serde_json::from_str(&local::openapi::document().unwrap()).unwrap();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            routes.push((method.to_uppercase().parse().unwrap(), path.clone(), operation.clone()));
        }
    }
    routes
}

/// Whether anybody may ask it.
pub(crate) fn is_open(method: &Method, path: &str) -> bool {
    OPEN.contains(&(method.as_str(), path))
}

/// A path that leads to the route; its id belongs to nothing.
fn concrete(path: &str) -> String {
    let id = if path.starts_with("/api/superadmin/stores") { "99999999-9999-4999-8999-999999999999" } else { "9999" };
    path.replace("{id}", id)
}

/// Send a request to a route.
pub(crate) async fn call(
    app: &TestApp,
    method: &Method,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> TestResponse {
    let mut request = app.request(method.clone(), path);
    if let Some(token) = token {
        request = request.token(token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    request.send().await
}

#[tokio::test]
async fn every_route_needs_a_token_unless_it_is_on_the_list() {
    let app = service().await;
    let mut open = Vec::new();
    for (method, path) in routes() {
        let answer = call(&app, &method, &concrete(&path), None, Some(json!({}))).await;
        if answer.status.as_u16() == 401 {
            answer.expect_error(401, "TOKEN_MISSING");
        } else {
            open.push((method.to_string(), path));
        }
    }
    open.sort();
    let open: Vec<_> = open.iter().map(|(method, path)| (method.as_str(), path.as_str())).collect();
    assert_eq!(open, OPEN);
}

#[test]
fn the_description_says_which_routes_need_a_token() {
    for (method, path, operation) in described() {
        let ways = match path.as_str() {
            _ if is_open(&method, &path) => json!([]),
            path if path.ends_with("/stream") => json!([{"bearer": []}, {"ticket": []}]),
            _ => json!([{"bearer": []}]),
        };
        assert_eq!(operation["security"], ways, "{method} {path}");
    }
}

#[tokio::test]
async fn every_route_refuses_the_roles_it_is_not_for() {
    let app = service().await;
    let store = app.store().await;
    let tokens = BTreeMap::from([
        ("/api/customer/", app.table(&store, "1").await.token),
        ("/api/admin/", store.admin.token.clone()),
        ("/api/superadmin/", app.admin(None).await.token),
    ]);
    for (method, path) in routes() {
        if is_open(&method, &path) {
            continue;
        }
        assert!(tokens.keys().any(|prefix| path.starts_with(prefix)), "no role is for {path}");
        for (prefix, token) in &tokens {
            if !path.starts_with(prefix) {
                let answer = call(&app, &method, &concrete(&path), Some(token), Some(json!({}))).await;
                assert_eq!(answer.status.as_u16(), 403, "{method} {path} with the token of {prefix}");
                answer.expect_error(403, "INSUFFICIENT_PERMISSIONS");
            }
        }
    }
}

#[tokio::test]
async fn what_is_nowhere_and_what_is_not_done_have_codes() {
    let app = service().await;
    for path in ["/", "/api", "/api/customer/order", "/api/admin/orders/1/status/2", "/metrics/x", "/%00"] {
        app.get(path).send().await.expect_error(404, "NOT_FOUND");
    }
    for (method, path) in [
        (Method::DELETE, "/health"),
        (Method::PUT, "/api/customer/orders"),
        (Method::GET, "/api/customer/auth/login"),
        (Method::TRACE, "/api/admin/dashboard"),
    ] {
        app.request(method, path).send().await.expect_error(405, "METHOD_NOT_ALLOWED");
    }
}
