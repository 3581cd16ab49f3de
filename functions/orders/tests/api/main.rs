//! The endpoints of `orders`, through the router, on a database of their own each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod admin;
mod change_status;
mod concurrency;
mod customer;
mod delete;
mod lambda;
mod place;

use serde_json::{Value, json};
use shared::domain::MenuId;
use shared::testing::{TestApp, TestStore, TestTable, count, outbox};

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
    let app = TestApp::start(orders::router()).await;
    let store = app.store().await;
    let table = app.table(&store, "1").await;
    let category = app.category(&store, "식사").await;
    let stew = app.menu(&store, category, "김치찌개", 9_000).await;
    let soju = app.menu(&store, category, "소주", 5_000).await;
    Given { app, store, table, stew, soju }
}

impl Given {
    /// An order of one stew from a table.
    async fn order_from(&self, table: &TestTable) -> Value {
        let body = json!({"items": [{"menu_id": self.stew, "quantity": 1}]});
        self.app.post("/api/customer/orders").token(&table.token).json(body).send().await.expect(201)
    }

    /// An order of one stew from the table.
    async fn order(&self) -> Value {
        self.order_from(&self.table).await
    }

    /// Move an order on.
    async fn change_status(&self, order: &Value, status: &str) -> shared::testing::TestResponse {
        self.app
            .patch(format!("/api/admin/orders/{}/status", order["id"]))
            .token(&self.store.admin.token)
            .json(json!({"status": status}))
            .send()
            .await
    }
}
