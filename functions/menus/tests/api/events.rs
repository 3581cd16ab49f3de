//! What is told of a change of the card: `MenuChanged` in the outbox.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{Given, given, outbox};

impl Given {
    /// What each event in the outbox says beside the envelope's fields.
    async fn changes(&self) -> Vec<Value> {
        let mut events = outbox(&self.app).await;
        for event in &mut events {
            assert_eq!(event["event_type"], "MenuChanged");
            for field in ["event_id", "event_type", "store_id", "timestamp", "request_id"] {
                event.as_object_mut().unwrap().remove(field).unwrap();
            }
        }
        events
    }
}

#[tokio::test]
async fn an_event_says_where_and_when() {
    let given = given().await;
    given.app.clock.set("2026-02-09T03:04:05.678Z");

    given.delete(format!("/api/admin/menus/{}", given.stew)).await.expect(204);

    let event = &outbox(&given.app).await[0];
    assert_eq!(event["event_type"], "MenuChanged");
    assert_eq!(event["store_id"], json!(given.store.id));
    assert_eq!(event["timestamp"], "2026-02-09T03:04:05.678Z");
    let row: (String, String, String, bool) =
        sqlx::query_as("select id::text, store_id::text, event_type, published_at is null from outbox")
            .fetch_one(given.app.db())
            .await
            .unwrap();
    assert_eq!(json!(row.0), event["event_id"]);
    assert_eq!((row.1, row.2.as_str(), row.3), (given.store.id.to_string(), "MenuChanged", true));
}

#[tokio::test]
async fn a_new_menu_is_told_as_it_is() {
    let given = given().await;

    let body = json!({"category_id": given.drinks, "name": "막걸리", "price": 4_000, "is_available": false});
    let menu = given.post("/api/admin/menus", body).await.expect(201);

    assert_eq!(
        given.changes().await,
        [json!({
            "menu_id": menu["id"], "category_id": given.drinks, "version": 1, "is_available": false, "price": 4_000,
        })]
    );
}

#[tokio::test]
async fn a_changed_menu_is_told_as_it_is_now() {
    let given = given().await;
    let path = format!("/api/admin/menus/{}", given.stew);

    given.patch(&path, json!({"price": 9_500})).await.expect(200);
    given.patch(&path, json!({"is_available": false})).await.expect(200);
    given.patch(&path, json!({"name": "된장찌개"})).await.expect(200);

    let change = |version, is_available| {
        json!({
            "menu_id": given.stew, "category_id": given.meals, "version": version, "is_available": is_available,
            "price": 9_500,
        })
    };
    assert_eq!(given.changes().await, [change(2, true), change(3, false), change(4, false)]);
}

#[tokio::test]
async fn a_moved_menu_is_told_as_it_is_now_and_the_order_of_display_as_changed() {
    let given = given().await;

    given.patch(format!("/api/admin/menus/{}", given.stew), json!({"category_id": given.drinks})).await.expect(200);

    let menu = json!({
        "menu_id": given.stew, "category_id": given.drinks, "version": 2, "is_available": true, "price": 9_000,
    });
    let changes = given.changes().await;
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes.contains(&menu), "{changes:?}");
    assert!(changes.contains(&json!({"menu_id": null})), "{changes:?}");
}

#[tokio::test]
async fn a_deleted_menu_is_told_as_gone() {
    let given = given().await;

    given.delete(format!("/api/admin/menus/{}", given.stew)).await.expect(204);

    assert_eq!(given.changes().await, [json!({"menu_id": given.stew, "deleted": true})]);
}

#[tokio::test]
async fn of_categories_and_the_order_of_display_it_is_told_that_they_changed() {
    let given = given().await;
    let empty = given.app.category(&given.store, "디저트").await;
    for (method, path, body) in [
        (Method::POST, "/api/admin/categories".to_owned(), Some(json!({"name": "음료"}))),
        (Method::PATCH, format!("/api/admin/categories/{}", given.meals), Some(json!({"name": "한식"}))),
        (Method::DELETE, format!("/api/admin/categories/{empty}"), None),
        (
            Method::PUT,
            "/api/admin/menus/order".into(),
            Some(json!({"category_id": given.meals, "menu_ids": [given.rice, given.stew]})),
        ),
    ] {
        let before = given.changes().await.len();
        let answer = given.send(method, &path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        assert_eq!(given.changes().await[before..], [json!({"menu_id": null})], "{path}");
    }
    let mut order = crate::ids(&given.categories().await);
    order.as_array_mut().unwrap().reverse();
    let before = given.changes().await.len();
    given.put("/api/admin/categories/order", json!({"category_ids": order})).await.expect(200);
    assert_eq!(given.changes().await[before..], [json!({"menu_id": null})]);
}

#[tokio::test]
async fn reading_tells_nothing() {
    let given = given().await;

    given.categories().await;
    given.menus().await;
    given.menu(given.stew).await;
    given.guest("/api/customer/categories").await.expect(200);
    given.guest("/api/customer/menus").await.expect(200);

    assert_eq!(given.changes().await, Vec::<Value>::new());
}
