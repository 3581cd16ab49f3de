//! The endpoints of `menus`, through the router, on a database of their own each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod caching;
mod categories;
mod concurrency;
mod customer;
mod display_order;
mod events;
mod images;
mod limits;
mod menus;
mod uploads;

use axum::http::Method;
use serde_json::{Value, json};
use shared::domain::{CategoryId, MenuId};
use shared::testing::{Options, TestAdmin, TestApp, TestResponse, TestStore, TestTable, count, outbox};

/// What most tests are given: a store with a table, two menus in its first category and one in its second.
struct Given {
    app: TestApp,
    store: TestStore,
    table: TestTable,
    /// `식사`, the first category.
    meals: CategoryId,
    /// `주류`, the second.
    drinks: CategoryId,
    /// `김치찌개`, the first meal: 9,000 won.
    stew: MenuId,
    /// `비빔밥`, the second meal: 10,000 won.
    rice: MenuId,
    /// `소주`, the only drink: 5,000 won.
    soju: MenuId,
}

async fn given() -> Given {
    given_with(Options::default()).await
}

async fn given_with(options: Options) -> Given {
    let options = options.set("IMAGE_BASE_URL", "https://pictures.example");
    let app = TestApp::start_with(options, |_, _| ::menus::router().merge(orders::router())).await;
    let store = app.store().await;
    let table = app.table(&store, "1").await;
    let meals = app.category(&store, "식사").await;
    let drinks = app.category(&store, "주류").await;
    let stew = app.menu(&store, meals, "김치찌개", 9_000).await;
    let rice = app.menu(&store, meals, "비빔밥", 10_000).await;
    let soju = app.menu(&store, drinks, "소주", 5_000).await;
    Given { app, store, table, meals, drinks, stew, rice, soju }
}

impl Given {
    /// A request of the store's admin.
    async fn send(&self, method: Method, path: impl Into<String>, body: Option<Value>) -> TestResponse {
        let request = self.app.request(method, path).token(&self.store.admin.token);
        match body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        }
    }

    async fn get(&self, path: impl Into<String>) -> TestResponse {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: impl Into<String>, body: Value) -> TestResponse {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn put(&self, path: impl Into<String>, body: Value) -> TestResponse {
        self.send(Method::PUT, path, Some(body)).await
    }

    async fn patch(&self, path: impl Into<String>, body: Value) -> TestResponse {
        self.send(Method::PATCH, path, Some(body)).await
    }

    async fn delete(&self, path: impl Into<String>) -> TestResponse {
        self.send(Method::DELETE, path, None).await
    }

    /// What the table's guest reads.
    async fn guest(&self, path: impl Into<String>) -> TestResponse {
        self.app.get(path).token(&self.table.token).send().await
    }

    /// A menu as it is now.
    async fn menu(&self, id: MenuId) -> Value {
        self.get(format!("/api/admin/menus/{id}")).await.expect(200)
    }

    /// All of the store's menus as they are now, by category and display order.
    async fn menus(&self) -> Value {
        self.get("/api/admin/menus").await.expect(200)["items"].take()
    }

    /// All of the store's categories as they are now.
    async fn categories(&self) -> Value {
        self.get("/api/admin/categories").await.expect(200)
    }

    /// An order of one menu from the table.
    async fn order(&self, menu: MenuId) -> TestResponse {
        let body = json!({"items": [{"menu_id": menu, "quantity": 1}]});
        self.app.post("/api/customer/orders").token(&self.table.token).json(body).send().await
    }

    /// Another store that has a category with one menu.
    async fn other_store(&self) -> OtherStore {
        let store = self.app.store().await;
        let table = self.app.table(&store, "1").await;
        let category = self.app.category(&store, "분식").await;
        let menu = self.app.menu(&store, category, "떡볶이", 4_000).await;
        OtherStore { admin: store.admin.clone(), store, table, category, menu }
    }
}

/// A store that is none of the given admin's business.
struct OtherStore {
    store: TestStore,
    admin: TestAdmin,
    table: TestTable,
    category: CategoryId,
    menu: MenuId,
}

/// The `id` of each item of a list, in the list's order.
fn ids(list: &Value) -> Value {
    list.as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
}

/// The action, admin, entity and details of every audit entry, in the order they were written.
async fn audit(app: &TestApp) -> Vec<(String, i64, String, Value)> {
    sqlx::query_as("select action, admin_id, entity_id, details from audit_entries order by id")
        .fetch_all(app.db())
        .await
        .unwrap()
}
