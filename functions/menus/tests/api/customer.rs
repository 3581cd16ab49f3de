//! `GET /api/customer/categories`, `GET /api/customer/menus` and `GET /api/customer/menus/{id}`.

use serde_json::json;

use crate::{given, ids};

#[tokio::test]
async fn lists_categories_in_their_order_of_display() {
    let given = given().await;
    given.put("/api/admin/categories/order", json!({"category_ids": [given.drinks, given.meals]})).await.expect(200);

    let categories = given.guest("/api/customer/categories").await.expect(200);

    assert_eq!(
        categories,
        json!([
            {"id": given.drinks, "name": "주류", "display_order": 1},
            {"id": given.meals, "name": "식사", "display_order": 2},
        ])
    );
}

#[tokio::test]
async fn lists_menus_by_category_and_display_order_sold_out_ones_included() {
    let given = given().await;
    given.patch(format!("/api/admin/menus/{}", given.rice), json!({"is_available": false})).await.expect(200);
    given.put("/api/admin/categories/order", json!({"category_ids": [given.drinks, given.meals]})).await.expect(200);
    let order = json!({"category_id": given.meals, "menu_ids": [given.rice, given.stew]});
    given.put("/api/admin/menus/order", order).await.expect(200);

    let menus = given.guest("/api/customer/menus").await.expect(200);

    assert_eq!(ids(&menus), json!([given.soju, given.rice, given.stew]));
    assert_eq!(menus[1]["is_available"], false);
    assert_eq!(menus[2]["is_available"], true);
    insta::assert_json_snapshot!(menus, { "[].id" => "[id]", "[].category_id" => "[id]" });
}

#[tokio::test]
async fn a_filter_gives_the_menus_of_one_category() {
    let given = given().await;
    let empty = given.app.category(&given.store, "디저트").await;
    let of = |category: String| given.guest(format!("/api/customer/menus?category_id={category}"));

    assert_eq!(ids(&of(given.meals.to_string()).await.expect(200)), json!([given.stew, given.rice]));
    assert_eq!(ids(&of(given.drinks.to_string()).await.expect(200)), json!([given.soju]));
    assert_eq!(of(empty.to_string()).await.expect(200), json!([]));
}

#[tokio::test]
async fn a_filter_by_no_category_of_the_store_finds_none() {
    let given = given().await;
    let other = given.other_store().await;
    for category in [other.category.to_string(), "9999".into(), "9223372036854775807".into()] {
        let list = given.guest(format!("/api/customer/menus?category_id={category}")).await;
        list.expect_error(404, "CATEGORY_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_bad_filter_is_refused() {
    let given = given().await;
    for query in [
        "category_id=0",
        "category_id=-1",
        "category_id=x",
        "category_id=",
        "category_id=9223372036854775808",
        "page=1",
    ] {
        let details = given.guest(format!("/api/customer/menus?{query}")).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn reads_one_menu() {
    let given = given().await;

    let menu = given.guest(format!("/api/customer/menus/{}", given.rice)).await.expect(200);

    assert_eq!(menu, given.menu(given.rice).await);
    assert_eq!(
        (&menu["id"], &menu["category_id"], &menu["name"]),
        (&json!(given.rice), &json!(given.meals), &json!("비빔밥"))
    );
}

#[tokio::test]
async fn another_stores_menu_does_not_exist() {
    let given = given().await;
    let other = given.other_store().await;

    given.guest(format!("/api/customer/menus/{}", other.menu)).await.expect_error(404, "MENU_NOT_FOUND");

    let own = given.app.get(format!("/api/customer/menus/{}", other.menu)).token(&other.table.token).send().await;
    assert_eq!(own.expect(200)["name"], "떡볶이");
    // Nor does it once its own store's guests have read it.
    given.guest(format!("/api/customer/menus/{}", other.menu)).await.expect_error(404, "MENU_NOT_FOUND");
}

#[tokio::test]
async fn a_store_sees_its_own_card_alone() {
    let given = given().await;
    let other = given.other_store().await;
    let new_store = given.app.store().await;
    let new_table = given.app.table(&new_store, "1").await;
    assert_eq!(given.guest("/api/customer/menus").await.expect(200).as_array().unwrap().len(), 3);
    let read = |path: &str, token: &str| given.app.get(path).token(token).send();

    assert_eq!(ids(&read("/api/customer/menus", &other.table.token).await.expect(200)), json!([other.menu]));
    let categories = read("/api/customer/categories", &other.table.token).await.expect(200);
    assert_eq!(ids(&categories), json!([other.category]));
    assert_eq!(read("/api/customer/menus", &new_table.token).await.expect(200), json!([]));
    assert_eq!(read("/api/customer/categories", &new_table.token).await.expect(200), json!([]));
}

#[tokio::test]
async fn an_id_is_a_positive_64_bit_integer() {
    let given = given().await;
    for id in ["0", "-1", "x", "1.0", "9223372036854775808", "%00", "%ff"] {
        given.guest(format!("/api/customer/menus/{id}")).await.expect_error(400, "VALIDATION_ERROR");
    }
    given.guest("/api/customer/menus/9223372036854775807").await.expect_error(404, "MENU_NOT_FOUND");
}

#[tokio::test]
async fn needs_the_token_of_a_table() {
    let given = given().await;
    let super_admin = given.app.admin(None).await;
    for path in [
        "/api/customer/categories".to_owned(),
        "/api/customer/menus".into(),
        format!("/api/customer/menus/{}", given.stew),
    ] {
        given.guest(&path).await.expect(200);
        let get = || given.app.get(&path);
        get().send().await.expect_error(401, "TOKEN_MISSING");
        get().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
        get().token(&given.store.admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        get().token(&super_admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    }
}
