//! `/api/admin/menus`.

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::testing::TestResponse;

use crate::{Given, audit, count, given, ids};

impl Given {
    /// Add a menu called `파전` for 12,000 won to the meals, or as these fields say otherwise.
    async fn create_with(&self, fields: Value) -> TestResponse {
        let mut body = json!({"category_id": self.meals, "name": "파전", "price": 12_000});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.post("/api/admin/menus", body).await
    }

    async fn update_stew(&self, body: Value) -> TestResponse {
        self.patch(format!("/api/admin/menus/{}", self.stew), body).await
    }
}

#[tokio::test]
async fn creates_a_menu_that_is_available_as_the_last_of_its_category() {
    let given = given().await;

    let menu = given.create_with(json!({})).await.expect(201);

    insta::assert_json_snapshot!(menu, { ".id" => "[id]", ".category_id" => "[id]" });
    assert_eq!(menu["category_id"], json!(given.meals));
    assert_eq!(given.menus().await[2], menu);
}

#[tokio::test]
async fn creates_a_menu_with_everything_a_menu_may_have() {
    let given = given().await;

    let menu = given
        .post(
            "/api/admin/menus",
            json!({
                "category_id": given.drinks,
                "name": "  막걸리 ",
                "description": " 달고\n시원한 ",
                "price": 4_000,
                "is_available": false,
                "image_id": null,
            }),
        )
        .await
        .expect(201);

    assert_eq!(menu["category_id"], json!(given.drinks));
    assert_eq!(menu["name"], "막걸리");
    assert_eq!(menu["description"], "달고\n시원한");
    assert_eq!(menu["price"], 4_000);
    assert_eq!(menu["is_available"], false);
    assert_eq!(menu["display_order"], 2);
}

#[tokio::test]
async fn the_same_name_may_stand_on_the_card_twice() {
    let given = given().await;

    let menu = given.create_with(json!({"name": "김치찌개"})).await.expect(201);

    assert_ne!(menu["id"], json!(given.stew));
}

#[tokio::test]
async fn the_bounds_themselves_are_allowed() {
    let given = given().await;
    for (field, value) in [
        ("price", json!(1)),
        ("price", json!(10_000_000)),
        ("name", json!("가")),
        ("name", json!("가".repeat(100))),
        ("description", json!("가".repeat(1_000))),
        ("description", json!("한 줄\r\n\t또 한 줄")),
    ] {
        let created = given.create_with(json!({ field: value })).await.expect(201);
        assert_eq!(created[field], value);
        let updated = given.update_stew(json!({ field: value })).await.expect(200);
        assert_eq!(updated[field], value);
    }
}

#[tokio::test]
async fn bad_fields_are_refused_and_change_nothing() {
    let given = given().await;
    let before = given.menus().await;
    for fields in [
        json!({"price": 0}),
        json!({"price": -1}),
        json!({"price": 10_000_001}),
        json!({"price": i64::MIN}),
        json!({"price": 9_223_372_036_854_775_808u64}),
        json!({"price": 1e30}),
        json!({"price": 9000.5}),
        json!({"price": "9000"}),
        json!({"price": null}),
        json!({"name": ""}),
        json!({"name": "   "}),
        json!({"name": "가".repeat(101)}),
        json!({"name": "a\0b"}),
        json!({"name": "a\nb"}),
        json!({"name": 1}),
        json!({"name": null}),
        json!({"description": "가".repeat(1_001)}),
        json!({"description": "a\0b"}),
        json!({"description": "a\u{1b}b"}),
        json!({"description": 1}),
        json!({"is_available": null}),
        json!({"is_available": "true"}),
        json!({"is_available": 1}),
        json!({"category_id": null}),
        json!({"category_id": 0}),
        json!({"category_id": -1}),
        json!({"category_id": given.drinks.to_string()}),
        json!({"display_order": 1}),
        json!({"version": 1}),
        json!({"id": 1}),
        json!({"store_id": given.store.id}),
        json!({"image_url": "https://elsewhere.example/a.png"}),
    ] {
        let details = given.create_with(fields.clone()).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{fields}");
        let details = given.update_stew(fields.clone()).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{fields}");
    }
    assert_eq!(given.menus().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}

#[tokio::test]
async fn a_new_menu_needs_a_category_a_name_and_a_price() {
    let given = given().await;
    for body in [
        json!({"name": "파전", "price": 12_000}),
        json!({"category_id": given.meals, "price": 12_000}),
        json!({"category_id": given.meals, "name": "파전"}),
        json!({}),
        json!([]),
        json!(null),
    ] {
        given.post("/api/admin/menus", body).await.expect_error(400, "VALIDATION_ERROR");
    }
    assert_eq!(count(&given.app, "menus").await, 3);
}

#[tokio::test]
async fn every_refused_field_is_named() {
    let given = given().await;

    let details = given.create_with(json!({"name": "", "price": 0})).await.expect_error(400, "VALIDATION_ERROR");

    let mut fields: Vec<_> = details["fields"].as_array().unwrap().iter().map(|field| &field["field"]).collect();
    fields.sort_unstable_by_key(|field| field.to_string());
    assert_eq!(fields, ["name", "price"]);
    let details = given.update_stew(json!({"price": "free"})).await.expect_error(400, "VALIDATION_ERROR");
    assert_eq!(details["fields"][0]["field"], "price");
}

#[tokio::test]
async fn a_category_that_is_not_the_stores_does_not_exist() {
    let given = given().await;
    let other = given.other_store().await;
    let before = given.menus().await;
    for category in [json!(other.category), json!(9999)] {
        given.create_with(json!({"category_id": category})).await.expect_error(404, "CATEGORY_NOT_FOUND");
        given.update_stew(json!({"category_id": category})).await.expect_error(404, "CATEGORY_NOT_FOUND");
        let list = given.get(format!("/api/admin/menus?category_id={category}")).await;
        list.expect_error(404, "CATEGORY_NOT_FOUND");
        let order = json!({"category_id": category, "menu_ids": []});
        given.put("/api/admin/menus/order", order).await.expect_error(404, "CATEGORY_NOT_FOUND");
    }
    assert_eq!(given.menus().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
}

#[tokio::test]
async fn reads_a_menu() {
    let given = given().await;

    let menu = given.get(format!("/api/admin/menus/{}", given.rice)).await.expect(200);

    assert_eq!(menu, given.menus().await[1]);
    assert_eq!((&menu["name"], &menu["price"]), (&json!("비빔밥"), &json!(10_000)));
}

#[tokio::test]
async fn lists_the_stores_menus_by_page() {
    let given = given().await;
    given.other_store().await;
    let order = json!({"category_id": given.meals, "menu_ids": [given.rice, given.stew]});
    given.put("/api/admin/menus/order", order).await.expect(200);
    given.put("/api/admin/categories/order", json!({"category_ids": [given.drinks, given.meals]})).await.expect(200);
    given.patch(format!("/api/admin/menus/{}", given.soju), json!({"is_available": false})).await.expect(200);
    let list = |query: String| given.get(format!("/api/admin/menus{query}"));

    let all = list(String::new()).await.expect(200);
    assert_eq!(ids(&all["items"]), json!([given.soju, given.rice, given.stew]));
    assert_eq!(all["pagination"], json!({"page": 1, "page_size": 50, "total_count": 3, "total_pages": 1}));
    let second = list("?page=2&page_size=2".into()).await.expect(200);
    assert_eq!(ids(&second["items"]), json!([given.stew]));
    assert_eq!(second["pagination"], json!({"page": 2, "page_size": 2, "total_count": 3, "total_pages": 2}));
    let beyond = list("?page=3&page_size=2".into()).await.expect(200);
    assert_eq!(beyond["items"], json!([]));
    let meals = list(format!("?category_id={}&page_size=1", given.meals)).await.expect(200);
    assert_eq!(ids(&meals["items"]), json!([given.rice]));
    assert_eq!(meals["pagination"], json!({"page": 1, "page_size": 1, "total_count": 2, "total_pages": 2}));
    list("?page_size=100".into()).await.expect(200);
}

#[tokio::test]
async fn a_page_outside_its_range_is_refused() {
    let given = given().await;
    for query in [
        "page=0",
        "page=-1",
        "page=x",
        "page=9223372036854775807",
        "page_size=0",
        "page_size=101",
        "category_id=0",
        "category_id=x",
        "size=1",
    ] {
        let details = given.get(format!("/api/admin/menus?{query}")).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn changes_what_is_given_and_leaves_the_rest() {
    let given = given().await;
    given.update_stew(json!({"description": "묵은지로 끓인"})).await.expect(200);
    for (field, value) in [
        ("name", json!("참치 김치찌개")),
        ("description", json!("참치가 든")),
        ("price", json!(9_500)),
        ("is_available", json!(false)),
        ("is_available", json!(true)),
    ] {
        let before = given.menu(given.stew).await;
        given.app.clock.advance(TimeDelta::minutes(1));

        let after = given.update_stew(json!({ field: value })).await.expect(200);

        let mut wanted = before.clone();
        wanted[field] = value;
        wanted["version"] = json!(before["version"].as_i64().unwrap() + 1);
        wanted["updated_at"] = json!(given.app.clock.now());
        assert_eq!(after, wanted, "{field}");
        assert_ne!(after["updated_at"], before["updated_at"]);
        assert_eq!(given.menu(given.stew).await, after);
    }
    assert_eq!(given.menu(given.rice).await["version"], 1, "other menus stay as they are");
}

#[tokio::test]
async fn changes_several_fields_as_one_version() {
    let given = given().await;

    let menu =
        given.update_stew(json!({"name": " 된장찌개 ", "price": 8_000, "is_available": false})).await.expect(200);

    assert_eq!((&menu["name"], &menu["price"]), (&json!("된장찌개"), &json!(8_000)));
    assert_eq!((&menu["is_available"], &menu["version"]), (&json!(false), &json!(2)));
}

#[tokio::test]
async fn null_takes_the_description_away_and_leaving_it_out_does_not() {
    let given = given().await;
    given.update_stew(json!({"description": "묵은지로 끓인"})).await.expect(200);

    let renamed = given.update_stew(json!({"name": "묵은지찌개"})).await.expect(200);
    assert_eq!(renamed["description"], "묵은지로 끓인");
    let cleared = given.update_stew(json!({"description": null})).await.expect(200);
    assert_eq!(cleared["description"], json!(null));
}

#[tokio::test]
async fn moves_a_menu_to_the_end_of_another_category_and_closes_the_gap() {
    let given = given().await;
    let third = given.create_with(json!({})).await.expect(201);

    let moved = given.update_stew(json!({"category_id": given.drinks})).await.expect(200);

    assert_eq!(moved["category_id"], json!(given.drinks));
    assert_eq!(moved["display_order"], 2);
    assert_eq!(moved["version"], 2);
    let menus = given.menus().await;
    assert_eq!(ids(&menus), json!([given.rice, third["id"], given.soju, given.stew]));
    let places: Vec<_> = menus.as_array().unwrap().iter().map(|menu| &menu["display_order"]).collect();
    assert_eq!(places, [1, 2, 1, 2]);
}

#[tokio::test]
async fn a_menu_moved_to_its_own_category_keeps_its_place() {
    let given = given().await;

    let menu = given.update_stew(json!({"category_id": given.meals, "price": 9_500})).await.expect(200);

    assert_eq!(menu["display_order"], 1);
    assert_eq!(ids(&given.menus().await), json!([given.stew, given.rice, given.soju]));
}

#[tokio::test]
async fn a_change_of_price_leaves_an_audit_entry() {
    let given = given().await;

    given.update_stew(json!({"price": 9_500})).await.expect(200);

    let (admin_id, details) = (given.store.admin.id.get(), json!({"name": "김치찌개", "from": 9_000, "to": 9_500}));
    let entry = ("menu.change_price".to_owned(), admin_id, given.stew.to_string(), details);
    assert_eq!(audit(&given.app).await, [entry]);
}

#[tokio::test]
async fn a_change_of_anything_else_leaves_none() {
    let given = given().await;

    given.update_stew(json!({"price": 9_000})).await.expect(200);
    given.update_stew(json!({"name": "된장찌개", "is_available": false, "description": "구수한"})).await.expect(200);
    given.update_stew(json!({"category_id": given.drinks})).await.expect(200);

    assert_eq!(audit(&given.app).await, []);
}

#[tokio::test]
async fn deletes_a_menu_and_closes_the_gap() {
    let given = given().await;
    let third = given.create_with(json!({})).await.expect(201);

    let answer = given.delete(format!("/api/admin/menus/{}", given.stew)).await;

    assert_eq!(answer.status.as_u16(), 204);
    assert_eq!(answer.body, "");
    given.get(format!("/api/admin/menus/{}", given.stew)).await.expect_error(404, "MENU_NOT_FOUND");
    let menus = given.menus().await;
    assert_eq!(ids(&menus), json!([given.rice, third["id"], given.soju]));
    let places: Vec<_> = menus.as_array().unwrap().iter().map(|menu| &menu["display_order"]).collect();
    assert_eq!(places, [1, 2, 1]);
    assert_eq!(given.create_with(json!({})).await.expect(201)["display_order"], 3);
}

#[tokio::test]
async fn a_deletion_leaves_an_audit_entry() {
    let given = given().await;
    let menu = given.menu(given.stew).await;

    given.delete(format!("/api/admin/menus/{}", given.stew)).await.expect(204);

    let entry = ("menu.delete".to_owned(), given.store.admin.id.get(), given.stew.to_string(), json!({"menu": menu}));
    assert_eq!(audit(&given.app).await, [entry]);
}

#[tokio::test]
async fn deleted_twice_the_second_finds_nothing() {
    let given = given().await;
    given.delete(format!("/api/admin/menus/{}", given.stew)).await.expect(204);

    given.delete(format!("/api/admin/menus/{}", given.stew)).await.expect_error(404, "MENU_NOT_FOUND");
    given.update_stew(json!({"price": 1})).await.expect_error(404, "MENU_NOT_FOUND");

    assert_eq!(count(&given.app, "outbox").await, 1);
    assert_eq!(count(&given.app, "audit_entries").await, 1);
}

#[tokio::test]
async fn a_menu_that_an_open_order_uses_stays() {
    let given = given().await;
    let order = given.order(given.stew).await.expect(201);
    let before = given.menus().await;

    given.delete(format!("/api/admin/menus/{}", given.stew)).await.expect_error(409, "MENU_IN_USE");

    assert_eq!(given.menus().await, before);
    assert_eq!(count(&given.app, "audit_entries").await, 0);
    assert_eq!(count(&given.app, "outbox").await, 1, "the order's alone");
    given.delete(format!("/api/admin/menus/{}", given.rice)).await.expect(204);
    given.update_stew(json!({"is_available": false})).await.expect(200);
    given.delete(format!("/api/admin/orders/{}", order["id"])).await.expect(200);
    given.delete(format!("/api/admin/menus/{}", given.stew)).await.expect(204);
}

#[tokio::test]
async fn an_archived_order_keeps_the_name_of_a_deleted_menu() {
    let given = given().await;
    sqlx::query(
        "with session as (
             insert into table_sessions (store_id, table_id, started_at, ended_at)
             values ($1, $2, now(), now())
             returning id
         ), archived as (
             insert into order_history (
                 store_id, table_id, table_number, session_id, original_order_id, order_number, business_date, status,
                 total_price, order_created_at, archived_at
             )
             select $1, $2, '1', id, 1, 1, '2026-02-09', 'served', 9000, now(), now()
             from session
             returning id
         )
         insert into order_history_items (order_history_id, menu_id, menu_name, quantity, unit_price, subtotal)
         select id, $3, '김치찌개', 1, 9000, 9000
         from archived",
    )
    .bind(given.store.id)
    .bind(given.table.id)
    .bind(given.stew)
    .execute(given.app.db())
    .await
    .unwrap();

    given.delete(format!("/api/admin/menus/{}", given.stew)).await.expect(204);

    let item: (Option<i64>, String) =
        sqlx::query_as("select menu_id, menu_name from order_history_items").fetch_one(given.app.db()).await.unwrap();
    assert_eq!(item, (None, "김치찌개".to_owned()));
}

#[tokio::test]
async fn a_new_price_leaves_orders_as_they_were_placed() {
    let given = given().await;
    let order = given.order(given.stew).await.expect(201);

    given.update_stew(json!({"price": 1, "name": "찌개"})).await.expect(200);

    let read = given.app.get(format!("/api/customer/orders/{}", order["id"])).token(&given.table.token).send().await;
    assert_eq!(read.expect(200), order);
    assert_eq!(given.order(given.stew).await.expect(201)["total_price"], 1);
}

#[tokio::test]
async fn puts_a_categorys_menus_in_another_order() {
    let given = given().await;
    let third = given.create_with(json!({})).await.expect(201);
    let body = json!({"category_id": given.meals, "menu_ids": [third["id"], given.stew, given.rice]});

    let menus = given.put("/api/admin/menus/order", body).await.expect(200);

    assert_eq!(ids(&menus), json!([third["id"], given.stew, given.rice]));
    let places: Vec<_> = menus.as_array().unwrap().iter().map(|menu| &menu["display_order"]).collect();
    assert_eq!(places, [1, 2, 3]);
    let all = given.menus().await;
    assert_eq!(ids(&all), json!([third["id"], given.stew, given.rice, given.soju]));
    assert_eq!(all.as_array().unwrap()[..3], menus.as_array().unwrap()[..]);
}

#[tokio::test]
async fn an_order_must_name_all_menus_of_the_category_exactly_once() {
    let given = given().await;
    let other = given.other_store().await;
    let before = given.menus().await;
    for menu_ids in [
        json!([]),
        json!([given.rice]),
        json!([given.rice, given.rice]),
        json!([given.rice, given.stew, given.rice]),
        json!([given.rice, 9999]),
        json!([given.rice, given.stew, 9999]),
        json!([given.rice, given.soju]),
        json!([given.rice, given.stew, given.soju]),
        json!([given.rice, given.stew, other.menu]),
    ] {
        let body = json!({"category_id": given.meals, "menu_ids": menu_ids});
        let details = given.put("/api/admin/menus/order", body).await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(details["fields"][0]["field"], "menu_ids", "{menu_ids}");
    }
    let both = json!([given.rice, given.stew]);
    for body in [
        json!({}),
        json!({"menu_ids": both}),
        json!({"category_id": given.meals}),
        json!({"category_id": given.meals, "menu_ids": null}),
        json!({"category_id": given.meals, "menu_ids": [given.rice, 0]}),
        json!({"category_id": given.meals, "menu_ids": [given.rice, "1"]}),
        json!({"category_id": 0, "menu_ids": both}),
        json!({"category_id": null, "menu_ids": both}),
        json!({"category_id": given.meals, "menu_ids": both, "reverse": true}),
    ] {
        given.put("/api/admin/menus/order", body).await.expect_error(400, "VALIDATION_ERROR");
    }
    assert_eq!(given.menus().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
}

#[tokio::test]
async fn an_empty_category_has_an_order_too() {
    let given = given().await;
    let empty = given.app.category(&given.store, "디저트").await;

    let menus = given.put("/api/admin/menus/order", json!({"category_id": empty, "menu_ids": []})).await;

    assert_eq!(menus.expect(200), json!([]));
}

#[tokio::test]
async fn another_stores_menu_does_not_exist() {
    let given = given().await;
    let other = given.other_store().await;
    let path = format!("/api/admin/menus/{}", other.menu);
    let own = || given.app.get(&path).token(&other.admin.token).send();
    let before = own().await.expect(200);

    given.get(&path).await.expect_error(404, "MENU_NOT_FOUND");
    given.patch(&path, json!({"price": 1})).await.expect_error(404, "MENU_NOT_FOUND");
    given.patch(&path, json!({"category_id": given.meals})).await.expect_error(404, "MENU_NOT_FOUND");
    given.delete(&path).await.expect_error(404, "MENU_NOT_FOUND");

    assert_eq!(own().await.expect(200), before);
    assert_eq!(count(&given.app, "outbox").await, 0);
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}

#[tokio::test]
async fn an_id_is_a_positive_64_bit_integer() {
    let given = given().await;
    for id in ["0", "-1", "x", "1.0", "9223372036854775808", "%00", "%ff"] {
        let path = format!("/api/admin/menus/{id}");
        given.get(&path).await.expect_error(400, "VALIDATION_ERROR");
        given.patch(&path, json!({"price": 1})).await.expect_error(400, "VALIDATION_ERROR");
        given.delete(&path).await.expect_error(400, "VALIDATION_ERROR");
    }
    let path = "/api/admin/menus/9223372036854775807";
    given.get(path).await.expect_error(404, "MENU_NOT_FOUND");
    given.patch(path, json!({"price": 1})).await.expect_error(404, "MENU_NOT_FOUND");
    given.delete(path).await.expect_error(404, "MENU_NOT_FOUND");
}

#[tokio::test]
async fn needs_the_token_of_a_store_admin() {
    let given = given().await;
    let super_admin = given.app.admin(None).await;
    let before = given.menus().await;
    let stew = format!("/api/admin/menus/{}", given.stew);
    for (method, path, body) in [
        (Method::GET, "/api/admin/menus", json!(null)),
        (Method::POST, "/api/admin/menus", json!({"category_id": given.meals, "name": "파전", "price": 12_000})),
        (Method::GET, &stew, json!(null)),
        (Method::PATCH, &stew, json!({"price": 1})),
        (Method::DELETE, &stew, json!(null)),
        (
            Method::PUT,
            "/api/admin/menus/order",
            json!({"category_id": given.meals, "menu_ids": [given.rice, given.stew]}),
        ),
    ] {
        let request = || given.app.request(method.clone(), path).json(body.clone());
        request().send().await.expect_error(401, "TOKEN_MISSING");
        request().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
        request().token(&given.table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        request().token(&super_admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    }
    assert_eq!(given.menus().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
}
