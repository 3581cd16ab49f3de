//! `GET /api/admin/tables/{id}/order-history`.

use serde_json::{Value, json};

use crate::{Given, count, given};

impl Given {
    /// An order that is placed and archived at these times. Gives its id.
    async fn archive(&self, placed_at: &str, archived_at: &str) -> i64 {
        self.app.clock.set(placed_at);
        let order = self.order_from(&self.table_now()).await;
        self.app.clock.set(archived_at);
        self.close(&self.table).await.expect(200);
        id(&order)
    }

    /// The original ids of the orders in a part of the history.
    async fn ids(&self, query: &str) -> Vec<i64> {
        let page = self.history(query).await.expect(200);
        page["items"].as_array().unwrap().iter().map(|order| order["original_order_id"].as_i64().unwrap()).collect()
    }
}

fn id(order: &Value) -> i64 {
    order["id"].as_i64().unwrap()
}

#[tokio::test]
async fn shows_archived_orders_with_their_items() {
    let given = given().await;
    let order = given
        .place_from(
            &given.table,
            json!({"items": [
                {"menu_id": given.stew, "quantity": 2, "note": "덜 맵게"},
                {"menu_id": given.soju, "quantity": 1},
            ]}),
        )
        .await;
    given.app.clock.advance(chrono::TimeDelta::minutes(30));
    given.serve(&order).await;
    given.app.clock.advance(chrono::TimeDelta::minutes(30));
    given.close(&given.table).await.expect(200);

    let page = given.history("").await.expect(200);

    insta::assert_json_snapshot!(page, {
        ".items[].original_order_id" => "[id]", ".items[].session_id" => "[id]",
        ".items[].items[].id" => "[id]", ".items[].items[].menu_id" => "[id]",
    });
    assert_eq!(page["items"][0]["original_order_id"], order["id"]);
    assert_eq!(page["items"][0]["session_id"], order["session_id"]);
    assert_eq!(page["items"][0]["items"][0]["menu_id"], json!(given.stew));
}

#[tokio::test]
async fn lists_the_newest_first_by_page() {
    let given = given().await;
    let early = [given.order().await, given.order().await];
    given.app.clock.advance(chrono::TimeDelta::minutes(1));
    given.close(&given.table).await.expect(200);
    let late = given.order().await;
    given.app.clock.advance(chrono::TimeDelta::minutes(1));
    given.close(&given.table).await.expect(200);
    let [first, second] = early.map(|order| id(&order));
    let third = id(&late);

    assert_eq!(given.ids("").await, [third, second, first]);
    assert_eq!(given.ids("?page_size=2").await, [third, second]);
    assert_eq!(given.ids("?page_size=2&page=2").await, [first]);
    assert_eq!(given.ids("?page_size=2&page=3").await, Vec::<i64>::new());
    let page = given.history("?page_size=2&page=2").await.expect(200);
    assert_eq!(page["pagination"], json!({"page": 2, "page_size": 2, "total_count": 3, "total_pages": 2}));
}

#[tokio::test]
async fn a_table_without_a_history_has_an_empty_page() {
    let given = given().await;
    given.order().await;

    let page = given.history("").await.expect(200);

    assert_eq!(page["items"], json!([]), "an open session's orders are not history");
    assert_eq!(page["pagination"], json!({"page": 1, "page_size": 50, "total_count": 0, "total_pages": 0}));
}

#[tokio::test]
async fn shows_this_table_alone() {
    let given = given().await;
    let other = given.app.table(&given.store, "2").await;
    given.order_from(&other).await;
    given.close(&other).await.expect(200);
    let own = given.order().await;
    given.close(&given.table).await.expect(200);

    assert_eq!(given.ids("").await, [id(&own)]);
}

#[tokio::test]
async fn days_are_the_stores_days_of_the_close_and_both_ends_count() {
    let given = given().await;
    let last_of_the_9th = given.archive("2026-02-09T03:00:00.000Z", "2026-02-09T14:59:59.999Z").await;
    let first_of_the_10th = given.archive("2026-02-09T14:59:59.999Z", "2026-02-09T15:00:00.000Z").await;
    let last_of_the_10th = given.archive("2026-02-10T14:00:00.000Z", "2026-02-10T14:59:59.999Z").await;
    let days = |from: &str, to: &str| format!("?from_date=2026-02-{from}&to_date=2026-02-{to}");

    assert_eq!(given.ids(&days("09", "09")).await, [last_of_the_9th]);
    assert_eq!(given.ids(&days("10", "10")).await, [last_of_the_10th, first_of_the_10th]);
    assert_eq!(given.ids(&days("08", "08")).await, Vec::<i64>::new());
    assert_eq!(given.ids(&days("11", "12")).await, Vec::<i64>::new());
    assert_eq!(given.ids(&days("09", "10")).await, [last_of_the_10th, first_of_the_10th, last_of_the_9th]);
}

#[tokio::test]
async fn days_turn_at_midnight_where_the_store_is() {
    let given = given().await;
    sqlx::query("update stores set timezone = 'America/New_York'").execute(given.app.db()).await.unwrap();
    let order = given.archive("2026-02-10T04:00:00.000Z", "2026-02-10T04:59:59.999Z").await;

    assert_eq!(given.ids("?from_date=2026-02-09&to_date=2026-02-09").await, [order]);
    assert_eq!(given.ids("?from_date=2026-02-10&to_date=2026-02-10").await, Vec::<i64>::new());
}

/// In Havana clocks go forward, and back, over midnight: one day begins at one o'clock, another has its first hour twice.
#[tokio::test]
async fn a_day_may_begin_late_or_twice() {
    let given = given().await;
    sqlx::query("update stores set timezone = 'America/Havana'").execute(given.app.db()).await.unwrap();
    let late = given.archive("2026-03-08T04:00:00.000Z", "2026-03-08T04:59:59.999Z").await;
    let early = given.archive("2026-03-08T04:59:59.999Z", "2026-03-08T05:00:00.000Z").await;
    let before = given.archive("2026-11-01T03:00:00.000Z", "2026-11-01T03:59:59.999Z").await;
    let first = given.archive("2026-11-01T03:59:59.999Z", "2026-11-01T04:00:00.000Z").await;
    let second = given.archive("2026-11-01T05:00:00.000Z", "2026-11-01T05:00:00.001Z").await;
    let on = |day: &str| format!("?from_date=2026-{day}&to_date=2026-{day}");

    assert_eq!(given.ids(&on("03-07")).await, [late]);
    assert_eq!(given.ids(&on("03-08")).await, [early]);
    assert_eq!(given.ids(&on("10-31")).await, [before]);
    assert_eq!(given.ids(&on("11-01")).await, [second, first]);
}

/// The days that are first looked for are UTC's.
#[tokio::test]
async fn days_are_right_at_both_ends_of_the_world() {
    let given = given().await;
    for (zone, first, last) in [
        ("Pacific/Kiritimati", "2026-02-08T10:00:00.000Z", "2026-02-09T09:59:59.999Z"),
        ("Etc/GMT+12", "2026-02-09T12:00:00.000Z", "2026-02-10T11:59:59.999Z"),
    ] {
        sqlx::query("update stores set timezone = $1").bind(zone).execute(given.app.db()).await.unwrap();
        let [first, last] = [given.archive(first, first).await, given.archive(first, last).await];

        assert_eq!(given.ids("?from_date=2026-02-09&to_date=2026-02-09").await, [last, first], "{zone}");
        assert_eq!(given.ids("?from_date=2026-02-10&to_date=2026-02-10").await, Vec::<i64>::new(), "{zone}");
    }
}

#[tokio::test]
async fn the_last_30_days_are_shown_unless_asked_otherwise() {
    let given = given().await;
    let order = given.archive("2026-02-09T14:00:00.000Z", "2026-02-09T14:59:59.999Z").await;

    given.app.clock.set("2026-03-10T14:59:59.999Z");
    assert_eq!(given.ids("").await, [order], "10 March is the 30th day");
    given.app.clock.set("2026-03-10T15:00:00.000Z");
    assert_eq!(given.ids("").await, Vec::<i64>::new(), "11 March is the 31st");
    assert_eq!(given.ids("?to_date=2026-03-10").await, [order]);
    assert_eq!(given.ids("?to_date=2026-02-09").await, [order]);
    assert_eq!(given.ids("?to_date=2026-02-08").await, Vec::<i64>::new());
    assert_eq!(given.ids("?from_date=2026-02-09").await, [order]);
}

#[tokio::test]
async fn a_range_is_in_order_and_spans_at_most_366_days() {
    let given = given().await;
    for query in [
        "?from_date=2026-02-10&to_date=2026-02-09",
        "?from_date=2026-02-10",
        "?from_date=2025-02-08&to_date=2026-02-09",
        "?from_date=2025-02-08",
    ] {
        given.history(query).await.expect_error(400, "INVALID_DATE_RANGE");
    }
    given.history("?from_date=2025-02-09&to_date=2026-02-09").await.expect(200);
    given.history("?from_date=2026-02-09&to_date=2026-02-09").await.expect(200);
}

#[tokio::test]
async fn bad_input_is_refused() {
    let given = given().await;
    for query in [
        "?from_date=yesterday",
        "?from_date=",
        "?from_date=2026-02-30",
        "?to_date=2026-13-01",
        "?to_date=2026-02-09T00:00:00Z",
        "?to_date=20260209",
        "?from_date=2026-02-09&from_date=2026-02-09",
        "?page=0",
        "?page=x",
        "?page_size=0",
        "?page_size=101",
        "?day=2026-02-09",
    ] {
        let details = given.history(query).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn a_day_has_a_year_of_four_digits() {
    let given = given().await;
    for query in [
        "?from_date=-5000-01-01&to_date=-5000-01-02",
        "?from_date=-262143-01-01&to_date=-262143-01-02",
        "?from_date=%2B10000-01-01&to_date=%2B10000-01-01",
        "?from_date=%2B262142-12-30&to_date=%2B262142-12-31",
    ] {
        given.history(query).await.expect_error(400, "VALIDATION_ERROR");
    }
    given.history("?from_date=0001-01-01&to_date=0001-01-02").await.expect(200);
    given.history("?from_date=9999-12-30&to_date=9999-12-31").await.expect(200);
}

#[tokio::test]
async fn another_stores_table_does_not_exist() {
    let given = given().await;
    given.order().await;
    given.close(&given.table).await.expect(200);
    given.history("").await.expect(200);
    let other = given.app.store().await;
    let path = format!("/api/admin/tables/{}/order-history", given.table.id);

    let foreign = given.app.get(path).token(&other.admin.token).send().await;

    foreign.expect_error(404, "TABLE_NOT_FOUND");
    given.get("/api/admin/tables/9999/order-history").await.expect_error(404, "TABLE_NOT_FOUND");
}

#[tokio::test]
async fn only_a_store_admin_may() {
    let given = given().await;
    let get = || given.app.get(format!("/api/admin/tables/{}/order-history", given.table.id));

    get().send().await.expect_error(401, "TOKEN_MISSING");
    get().token(&given.table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
}

#[tokio::test]
async fn is_kept_for_five_minutes_and_dropped_at_once_by_a_close() {
    let given = given().await;
    let first = given.order().await;
    given.close(&given.table).await.expect(200);
    let kept = given.history("").await;
    let change = || sqlx::query("update order_history set total_price = total_price + 1").execute(given.app.db());

    change().await.unwrap();
    given.app.clock.advance(chrono::TimeDelta::seconds(299));
    assert_eq!(given.history("").await.body, kept.body);

    let second = given.order().await;
    given.close(&given.table).await.expect(200);
    let page = given.history("").await.expect(200);
    assert_eq!(page["items"][0]["original_order_id"], second["id"]);
    assert_eq!(page["items"][1]["original_order_id"], first["id"]);
    assert_eq!(page["items"][1]["total_price"], 9_001);

    change().await.unwrap();
    given.app.clock.advance(chrono::TimeDelta::minutes(5));
    assert_eq!(given.history("").await.expect(200)["items"][1]["total_price"], 9_002);
}

#[tokio::test]
async fn each_question_has_an_answer_of_its_own_in_the_cache() {
    let given = given().await;
    let other = given.app.table(&given.store, "2").await;
    let orders = [given.order().await, given.order().await];
    given.close(&given.table).await.expect(200);
    let [first, second] = orders.map(|order| id(&order));

    for _ in 0..2 {
        assert_eq!(given.ids("").await, [second, first]);
        assert_eq!(given.ids("?page_size=1").await, [second]);
        assert_eq!(given.ids("?page_size=1&page=2").await, [first]);
        assert_eq!(given.ids("?from_date=2026-02-08&to_date=2026-02-08").await, Vec::<i64>::new());
        let path = format!("/api/admin/tables/{}/order-history", other.id);
        assert_eq!(given.get(&path).await.expect(200)["items"], json!([]));
    }
}

#[tokio::test]
async fn a_menu_that_is_deleted_later_keeps_its_name() {
    let given = given().await;
    given.order().await;
    given.close(&given.table).await.expect(200);

    let delete = given.app.delete(format!("/api/admin/menus/{}", given.stew)).token(&given.store.admin.token);
    delete.send().await.expect(204);

    let page = given.history("").await.expect(200);
    let item = &page["items"][0]["items"][0];
    assert_eq!((&item["menu_id"], &item["menu_name"]), (&Value::Null, &json!("김치찌개")));
    assert_eq!(count(&given.app, "order_history_items").await, 1);
}

#[tokio::test]
async fn a_history_that_was_read_before_does_not_name_a_deleted_menu() {
    let given = given().await;
    given.order().await;
    given.close(&given.table).await.expect(200);
    assert_eq!(given.history("").await.expect(200)["items"][0]["items"][0]["menu_id"], json!(given.stew));

    let delete = given.app.delete(format!("/api/admin/menus/{}", given.stew)).token(&given.store.admin.token);
    delete.send().await.expect(204);

    assert_eq!(given.history("").await.expect(200)["items"][0]["items"][0]["menu_id"], Value::Null);
}

#[tokio::test]
async fn a_price_changed_later_does_not_change_the_past() {
    let given = given().await;
    given.order().await;
    given.close(&given.table).await.expect(200);

    let update = given.app.patch(format!("/api/admin/menus/{}", given.stew)).token(&given.store.admin.token);
    update.json(json!({"name": "된장찌개", "price": 1})).send().await.expect(200);

    let page = given.history("").await.expect(200);
    let item = &page["items"][0]["items"][0];
    assert_eq!((&item["menu_name"], &item["unit_price"]), (&json!("김치찌개"), &json!(9_000)));
    assert_eq!(page["items"][0]["total_price"], 9_000);
}
