//! `/api/admin/categories`.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{audit, count, given, ids};

#[tokio::test]
async fn creates_a_category_as_the_last_under_its_trimmed_name() {
    let given = given().await;

    let category = given.post("/api/admin/categories", json!({"name": " \t디저트\n "})).await.expect(201);

    assert_eq!(category, json!({"id": category["id"], "name": "디저트", "display_order": 3}));
    assert!(category["id"].as_i64().is_some_and(|id| id > 0));
    assert_eq!(given.categories().await[2], category);
}

#[tokio::test]
async fn lists_the_stores_categories_in_their_order_of_display() {
    let given = given().await;
    given.other_store().await;
    given.put("/api/admin/categories/order", json!({"category_ids": [given.drinks, given.meals]})).await.expect(200);

    assert_eq!(
        given.categories().await,
        json!([
            {"id": given.drinks, "name": "주류", "display_order": 1},
            {"id": given.meals, "name": "식사", "display_order": 2},
        ])
    );
}

#[tokio::test]
async fn a_name_has_1_to_50_characters() {
    let given = given().await;
    let longest = "가".repeat(50);
    for (name, kept) in [("a", "a"), (longest.as_str(), longest.as_str()), (&format!("  {longest}  "), &longest)] {
        let path = format!("/api/admin/categories/{}", given.meals);
        assert_eq!(given.patch(path, json!({"name": name})).await.expect(200)["name"], kept);
    }
    assert_eq!(given.post("/api/admin/categories", json!({"name": "b"})).await.expect(201)["name"], "b");
    let other_longest = "나".repeat(50);
    let created = given.post("/api/admin/categories", json!({"name": other_longest})).await.expect(201);
    assert_eq!(created["name"], json!(other_longest));
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let given = given().await;
    let before = given.categories().await;
    for body in [
        json!({"name": ""}),
        json!({"name": " \t "}),
        json!({"name": "가".repeat(51)}),
        json!({"name": "a\0b"}),
        json!({"name": "a\nb"}),
        json!({"name": "a\u{7f}b"}),
        json!({"name": null}),
        json!({"name": 1}),
        json!({"name": ["a"]}),
        json!({}),
    ] {
        for (method, path) in [
            (Method::POST, "/api/admin/categories".to_owned()),
            (Method::PATCH, format!("/api/admin/categories/{}", given.meals)),
        ] {
            let details = given.send(method, path, Some(body.clone())).await.expect_error(400, "VALIDATION_ERROR");
            assert!(details["fields"][0]["reason"].is_string(), "{body}");
        }
    }
    for body in
        [json!({"name": "디저트", "display_order": 1}), json!({"name": "디저트", "id": 1}), json!([]), json!(null)]
    {
        given.post("/api/admin/categories", body.clone()).await.expect_error(400, "VALIDATION_ERROR");
        let path = format!("/api/admin/categories/{}", given.meals);
        given.patch(path, body).await.expect_error(400, "VALIDATION_ERROR");
    }
    assert_eq!(given.categories().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
}

#[tokio::test]
async fn a_refused_name_is_named() {
    let given = given().await;

    let details =
        given.post("/api/admin/categories", json!({"name": "  "})).await.expect_error(400, "VALIDATION_ERROR");

    assert_eq!(details["fields"][0]["field"], "name");
}

#[tokio::test]
async fn a_name_is_unique_in_its_store() {
    let given = given().await;
    let before = given.categories().await;
    for name in ["주류", "  주류 "] {
        let created = given.post("/api/admin/categories", json!({"name": name})).await;
        created.expect_error(409, "CATEGORY_ALREADY_EXISTS");
        let renamed = given.patch(format!("/api/admin/categories/{}", given.meals), json!({"name": name})).await;
        renamed.expect_error(409, "CATEGORY_ALREADY_EXISTS");
    }
    assert_eq!(given.categories().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
}

#[tokio::test]
async fn another_store_may_use_the_same_name() {
    let given = given().await;
    let other = given.other_store().await;
    let post = |name: &str| {
        given.app.post("/api/admin/categories").token(&other.admin.token).json(json!({"name": name})).send()
    };

    let created = post("식사").await.expect(201);

    assert_eq!(created["display_order"], 2, "each store counts for itself");
    assert_eq!(given.categories().await[0]["name"], "식사");
}

#[tokio::test]
async fn renames_a_category_which_keeps_its_place() {
    let given = given().await;

    let renamed = given.patch(format!("/api/admin/categories/{}", given.meals), json!({"name": " 한식 "})).await;

    assert_eq!(renamed.expect(200), json!({"id": given.meals, "name": "한식", "display_order": 1}));
    assert_eq!(given.categories().await[0]["name"], "한식");
    assert_eq!(given.categories().await[1]["name"], "주류");
}

#[tokio::test]
async fn a_category_may_keep_its_name_and_take_one_that_became_free() {
    let given = given().await;
    let rename = |id, name| given.patch(format!("/api/admin/categories/{id}"), json!({"name": name}));

    assert_eq!(rename(given.meals, "식사").await.expect(200)["name"], "식사");
    rename(given.meals, "한식").await.expect(200);
    assert_eq!(rename(given.drinks, "식사").await.expect(200)["name"], "식사");
}

#[tokio::test]
async fn deletes_an_empty_category_and_closes_the_gap() {
    let given = given().await;
    let empty = given.app.category(&given.store, "디저트").await;
    let last = given.app.category(&given.store, "음료").await;
    given
        .put("/api/admin/categories/order", json!({"category_ids": [given.meals, empty, given.drinks, last]}))
        .await
        .expect(200);

    let answer = given.delete(format!("/api/admin/categories/{empty}")).await;

    assert_eq!(answer.status.as_u16(), 204);
    assert_eq!(answer.body, "");
    assert_eq!(
        given.categories().await,
        json!([
            {"id": given.meals, "name": "식사", "display_order": 1},
            {"id": given.drinks, "name": "주류", "display_order": 2},
            {"id": last, "name": "음료", "display_order": 3},
        ])
    );
    let next = given.post("/api/admin/categories", json!({"name": "디저트"})).await.expect(201);
    assert_eq!(next["display_order"], 4);
}

#[tokio::test]
async fn a_deletion_leaves_an_audit_entry() {
    let given = given().await;
    let empty = given.app.category(&given.store, "디저트").await;

    given.delete(format!("/api/admin/categories/{empty}")).await.expect(204);

    let details = json!({"category": {"id": empty, "name": "디저트", "display_order": 3}});
    let admin_id = given.store.admin.id.get();
    assert_eq!(audit(&given.app).await, [("category.delete".to_owned(), admin_id, empty.to_string(), details)]);
}

#[tokio::test]
async fn deleted_twice_the_second_finds_nothing() {
    let given = given().await;
    let empty = given.app.category(&given.store, "디저트").await;
    given.delete(format!("/api/admin/categories/{empty}")).await.expect(204);

    given.delete(format!("/api/admin/categories/{empty}")).await.expect_error(404, "CATEGORY_NOT_FOUND");

    assert_eq!(count(&given.app, "outbox").await, 1);
    assert_eq!(count(&given.app, "audit_entries").await, 1);
}

#[tokio::test]
async fn a_category_with_menus_stays() {
    let given = given().await;
    let before = given.categories().await;
    let path = format!("/api/admin/categories/{}", given.drinks);

    given.delete(&path).await.expect_error(409, "CATEGORY_NOT_EMPTY");

    assert_eq!(given.categories().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
    assert_eq!(count(&given.app, "audit_entries").await, 0);
    given.delete(format!("/api/admin/menus/{}", given.soju)).await.expect(204);
    given.delete(&path).await.expect(204);
}

#[tokio::test]
async fn puts_the_categories_in_another_order() {
    let given = given().await;
    let third = given.app.category(&given.store, "디저트").await;

    let body = json!({"category_ids": [third, given.meals, given.drinks]});
    let categories = given.put("/api/admin/categories/order", body).await.expect(200);

    assert_eq!(
        categories,
        json!([
            {"id": third, "name": "디저트", "display_order": 1},
            {"id": given.meals, "name": "식사", "display_order": 2},
            {"id": given.drinks, "name": "주류", "display_order": 3},
        ])
    );
    assert_eq!(given.categories().await, categories);
    assert_eq!(ids(&given.menus().await), json!([given.stew, given.rice, given.soju]));
}

#[tokio::test]
async fn an_order_must_name_all_categories_exactly_once() {
    let given = given().await;
    let other = given.other_store().await;
    let before = given.categories().await;
    for category_ids in [
        json!([]),
        json!([given.drinks]),
        json!([given.drinks, given.drinks]),
        json!([given.drinks, given.meals, given.drinks]),
        json!([given.drinks, 9999]),
        json!([given.drinks, given.meals, 9999]),
        json!([given.drinks, other.category]),
        json!([given.drinks, given.meals, other.category]),
    ] {
        let answer = given.put("/api/admin/categories/order", json!({"category_ids": category_ids})).await;
        let details = answer.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(details["fields"][0]["field"], "category_ids", "{category_ids}");
    }
    for body in [
        json!({}),
        json!({"category_ids": null}),
        json!({"category_ids": {}}),
        json!({"category_ids": [given.drinks, "1"]}),
        json!({"category_ids": [given.drinks, 0]}),
        json!({"category_ids": [given.drinks, -1]}),
        json!({"category_ids": [given.drinks, given.meals], "reverse": true}),
    ] {
        given.put("/api/admin/categories/order", body).await.expect_error(400, "VALIDATION_ERROR");
    }
    assert_eq!(given.categories().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
}

#[tokio::test]
async fn a_store_without_categories_has_an_order_too() {
    let given = given().await;
    let store = given.app.store().await;
    let put = |body: Value| given.app.put("/api/admin/categories/order").token(&store.admin.token).json(body).send();

    assert_eq!(put(json!({"category_ids": []})).await.expect(200), json!([]));
    put(json!({"category_ids": [given.meals]})).await.expect_error(400, "VALIDATION_ERROR");
}

#[tokio::test]
async fn another_stores_category_does_not_exist() {
    let given = given().await;
    let other = given.other_store().await;
    let path = format!("/api/admin/categories/{}", other.category);

    given.patch(&path, json!({"name": "우리 것"})).await.expect_error(404, "CATEGORY_NOT_FOUND");
    given.delete(&path).await.expect_error(404, "CATEGORY_NOT_FOUND");

    let list = given.app.get("/api/admin/categories").token(&other.admin.token).send().await.expect(200);
    assert_eq!(list, json!([{"id": other.category, "name": "분식", "display_order": 1}]));
    assert_eq!(count(&given.app, "outbox").await, 0);
}

#[tokio::test]
async fn an_id_is_a_positive_64_bit_integer() {
    let given = given().await;
    for id in ["0", "-1", "x", "1.0", "9223372036854775808", "%00", "%ff"] {
        let path = format!("/api/admin/categories/{id}");
        given.patch(&path, json!({"name": "한식"})).await.expect_error(400, "VALIDATION_ERROR");
        given.delete(&path).await.expect_error(400, "VALIDATION_ERROR");
    }
    let path = "/api/admin/categories/9223372036854775807";
    given.patch(path, json!({"name": "한식"})).await.expect_error(404, "CATEGORY_NOT_FOUND");
    given.delete(path).await.expect_error(404, "CATEGORY_NOT_FOUND");
}

#[tokio::test]
async fn needs_the_token_of_a_store_admin() {
    let given = given().await;
    let super_admin = given.app.admin(None).await;
    let empty = given.app.category(&given.store, "디저트").await;
    let before = given.categories().await;
    for (method, path, body) in [
        (Method::GET, "/api/admin/categories".to_owned(), json!(null)),
        (Method::POST, "/api/admin/categories".into(), json!({"name": "음료"})),
        (Method::PATCH, format!("/api/admin/categories/{empty}"), json!({"name": "음료"})),
        (Method::DELETE, format!("/api/admin/categories/{empty}"), json!(null)),
        (
            Method::PUT,
            "/api/admin/categories/order".into(),
            json!({"category_ids": [empty, given.drinks, given.meals]}),
        ),
    ] {
        let request = || given.app.request(method.clone(), &path).json(body.clone());
        request().send().await.expect_error(401, "TOKEN_MISSING");
        request().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
        request().token(&given.table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        request().token(&super_admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    }
    assert_eq!(given.categories().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
}
