//! The endpoints of `tables`, through the router, on a database of their own each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod complete_session;
mod create;
mod dashboard;
mod delete;
mod order_history;
mod read;
mod sessions;
mod update;

use serde_json::{Value, json};
use shared::db::owners::Owner;
use shared::domain::MenuId;
use shared::domain::account::Role;
use shared::testing::{Options, TestApp, TestRequest, TestResponse, TestStore, TestTable, count, outbox};

/// What most tests are given: a store with a table and two menus.
struct Given {
    app: TestApp,
    store: TestStore,
    table: TestTable,
    /// 9,000 won.
    stew: MenuId,
    /// 5,000 won.
    soju: MenuId,
}

async fn given() -> Given {
    let app = TestApp::start_with(Options::default(), |_, _| {
        ::tables::router().merge(orders::router()).merge(menus::router()).merge(auth::router())
    })
    .await;
    let store = app.store().await;
    let table = app.table(&store, "1").await;
    let category = app.category(&store, "식사").await;
    let stew = app.menu(&store, category, "김치찌개", 9_000).await;
    let soju = app.menu(&store, category, "소주", 5_000).await;
    Given { app, store, table, stew, soju }
}

impl Given {
    /// An order from a table.
    async fn place_from(&self, table: &TestTable, body: Value) -> Value {
        self.app.post("/api/customer/orders").token(&table.token).json(body).send().await.expect(201)
    }

    /// An order of one stew from a table.
    async fn order_from(&self, table: &TestTable) -> Value {
        self.place_from(table, json!({"items": [{"menu_id": self.stew, "quantity": 1}]})).await
    }

    /// An order of one stew from the table.
    async fn order(&self) -> Value {
        self.order_from(&self.table).await
    }

    /// Move an order on, step by step. Gives it as it is then.
    async fn change_status(&self, order: &Value, steps: &[&str]) -> Value {
        let mut changed = order.clone();
        for status in steps {
            let request = self.app.patch(format!("/api/admin/orders/{}/status", order["id"]));
            changed = request.token(&self.admin()).json(json!({"status": status})).send().await.expect(200);
        }
        changed
    }

    async fn serve(&self, order: &Value) -> Value {
        self.change_status(order, &["preparing", "ready", "served"]).await
    }

    async fn delete_order(&self, order: &Value) {
        self.app.delete(format!("/api/admin/orders/{}", order["id"])).token(&self.admin()).send().await.expect(200);
    }

    /// Close a table's session, without a body.
    async fn close(&self, table: &TestTable) -> TestResponse {
        self.app.post(format!("/api/admin/tables/{}/complete-session", table.id)).token(&self.admin()).send().await
    }

    /// A GET by the store's admin.
    async fn get(&self, path: &str) -> TestResponse {
        self.app.get(path).token(&self.admin()).send().await
    }

    /// A part of a table's history; the query begins with `?`.
    async fn history(&self, query: &str) -> TestResponse {
        self.get(&format!("/api/admin/tables/{}/order-history{query}", self.table.id)).await
    }

    /// A table's login.
    fn log_in(&self, number: &str, password: &str) -> TestRequest<'_> {
        let body = json!({"store_id": self.store.id, "table_number": number, "password": password});
        self.app.post("/api/customer/auth/login").json(body)
    }

    /// A token of the store's admin that is good now, however far the clock has been moved.
    fn admin(&self) -> String {
        let id = self.store.admin.id.get();
        self.app.token_for(Owner { role: Role::StoreAdmin, id, store_id: Some(self.store.id) })
    }

    /// The same table with a token that is good now.
    fn table_now(&self) -> TestTable {
        let owner = Owner { role: Role::Table, id: self.table.id.get(), store_id: Some(self.store.id) };
        TestTable { token: self.app.token_for(owner), ..self.table.clone() }
    }
}
