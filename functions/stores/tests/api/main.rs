//! The endpoints of `stores`, through the router, on a database of their own each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod admins;
mod concurrency;
mod passwords;
mod stores;
mod switching;

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::domain::StoreId;
use shared::testing::{TestAdmin, TestApp, TestResponse, TestStore, count};

/// What most tests are given: a super admin, and nothing else yet.
struct Given {
    app: TestApp,
    caller: TestAdmin,
}

/// With the routes of `auth` besides, which show whether a token or a password is still good.
async fn given() -> Given {
    let app = TestApp::start(::stores::router().merge(auth::router())).await;
    let caller = app.admin(None).await;
    Given { app, caller }
}

impl Given {
    /// A request of the super admin.
    async fn send(&self, method: Method, path: impl Into<String>, body: Option<Value>) -> TestResponse {
        let request = self.app.request(method, path).token(&self.caller.token);
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

    async fn patch(&self, path: impl Into<String>, body: Value) -> TestResponse {
        self.send(Method::PATCH, path, Some(body)).await
    }

    async fn delete(&self, path: impl Into<String>) -> TestResponse {
        self.send(Method::DELETE, path, None).await
    }

    /// A store with nothing in it.
    async fn store(&self, name: &str) -> Value {
        self.post("/api/superadmin/stores", json!({"name": name})).await.expect(201)
    }

    /// Switch an account on (`activate`) or off (`deactivate`).
    async fn switch(&self, admin: &TestAdmin, how: &str) -> TestResponse {
        self.send(Method::PATCH, format!("/api/superadmin/admins/{}/{how}", admin.id), None).await
    }

    /// The account as the list shows it.
    async fn admin(&self, admin: &TestAdmin) -> Value {
        let list = self.get(format!("/api/superadmin/admins?q={}", admin.username)).await.expect(200);
        assert_eq!(list["pagination"]["total_count"], 1);
        list["items"][0].clone()
    }

    /// Who a store admin's token says it is.
    async fn store_admin_me(&self, token: &str) -> TestResponse {
        self.app.get("/api/admin/auth/me").token(token).send().await
    }

    /// Who a super admin's token says it is.
    async fn super_admin_me(&self, token: &str) -> TestResponse {
        self.app.get("/api/superadmin/auth/me").token(token).send().await
    }

    /// Let pass what a process may remember of a token's owner.
    fn half_a_minute_later(&self) {
        self.app.clock.advance(TimeDelta::seconds(30));
    }
}

/// A store as the builders take it: what they are asked for here has nothing to do with its admin.
fn built_for(id: &Value, admin: &TestAdmin) -> TestStore {
    TestStore { id: StoreId(id.as_str().unwrap().parse().unwrap()), admin: admin.clone() }
}

/// One field of each item of a page, in the page's order.
fn column(page: &Value, field: &str) -> Value {
    page["items"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
}

/// Check that a body holds no password and nothing that came of one.
#[track_caller]
fn assert_no_secret(body: &str, passwords: &[&str]) {
    assert!(!body.contains("password") && !body.contains("hash") && !body.contains("$2"), "{body}");
    for password in passwords {
        assert!(!body.contains(password), "{body}");
    }
}
