//! What no route may choke on.

use axum::http::Method;
use serde_json::json;
use shared::testing::{TestApp, TestResponse};

use crate::service;

/// Every route that takes a JSON body, with the token it needs.
struct Bodies {
    app: TestApp,
    routes: Vec<(Method, String, Option<String>)>,
}

impl Bodies {
    async fn new() -> Self {
        let app = service().await;
        let store = app.store().await;
        let table = app.table(&store, "1").await;
        let category = app.category(&store, "식사").await;
        let menu = app.menu(&store, category, "비빔밥", 10_000).await;
        let order = json!({"items": [{"menu_id": menu, "quantity": 1}]});
        let order = app.post("/api/customer/orders").token(&table.token).json(order).send().await.expect(201);
        let super_admin = app.admin(None).await;
        let (guest, admin) = (Some(table.token), Some(store.admin.token));
        let super_token = Some(super_admin.token);
        let table = table.id;
        let routes = vec![
            (Method::POST, "/api/customer/auth/login".into(), None),
            (Method::POST, "/api/admin/auth/login".into(), None),
            (Method::POST, "/api/superadmin/auth/login".into(), None),
            (Method::POST, "/api/admin/auth/change-password".into(), admin.clone()),
            (Method::POST, "/api/superadmin/auth/change-password".into(), super_token.clone()),
            (Method::POST, "/api/customer/orders".into(), guest),
            (Method::PATCH, format!("/api/admin/orders/{}/status", order["id"]), admin.clone()),
            (Method::POST, "/api/admin/tables".into(), admin.clone()),
            (Method::PATCH, format!("/api/admin/tables/{table}"), admin.clone()),
            (Method::POST, format!("/api/admin/tables/{table}/complete-session"), admin.clone()),
            (Method::POST, "/api/admin/categories".into(), admin.clone()),
            (Method::PATCH, format!("/api/admin/categories/{category}"), admin.clone()),
            (Method::PUT, "/api/admin/categories/order".into(), admin.clone()),
            (Method::POST, "/api/admin/menus".into(), admin.clone()),
            (Method::PATCH, format!("/api/admin/menus/{menu}"), admin.clone()),
            (Method::PUT, "/api/admin/menus/order".into(), admin),
            (Method::POST, "/api/superadmin/stores".into(), super_token.clone()),
            (Method::PATCH, format!("/api/superadmin/stores/{}", store.id), super_token.clone()),
            (Method::POST, "/api/superadmin/admins".into(), super_token.clone()),
            (Method::POST, format!("/api/superadmin/admins/{}/reset-password", store.admin.id), super_token),
        ];
        Self { app, routes }
    }

    async fn send(&self, content_type: &str, body: &str) -> Vec<(String, TestResponse)> {
        let mut answers = Vec::new();
        for (method, path, token) in &self.routes {
            let mut request = self.app.request(method.clone(), path).body(content_type, body.to_owned());
            if let Some(token) = token {
                request = request.token(token);
            }
            answers.push((format!("{method} {path}"), request.send().await));
        }
        answers
    }
}

#[tokio::test]
async fn broken_bodies_are_refused_by_every_route() {
    let bodies = Bodies::new().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_field = format!("{{\"name\": {}1{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    for body in [
        "{",
        "nonsense",
        "[]",
        "null",
        "1",
        "\"text\"",
        "{}{}",
        "{\"no_such_field\": 1}",
        "{\"name\": \"\\ud800\"}",
        &deep,
        &deep_field,
    ] {
        for (route, answer) in bodies.send("application/json", body).await {
            let body: String = body.chars().take(40).collect();
            assert_eq!(answer.status.as_u16(), 400, "{route} took {body}: {}", answer.body);
            let details = answer.expect_error(400, "VALIDATION_ERROR");
            let field = &details["fields"][0];
            assert!(field["field"].is_string() && field["reason"].is_string(), "{route} {body}: {details}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_415() {
    let bodies = Bodies::new().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        for (_, answer) in bodies.send(content_type, "{}").await {
            answer.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        }
    }
}

#[tokio::test]
async fn a_body_over_256_kib_is_413() {
    let bodies = Bodies::new().await;
    let largest = format!("{{\"name\": \"{}\"}}", "a".repeat(256 * 1024 - 12));
    assert_eq!(largest.len(), 256 * 1024);
    for (route, answer) in bodies.send("application/json", &largest).await {
        assert_eq!(answer.status.as_u16(), 400, "{route}");
    }
    for (_, answer) in bodies.send("application/json", &format!("{largest} ")).await {
        answer.expect_error(413, "PAYLOAD_TOO_LARGE");
    }
    for (_, answer) in bodies.send("application/json", &" ".repeat(10 * 1024 * 1024)).await {
        answer.expect_error(413, "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn control_characters_are_refused_wherever_text_is_taken() {
    let app = service().await;
    let store = app.store().await;
    let category = app.category(&store, "식사").await;
    let super_admin = app.admin(None).await;
    for control in ["\0", "\u{1b}", "\u{7f}", "\u{85}"] {
        let text = format!("a{control}b");
        for (path, token, body) in [
            ("/api/customer/auth/login", "", json!({"store_id": store.id, "table_number": text, "password": "1234"})),
            ("/api/customer/auth/login", "", json!({"store_id": store.id, "table_number": "1", "password": text})),
            ("/api/admin/auth/login", "", json!({"store_id": store.id, "username": text, "password": "1234"})),
            ("/api/superadmin/auth/login", "", json!({"username": text, "password": "1234"})),
            ("/api/admin/tables", &store.admin.token, json!({"table_number": text, "password": "1234"})),
            ("/api/admin/tables", &store.admin.token, json!({"table_number": "1", "password": format!("12{text}")})),
            ("/api/admin/categories", &store.admin.token, json!({"name": text})),
            ("/api/admin/menus", &store.admin.token, json!({"category_id": category, "name": text, "price": 1})),
            (
                "/api/admin/menus",
                &store.admin.token,
                json!({"category_id": category, "name": "a", "price": 1, "description": text}),
            ),
            ("/api/superadmin/stores", &super_admin.token, json!({"name": text})),
            (
                "/api/superadmin/admins",
                &super_admin.token,
                json!({"username": text, "password": "12345678", "role": "super_admin"}),
            ),
        ] {
            let mut request = app.post(path).json(body.clone());
            if !token.is_empty() {
                request = request.token(token);
            }
            let answer = request.send().await;
            assert_eq!(answer.status.as_u16(), 400, "{path} {body}: {}", answer.body);
            answer.expect_error(400, "VALIDATION_ERROR");
        }
    }
    for path in ["/api/superadmin/stores?q=%00", "/api/superadmin/admins?q=a%00b"] {
        app.get(path).token(&super_admin.token).send().await.expect_error(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn ids_in_paths_are_ids() {
    let app = service().await;
    let store = app.store().await;
    let table = app.table(&store, "1").await;
    let super_admin = app.admin(None).await;
    for id in ["0", "-1", "18446744073709551616", "1e3", "%20", "%00", "a%2Fb", "%ff", "null"] {
        for (path, token) in [
            ("/api/customer/menus/", &table.token),
            ("/api/customer/orders/", &table.token),
            ("/api/admin/orders/", &store.admin.token),
            ("/api/admin/tables/", &store.admin.token),
            ("/api/admin/menus/", &store.admin.token),
            ("/api/superadmin/stores/", &super_admin.token),
        ] {
            let details =
                app.get(format!("{path}{id}")).token(token).send().await.expect_error(400, "VALIDATION_ERROR");
            assert_eq!(details["fields"][0]["field"], "id", "{path}{id}");
        }
    }
}
