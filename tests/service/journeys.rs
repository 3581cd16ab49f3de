//! Whole evenings.

use serde_json::{Value, json};
use shared::testing::{TestApp, TestResponse};

use crate::service;

/// Somebody with a token, who logged in as a person would.
struct Person<'a> {
    app: &'a TestApp,
    token: String,
}

impl<'a> Person<'a> {
    async fn log_in(app: &'a TestApp, role: &str, body: Value) -> Self {
        let answer = app.post(format!("/api/{role}/auth/login")).json(body).send().await.expect(200);
        Self { app, token: answer["access_token"].as_str().unwrap().to_owned() }
    }

    async fn get(&self, path: &str) -> Value {
        self.app.get(path).token(&self.token).send().await.expect(200)
    }

    async fn post(&self, path: &str, body: Value) -> TestResponse {
        self.app.post(path).token(&self.token).json(body).send().await
    }

    async fn patch(&self, path: &str, body: Value) -> TestResponse {
        self.app.patch(path).token(&self.token).json(body).send().await
    }
}

/// From nothing to a closed table: the super admin opens a store, its admin makes tables and a menu, a table orders, the
/// kitchen works, the party leaves.
#[tokio::test]
async fn an_evening_at_a_new_restaurant() {
    let app = service().await;
    let root = app.admin(None).await;
    let keeper = json!({"username": root.username, "password": shared::testing::PASSWORD});
    let keeper = Person::log_in(&app, "superadmin", keeper).await;

    let store = keeper.post("/api/superadmin/stores", json!({"name": "새집"})).await.expect(201);
    let account = json!({"username": "owner", "password": "owner1234", "role": "store_admin", "store_id": store["id"]});
    keeper.post("/api/superadmin/admins", account).await.expect(201);

    let login = json!({"store_id": store["id"], "username": "owner", "password": "owner1234"});
    let owner = Person::log_in(&app, "admin", login).await;
    let table = json!({"table_number": "창가 1", "password": "1234"});
    let table = owner.post("/api/admin/tables", table).await.expect(201);
    let category = owner.post("/api/admin/categories", json!({"name": "식사"})).await.expect(201);
    let menu = json!({"category_id": category["id"], "name": "비빔밥", "price": 10_000});
    let menu = owner.post("/api/admin/menus", menu).await.expect(201);

    let login = json!({"store_id": store["id"], "table_number": "창가 1", "password": "1234"});
    let guest = Person::log_in(&app, "customer", login).await;
    assert_eq!(guest.get("/api/customer/auth/me").await["session_id"], Value::Null);
    assert_eq!(guest.get("/api/customer/menus").await[0], menu);
    let order = json!({"items": [{"menu_id": menu["id"], "quantity": 2}]});
    let order = guest.post("/api/customer/orders", order).await.expect(201);
    assert_eq!((&order["total_price"], &order["order_number"]), (&json!(20_000), &json!(1)));

    let board = owner.get("/api/admin/dashboard").await;
    assert_eq!(board[0]["orders"], json!([order]));
    assert_eq!(board[0]["total_amount"], 20_000);
    let status = format!("/api/admin/orders/{}/status", order["id"]);
    for (version, next) in (1..).zip(["preparing", "ready", "served"]) {
        owner.patch(&status, json!({"status": next, "version": version})).await.expect(200);
    }
    assert_eq!(guest.get("/api/customer/orders").await["items"][0]["status"], "served");

    let close = format!("/api/admin/tables/{}/complete-session", table["id"]);
    let closed = owner.post(&close, json!({"require_finished": true})).await.expect(200);
    assert_eq!((&closed["archived_orders_count"], &closed["total_amount"]), (&json!(1), &json!(20_000)));
    assert_eq!(guest.get("/api/customer/orders").await["items"], json!([]));
    let history = owner.get(&format!("/api/admin/tables/{}/order-history", table["id"])).await;
    assert_eq!(history["items"][0]["original_order_id"], order["id"]);

    let again = json!({"items": [{"menu_id": menu["id"], "quantity": 1}]});
    let again = guest.post("/api/customer/orders", again).await.expect(201);
    assert_ne!(again["session_id"], order["session_id"], "the next party has a session of its own");
    assert_eq!(again["order_number"], 2);
    assert_eq!(app.drain().await, 8, "two of the menu card, two orders, three steps and the close");
}
