//! The wall between stores: every route, asked with another store's token, in one process and with Redis.
//!
//! The routes are read off the router's own description, so that a new one is tested, or missed here, by itself.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};
use shared::cache::{Entity, Found};
use shared::domain::image::ImageStatus;
use shared::testing::{Options, TestApp, TestRedis, TestResponse, TestStore, TestTable, in_both_worlds};

use crate::routes::{call, is_open, routes};
use crate::{service, service_with};

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
        let image = app.image(&store, ImageStatus::Ready).await.get();
        let place = async || {
            let body = json!({"items": [{"menu_id": menu, "quantity": 1}], "note": "marker note"});
            let key = shared::clock::random::<8>().map(|byte| byte.to_string()).join("-");
            let request = app.post("/api/customer/orders").token(&table.token).header("idempotency-key", &key);
            request.json(body).send().await.expect(201)
        };
        place().await;
        let close = app.post(format!("/api/admin/tables/{}/complete-session", table.id)).token(&store.admin.token);
        close.send().await.expect(200);
        let order = place().await["id"].as_i64().unwrap();
        let ids = Ids { table: table.id.get(), category: category.get(), menu: menu.get(), image, order };
        Self { store, table, ids }
    }

    /// Read what is cached as its owners, so that it is.
    async fn read_all(&self, app: &TestApp) {
        let menu = format!("/api/customer/menus/{}", self.ids.menu);
        for path in ["/api/customer/categories", "/api/customer/menus", &menu] {
            app.get(path).token(&self.table.token).send().await.expect(200);
        }
        let history = format!("/api/admin/tables/{}/order-history", self.table.id);
        app.get(history).token(&self.store.admin.token).send().await.expect(200);
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
        // Of its own store; the answer has an id and a signed request alone.
        ("POST", "/api/admin/images") => {
            (plain(), Some(json!({"content_type": "image/png", "size": 1, "sha256": "0".repeat(64)})), Told::ItsOwn)
        }
        ("GET", "/api/admin/images/{id}") => (with(image), None, Told::NotFound("IMAGE_NOT_FOUND")),
        ("PUT", "/api/admin/menus/order") => {
            (plain(), Some(json!({"category_id": category, "menu_ids": [menu]})), Told::NotFound("CATEGORY_NOT_FOUND"))
        }
        _ => panic!("{method} {path} is new: say here what it tells a caller of another store"),
    }
}

/// Where a store's rows are: each table, and which of its rows are the store's.
const ROWS: &[(&str, &str)] = &[
    ("admins", "store_id = $1"),
    ("audit_entries", "store_id = $1"),
    ("idempotency_keys", "table_id in (select id from tables where store_id = $1)"),
    ("images", "store_id = $1"),
    ("menu_categories", "store_id = $1"),
    ("menus", "store_id = $1"),
    ("order_counters", "store_id = $1"),
    ("order_history", "store_id = $1"),
    ("order_history_items", "order_history_id in (select id from order_history where store_id = $1)"),
    ("order_items", "order_id in (select id from orders where store_id = $1)"),
    ("order_status_changes", "store_id = $1"),
    ("orders", "store_id = $1"),
    ("outbox", "store_id = $1"),
    ("stores", "id = $1"),
    ("table_sessions", "store_id = $1"),
    ("tables", "store_id = $1"),
];

/// Tables that hold nothing of a store.
const NO_ROWS: &[&str] = &["_sqlx_migrations", "broker_contact"];

/// Everything that is kept of a store.
#[derive(Debug, PartialEq)]
struct Kept {
    /// In the database, a line a table.
    rows: Vec<String>,
    /// In the cache: what is found, and the generation that a drop would change.
    cached: Vec<Found>,
    /// Where its feed stands.
    feed: String,
    /// In Redis, under every key that names the store.
    keys: BTreeMap<String, Vec<u8>>,
}

impl Kept {
    async fn of(app: &TestApp, redis: Option<&TestRedis>, full: &Full) -> Self {
        let (store, now) = (full.store.id, app.clock.now());
        let mut rows = Vec::new();
        for (table, theirs) in ROWS {
            let sql =
                format!("select coalesce(string_agg(t::text, ';' order by t::text), '') from {table} t where {theirs}");
            let text: String =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(store).fetch_one(app.db()).await.unwrap();
            rows.push(format!("{table}: {text}"));
        }
        let mut cached = Vec::new();
        let menu = format!("menu:{}", full.ids.menu);
        for (entity, id) in [(Entity::Categories, "all"), (Entity::Menus, "all"), (Entity::Menus, &menu)] {
            let found = app.app.cache.look_up(store, entity, id, now).await;
            assert!(found.body.is_some(), "the owner's {id} of {entity:?} is not cached");
            cached.push(found);
        }
        cached.push(app.app.cache.look_up(store, Entity::OrderHistory, "any", now).await);
        let feed = app.feed.subscribe(store, None, now).await.unwrap().position.to_string();
        let keys = match redis {
            Some(redis) => keys_of(redis, &store.to_string()).await,
            None => BTreeMap::new(),
        };
        Self { rows, cached, feed, keys }
    }
}

/// What Redis keeps under every key that names this store.
async fn keys_of(redis: &TestRedis, store_id: &str) -> BTreeMap<String, Vec<u8>> {
    let (mut keys, mut cursor) = (BTreeMap::new(), "0".to_owned());
    loop {
        let (next, page): (String, Vec<String>) = redis.command(&["SCAN", &cursor, "COUNT", "1000"]).await;
        for key in page.into_iter().filter(|key| key.contains(store_id)) {
            let value = redis.command(&["DUMP", &key]).await;
            keys.insert(key, value);
        }
        cursor = next;
        if cursor == "0" {
            return keys;
        }
    }
}

in_both_worlds! {
    /// Another store's token leads nowhere, and leaves neither a row nor a key of the store touched.
    async fn a_store_is_a_wall(options: Options) {
        let redis = options.redis.clone();
        let app = service_with(options).await;
        let full = Full::new(&app).await;
        let stranger = app.store().await;
        let strangers_table = app.table(&stranger, "9").await;
        full.read_all(&app).await;
        app.drain().await;
        full.read_all(&app).await;
        let before = Kept::of(&app, redis.as_deref(), &full).await;
        assert!(redis.is_none() || before.keys.len() > 8, "{:?}", before.keys.keys());

        for (method, path) in routes() {
            if is_open(&method, &path) || path.starts_with("/api/superadmin/") {
                continue;
            }
            let token = if path.starts_with("/api/customer/") { &strangers_table.token } else { &stranger.admin.token };
            ask_as_a_stranger(&app, &full, &method, &path, token).await;
        }
        app.drain().await;

        assert_eq!(Kept::of(&app, redis.as_deref(), &full).await, before);
    }
}

/// Ask a route about a store with another store's token, and check what it tells.
async fn ask_as_a_stranger(app: &TestApp, full: &Full, method: &Method, path: &str, token: &str) {
    let ask = async |about: &Ids| {
        let (path, body, _) = question(method, path, about);
        call(app, method, &path, Some(token), body).await
    };
    match question(method, path, &NOWHERE).2 {
        Told::NotFound(code) => {
            let (answer, nowhere) = (ask(&full.ids).await, ask(&NOWHERE).await);
            let said = |answer: TestResponse| {
                let mut body = answer.expect(404);
                assert_eq!(body["error"]["code"], code, "{method} {path}");
                // An order's refusal repeats the ids it was sent.
                body["error"]["details"].take();
                body
            };
            assert_eq!(said(answer), said(nowhere), "{method} {path}");
        }
        Told::Invalid => drop(ask(&full.ids).await.expect_error(400, "VALIDATION_ERROR")),
        Told::ItsOwn => {
            let answer = ask(&full.ids).await;
            assert!(answer.status.is_success(), "{method} {path}: {}", answer.body);
            assert!(!answer.body.contains("marker ") && !answer.body.contains(&full.store.id.to_string()));
        }
        Told::Elsewhere => {}
    }
}

#[tokio::test]
async fn every_table_of_the_database_is_looked_at() {
    let app = service().await;
    let sql = "select tablename::text from pg_tables where schemaname = 'public' order by tablename";
    let there: Vec<String> = sqlx::query_scalar(sql).fetch_all(app.db()).await.unwrap();
    let mut known: Vec<_> = ROWS.iter().map(|(table, _)| *table).chain(NO_ROWS.iter().copied()).collect();
    known.sort_unstable();
    assert_eq!(there, known, "say which of its rows are a store's, or that none are");
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
    full.read_all(&app).await;

    app.get(&menu).token(&strangers_table.token).send().await.expect_error(404, "MENU_NOT_FOUND");
    assert_eq!(app.get("/api/customer/menus").token(&strangers_table.token).send().await.expect(200), json!([]));
    app.get(&history).token(&stranger.admin.token).send().await.expect_error(404, "TABLE_NOT_FOUND");
}
