//! Every route: its token, its role, and the wall between stores.
//!
//! The routes are read off the router's own description, so that a new one is tested, or missed here, by itself.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};
use shared::testing::{TestApp, TestResponse, TestStore, TestTable};

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

fn is_open(method: &Method, path: &str) -> bool {
    OPEN.contains(&(method.as_str(), path))
}

/// A path that leads to the route; its id belongs to nothing.
fn concrete(path: &str) -> String {
    let id = if path.starts_with("/api/superadmin/stores") { "99999999-9999-4999-8999-999999999999" } else { "9999" };
    path.replace("{id}", id)
}

async fn call(app: &TestApp, method: &Method, path: &str, token: Option<&str>, body: Option<Value>) -> TestResponse {
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

/// A store with one of everything that has an id.
struct Full {
    store: TestStore,
    table: TestTable,
    ids: Ids,
}

/// What can be asked about.
struct Ids {
    table: i64,
    category: i64,
    menu: i64,
    image: i64,
    order: i64,
}

/// Ids that belong to nothing.
const NOWHERE: Ids = Ids { table: 9999, category: 9999, menu: 9999, image: 9999, order: 9999 };

impl Full {
    async fn new(app: &TestApp) -> Self {
        let store = app.store().await;
        let table = app.table(&store, "1").await;
        let category = app.category(&store, "marker category").await;
        let menu = app.menu(&store, category, "marker menu", 9_000).await;
        let image = sqlx::query_scalar(
            "insert into images (store_id, status, created_at) values ($1, 'pending', now()) returning id",
        );
        let image = image.bind(store.id).fetch_one(app.db()).await.unwrap();
        let place = async || {
            let body = json!({"items": [{"menu_id": menu, "quantity": 1}], "note": "marker note"});
            app.post("/api/customer/orders").token(&table.token).json(body).send().await.expect(201)
        };
        place().await;
        let close = app.post(format!("/api/admin/tables/{}/complete-session", table.id)).token(&store.admin.token);
        close.send().await.expect(200);
        let order = place().await["id"].as_i64().unwrap();
        let ids = Ids { table: table.id.get(), category: category.get(), menu: menu.get(), image, order };
        Self { store, table, ids }
    }
}

/// What a foreign caller is told.
enum Told {
    /// That there is no such thing, word for word as for an id that belongs to nothing.
    NotFound(&'static str),
    /// That its request names something it does not have.
    Invalid,
    /// Its own things, among them nothing of the other store.
    ItsOwn,
    /// Nothing that depends on another store: the test elsewhere that shows the wall.
    Elsewhere,
}

/// One question about a store, as asked with another store's token.
fn question(method: &Method, path: &str, about: &Ids) -> (String, Option<Value>, Told) {
    let &Ids { table, category, menu, image, order } = about;
    let with = |id: i64| path.replace("{id}", &id.to_string());
    let plain = || path.to_owned();
    match (method.as_str(), path) {
        ("GET", "/api/customer/auth/me" | "/api/admin/auth/me") => (plain(), None, Told::ItsOwn),
        ("POST", "/api/customer/auth/stream-ticket" | "/api/admin/auth/stream-ticket") => (plain(), None, Told::ItsOwn),
        // Its own password, by its own token: in the tests of `auth`.
        ("POST", "/api/admin/auth/change-password") => (plain(), None, Told::Elsewhere),
        // In the tests of `stream`.
        ("GET", "/api/customer/orders/stream" | "/api/admin/orders/stream") => (plain(), None, Told::Elsewhere),

        ("GET", "/api/customer/categories") => (plain(), None, Told::ItsOwn),
        ("GET", "/api/customer/menus") => {
            (format!("{path}?category_id={category}"), None, Told::NotFound("CATEGORY_NOT_FOUND"))
        }
        ("GET", "/api/customer/menus/{id}") => (with(menu), None, Told::NotFound("MENU_NOT_FOUND")),
        ("POST", "/api/customer/orders") => {
            (plain(), Some(json!({"items": [{"menu_id": menu, "quantity": 1}]})), Told::NotFound("MENU_NOT_FOUND"))
        }
        ("GET", "/api/customer/orders") => (plain(), None, Told::ItsOwn),
        ("GET", "/api/customer/orders/{id}") => (with(order), None, Told::NotFound("ORDER_NOT_FOUND")),

        ("GET", "/api/admin/dashboard") => (plain(), None, Told::ItsOwn),
        ("GET", "/api/admin/orders") => (format!("{path}?table_id={table}"), None, Told::NotFound("TABLE_NOT_FOUND")),
        ("GET" | "DELETE", "/api/admin/orders/{id}") => (with(order), None, Told::NotFound("ORDER_NOT_FOUND")),
        ("PATCH", "/api/admin/orders/{id}/status") => {
            (with(order), Some(json!({"status": "preparing"})), Told::NotFound("ORDER_NOT_FOUND"))
        }

        ("GET", "/api/admin/tables") => (plain(), None, Told::ItsOwn),
        ("POST", "/api/admin/tables") => {
            (plain(), Some(json!({"table_number": "marker-free", "password": "1234"})), Told::ItsOwn)
        }
        ("GET" | "DELETE", "/api/admin/tables/{id}") => (with(table), None, Told::NotFound("TABLE_NOT_FOUND")),
        ("PATCH", "/api/admin/tables/{id}") => {
            (with(table), Some(json!({"password": "stolen"})), Told::NotFound("TABLE_NOT_FOUND"))
        }
        ("POST", "/api/admin/tables/{id}/complete-session") => (with(table), None, Told::NotFound("TABLE_NOT_FOUND")),
        ("GET", "/api/admin/tables/{id}/order-history") => (with(table), None, Told::NotFound("TABLE_NOT_FOUND")),

        ("GET", "/api/admin/categories") => (plain(), None, Told::ItsOwn),
        ("POST", "/api/admin/categories") => (plain(), Some(json!({"name": "new"})), Told::ItsOwn),
        ("PATCH", "/api/admin/categories/{id}") => {
            (with(category), Some(json!({"name": "stolen"})), Told::NotFound("CATEGORY_NOT_FOUND"))
        }
        ("DELETE", "/api/admin/categories/{id}") => (with(category), None, Told::NotFound("CATEGORY_NOT_FOUND")),
        ("PUT", "/api/admin/categories/order") => (plain(), Some(json!({"category_ids": [category]})), Told::Invalid),

        ("GET", "/api/admin/menus") => {
            (format!("{path}?category_id={category}"), None, Told::NotFound("CATEGORY_NOT_FOUND"))
        }
        ("POST", "/api/admin/menus") => (
            plain(),
            Some(json!({"category_id": category, "name": "stolen", "price": 1, "image_id": image})),
            Told::NotFound("CATEGORY_NOT_FOUND"),
        ),
        ("GET" | "DELETE", "/api/admin/menus/{id}") => (with(menu), None, Told::NotFound("MENU_NOT_FOUND")),
        ("PATCH", "/api/admin/menus/{id}") => (with(menu), Some(json!({"price": 1})), Told::NotFound("MENU_NOT_FOUND")),
        ("PUT", "/api/admin/menus/order") => {
            (plain(), Some(json!({"category_id": category, "menu_ids": [menu]})), Told::NotFound("CATEGORY_NOT_FOUND"))
        }
        _ => panic!("{method} {path} is new: say here what it tells a caller of another store"),
    }
}

/// Everything the database holds under a store's id.
async fn contents(app: &TestApp, store: &TestStore) -> Vec<String> {
    let mut contents = Vec::new();
    for table in [
        "admins",
        "audit_entries",
        "images",
        "menu_categories",
        "menus",
        "order_counters",
        "order_history",
        "order_status_changes",
        "orders",
        "outbox",
        "stores",
        "table_sessions",
        "tables",
    ] {
        let column = if table == "stores" { "id" } else { "store_id" };
        let sql = format!(
            "select coalesce(string_agg(t::text, ';' order by t::text), '') from {table} t where {column} = $1"
        );
        let rows: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(store.id).fetch_one(app.db()).await.unwrap();
        contents.push(format!("{table}: {rows}"));
    }
    contents
}

#[tokio::test]
async fn a_store_is_a_wall() {
    let app = service().await;
    let full = Full::new(&app).await;
    let stranger = app.store().await;
    let strangers_table = app.table(&stranger, "9").await;
    let before = contents(&app, &full.store).await;

    for (method, path) in routes() {
        if is_open(&method, &path) || path.starts_with("/api/superadmin/") {
            continue;
        }
        let token = if path.starts_with("/api/customer/") { &strangers_table.token } else { &stranger.admin.token };
        if matches!(question(&method, &path, &NOWHERE).2, Told::Elsewhere) {
            continue;
        }
        let ask = async |about: &Ids| {
            let (path, body, told) = question(&method, &path, about);
            (call(&app, &method, &path, Some(token), body).await, told)
        };
        let (answer, told) = ask(&full.ids).await;
        match told {
            Told::NotFound(code) => {
                let (nowhere, _) = ask(&NOWHERE).await;
                let said = |answer: TestResponse| {
                    let mut body = answer.expect(404);
                    assert_eq!(body["error"]["code"], code, "{method} {path}");
                    // An order's refusal repeats the ids it was sent.
                    body["error"]["details"].take();
                    body
                };
                assert_eq!(said(answer), said(nowhere), "{method} {path}");
            }
            Told::Invalid => drop(answer.expect_error(400, "VALIDATION_ERROR")),
            Told::ItsOwn => {
                assert!(answer.status.is_success(), "{method} {path}: {}", answer.body);
                assert!(!answer.body.contains("marker ") && !answer.body.contains(&full.store.id.to_string()));
            }
            Told::Elsewhere => unreachable!("skipped above"),
        }
    }

    assert_eq!(contents(&app, &full.store).await, before);
}

#[tokio::test]
async fn another_stores_picture_cannot_be_used() {
    let app = service().await;
    let full = Full::new(&app).await;
    let stranger = app.store().await;
    let category = app.category(&stranger, "안주").await;
    let menu = app.menu(&stranger, category, "두부김치", 14_000).await;
    let token = &stranger.admin.token;

    let body = json!({"category_id": category, "name": "x", "price": 1, "image_id": full.ids.image});
    app.post("/api/admin/menus").token(token).json(body).send().await.expect_error(404, "IMAGE_NOT_FOUND");
    let body = json!({"image_id": full.ids.image});
    let update = app.patch(format!("/api/admin/menus/{menu}")).token(token).json(body);
    update.send().await.expect_error(404, "IMAGE_NOT_FOUND");
}

/// What a stranger asks must not be answered from what the owner's questions have left in the cache.
#[tokio::test]
async fn the_cache_is_behind_the_wall_too() {
    let app = service().await;
    let full = Full::new(&app).await;
    let stranger = app.store().await;
    let strangers_table = app.table(&stranger, "9").await;
    let menu = format!("/api/customer/menus/{}", full.ids.menu);
    let history = format!("/api/admin/tables/{}/order-history", full.table.id);
    app.get(&menu).token(&full.table.token).send().await.expect(200);
    app.get("/api/customer/menus").token(&full.table.token).send().await.expect(200);
    app.get(&history).token(&full.store.admin.token).send().await.expect(200);

    app.get(&menu).token(&strangers_table.token).send().await.expect_error(404, "MENU_NOT_FOUND");
    assert_eq!(app.get("/api/customer/menus").token(&strangers_table.token).send().await.expect(200), json!([]));
    app.get(&history).token(&stranger.admin.token).send().await.expect_error(404, "TABLE_NOT_FOUND");
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
