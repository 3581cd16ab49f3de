//! Guests read the card from a cache, and never an old one.

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{Given, given, ids};

impl Given {
    /// Everything a guest can read of the card.
    async fn card(&self) -> Value {
        let mut card = json!({
            "categories": self.guest("/api/customer/categories").await.expect(200),
            "menus": self.guest("/api/customer/menus").await.expect(200),
        });
        for category in [self.meals, self.drinks] {
            let path = format!("/api/customer/menus?category_id={category}");
            card[format!("of {category}")] = self.guest(path).await.expect(200);
        }
        for menu in [self.stew, self.rice, self.soju] {
            let read = self.guest(format!("/api/customer/menus/{menu}")).await;
            card[format!("menu {menu}")] = serde_json::from_str::<Value>(&read.body).unwrap();
        }
        card
    }

    /// Check that guests read what admins read, who are given no cached answers.
    async fn assert_nothing_is_old(&self, after: &str) {
        let card = self.card().await;
        let menus = self.menus().await;
        assert_eq!(card["categories"], self.categories().await, "{after}");
        assert_eq!(card["menus"], menus, "{after}");
        for category in [self.meals, self.drinks] {
            let of_it: Value = menus
                .as_array()
                .unwrap()
                .iter()
                .filter(|menu| menu["category_id"] == json!(category))
                .cloned()
                .collect();
            assert_eq!(card[format!("of {category}")], of_it, "{after}");
        }
        for id in [self.stew, self.rice, self.soju] {
            let read = &card[format!("menu {id}")];
            match menus.as_array().unwrap().iter().find(|menu| menu["id"] == json!(id)) {
                Some(menu) => assert_eq!(read, menu, "{after}"),
                None => assert_eq!(read["error"]["code"], "MENU_NOT_FOUND", "{after}"),
            }
        }
    }
}

#[tokio::test]
async fn every_change_is_seen_at_once() {
    let given = given().await;
    let stew = format!("/api/admin/menus/{}", given.stew);
    let empty = given.app.category(&given.store, "디저트").await;
    for (method, path, body) in [
        (Method::POST, "/api/admin/categories".to_owned(), Some(json!({"name": "음료"}))),
        (Method::PATCH, format!("/api/admin/categories/{}", given.meals), Some(json!({"name": "한식"}))),
        (Method::DELETE, format!("/api/admin/categories/{empty}"), None),
        (
            Method::POST,
            "/api/admin/menus".into(),
            Some(json!({"category_id": given.meals, "name": "파전", "price": 12_000})),
        ),
        (Method::PATCH, stew.clone(), Some(json!({"price": 9_500}))),
        (Method::PATCH, stew.clone(), Some(json!({"is_available": false}))),
        (Method::PATCH, stew.clone(), Some(json!({"category_id": given.drinks}))),
        (
            Method::PUT,
            "/api/admin/menus/order".into(),
            Some(json!({"category_id": given.drinks, "menu_ids": [given.stew, given.soju]})),
        ),
        (Method::DELETE, stew, None),
    ] {
        let before = given.card().await;
        let change = format!("{method} {path} {body:?}");

        let answer = given.send(method, path, body).await;

        assert!(answer.status.is_success(), "{change}: {}", answer.body);
        assert_ne!(given.card().await, before, "{change}");
        given.assert_nothing_is_old(&change).await;
    }
    let mut order = ids(&given.categories().await);
    order.as_array_mut().unwrap().reverse();
    let before = given.card().await;
    given.put("/api/admin/categories/order", json!({"category_ids": order})).await.expect(200);
    assert_ne!(given.card().await["menus"], before["menus"]);
    given.assert_nothing_is_old("PUT /api/admin/categories/order").await;
}

#[tokio::test]
async fn a_deleted_category_is_gone_from_the_filter_at_once() {
    let given = given().await;
    let empty = given.app.category(&given.store, "디저트").await;
    let path = format!("/api/customer/menus?category_id={empty}");
    assert_eq!(given.guest(&path).await.expect(200), json!([]));

    given.delete(format!("/api/admin/categories/{empty}")).await.expect(204);

    given.guest(&path).await.expect_error(404, "CATEGORY_NOT_FOUND");
}

#[tokio::test]
async fn what_did_not_exist_yet_is_seen_as_soon_as_it_does() {
    let given = given().await;
    let next = given.soju.get() + 1;
    given.guest(format!("/api/customer/menus/{next}")).await.expect_error(404, "MENU_NOT_FOUND");

    let body = json!({"category_id": given.meals, "name": "파전", "price": 12_000});
    let menu = given.post("/api/admin/menus", body).await.expect(201);

    assert_eq!(menu["id"], next);
    assert_eq!(given.guest(format!("/api/customer/menus/{next}")).await.expect(200), menu);
}

/// Changes behind the cache's back, seen only by reading the database.
async fn change_by_sql(given: &Given) {
    sqlx::query("update menus set price = price + 1").execute(given.app.db()).await.unwrap();
    sqlx::query("update menu_categories set name = name || '!'").execute(given.app.db()).await.unwrap();
}

#[tokio::test]
async fn what_was_read_is_kept_for_five_minutes() {
    let given = given().await;
    let before = given.card().await;
    change_by_sql(&given).await;

    assert_eq!(given.card().await, before);
    given.app.clock.advance(TimeDelta::minutes(5) - TimeDelta::milliseconds(1));
    assert_eq!(given.card().await, before);
    given.app.clock.advance(TimeDelta::milliseconds(1));
    let after = given.card().await;

    assert_eq!(after["menus"][0]["price"], 9_001);
    assert_eq!(after[format!("of {}", given.drinks)][0]["price"], 5_001);
    assert_eq!(after[format!("menu {}", given.rice)]["price"], 10_001);
    assert_eq!(after["categories"][0]["name"], "식사!");
}

#[tokio::test]
async fn admins_are_given_no_cached_answers() {
    let given = given().await;
    given.card().await;
    given.menus().await;
    given.categories().await;
    change_by_sql(&given).await;

    assert_eq!(given.menus().await[0]["price"], 9_001);
    assert_eq!(given.menu(given.stew).await["price"], 9_001);
    assert_eq!(given.categories().await[0]["name"], "식사!");
}

#[tokio::test]
async fn a_refused_change_drops_nothing() {
    let given = given().await;
    given.order(given.stew).await.expect(201);
    let before = given.card().await;
    change_by_sql(&given).await;

    given.delete(format!("/api/admin/menus/{}", given.stew)).await.expect_error(409, "MENU_IN_USE");
    given.delete(format!("/api/admin/categories/{}", given.drinks)).await.expect_error(409, "CATEGORY_NOT_EMPTY");
    given.post("/api/admin/categories", json!({"name": "주류!"})).await.expect_error(409, "CATEGORY_ALREADY_EXISTS");
    let stew = format!("/api/admin/menus/{}", given.stew);
    given.patch(&stew, json!({"price": 0})).await.expect_error(400, "VALIDATION_ERROR");
    given.patch(&stew, json!({"price": 1, "category_id": 9999})).await.expect_error(404, "CATEGORY_NOT_FOUND");
    let order = json!({"category_id": given.meals, "menu_ids": [given.rice]});
    given.put("/api/admin/menus/order", order).await.expect_error(400, "VALIDATION_ERROR");

    assert_eq!(given.card().await, before);
}

#[tokio::test]
async fn another_stores_change_drops_nothing() {
    let given = given().await;
    let other = given.other_store().await;
    let before = given.card().await;
    let others = || given.app.get("/api/customer/menus").token(&other.table.token).send();
    assert_eq!(others().await.expect(200)[0]["price"], 4_000);
    change_by_sql(&given).await;

    let change = given.app.patch(format!("/api/admin/menus/{}", other.menu)).token(&other.admin.token);
    change.json(json!({"price": 3_000})).send().await.expect(200);

    assert_eq!(others().await.expect(200)[0]["price"], 3_000);
    assert_eq!(given.card().await, before);
}

/// As when the process that made the change ended before it could drop what it had cached.
#[tokio::test]
async fn a_drop_that_was_missed_is_made_good_when_the_event_is_published() {
    let given = given().await;
    given.patch(format!("/api/admin/menus/{}", given.stew), json!({"is_available": false})).await.expect(200);
    let before = given.card().await;
    change_by_sql(&given).await;
    assert_eq!(given.card().await, before);

    assert_eq!(given.app.drain().await, 1);

    assert_eq!(given.card().await["menus"][0]["price"], 9_001);
    given.assert_nothing_is_old("the event").await;
}
