//! `POST /api/customer/orders`.

use serde_json::{Value, json};
use shared::testing::TestResponse;

use crate::{Given, count, given, outbox};

impl Given {
    async fn place(&self, body: Value) -> TestResponse {
        self.app.post("/api/customer/orders").token(&self.table.token).json(body).send().await
    }

    async fn place_with_key(&self, key: &str, body: Value) -> TestResponse {
        let request = self.app.post("/api/customer/orders").token(&self.table.token);
        request.header("idempotency-key", key).json(body).send().await
    }
}

#[tokio::test]
async fn places_an_order_at_the_servers_prices() {
    let given = given().await;

    let order = given
        .place(json!({
            "items": [
                {"menu_id": given.stew, "quantity": 2, "note": " 덜 맵게 "},
                {"menu_id": given.soju, "quantity": 1},
                {"menu_id": given.stew, "quantity": 1, "note": ""},
            ],
            "note": "빨리 주세요",
        }))
        .await
        .expect(201);

    insta::assert_json_snapshot!(order, {
        ".id" => "[id]", ".table_id" => "[id]", ".session_id" => "[id]", ".items[].id" => "[id]", ".items[].menu_id" => "[id]",
    });
    assert_eq!(order["items"][0]["menu_id"], json!(given.stew));
}

#[tokio::test]
async fn the_event_is_written_with_the_order() {
    let given = given().await;

    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}]});
    let answer = given.app.post("/api/customer/orders").token(&given.table.token).json(body).send().await;

    let request_id = answer.header("x-request-id").unwrap().to_owned();
    let order = answer.expect(201);
    let events = outbox(&given.app).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["request_id"], request_id);
    assert_eq!(events[0]["event_type"], "OrderCreated");
    assert_eq!(events[0]["store_id"], json!(given.store.id));
    assert_eq!(events[0]["timestamp"], "2026-02-09T03:00:00.000Z");
    assert_eq!(events[0]["order"], order);
}

#[tokio::test]
async fn the_first_order_opens_the_session_and_the_next_joins_it() {
    let given = given().await;
    assert_eq!(count(&given.app, "table_sessions").await, 0);

    let first = given.order().await;
    let second = given.order().await;

    assert_eq!(first["session_id"], second["session_id"]);
    assert_eq!(count(&given.app, "table_sessions").await, 1);
}

#[tokio::test]
async fn needs_the_token_of_a_table() {
    let given = given().await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}]});
    let post = || given.app.post("/api/customer/orders").json(body.clone());

    post().send().await.expect_error(401, "TOKEN_MISSING");
    post().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
    post().token(&given.store.admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    assert_eq!(count(&given.app, "orders").await, 0);
}

#[tokio::test]
async fn another_stores_menu_does_not_exist() {
    let given = given().await;
    let other = given.app.store().await;
    let category = given.app.category(&other, "식사").await;
    let foreign = given.app.menu(&other, category, "비빔밥", 1).await;

    let details = given
        .place(json!({"items": [{"menu_id": foreign, "quantity": 1}, {"menu_id": given.stew, "quantity": 1}]}))
        .await
        .expect_error(404, "MENU_NOT_FOUND");

    assert_eq!(details["menu_ids"], json!([foreign]));
    assert_eq!(count(&given.app, "table_sessions").await, 0);
}

#[tokio::test]
async fn all_sold_out_menus_are_named() {
    let given = given().await;
    sqlx::query("update menus set is_available = false").execute(given.app.db()).await.unwrap();

    let details = given
        .place(json!({"items": [{"menu_id": given.soju, "quantity": 1}, {"menu_id": given.stew, "quantity": 1}]}))
        .await
        .expect_error(409, "MENU_NOT_AVAILABLE");

    assert_eq!(details["menu_ids"], json!([given.stew, given.soju]));
    assert_eq!(count(&given.app, "orders").await, 0);
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let given = given().await;
    let item = |quantity: Value| json!({"items": [{"menu_id": given.stew, "quantity": quantity}]});
    let note = |note: &str| json!({"items": [{"menu_id": given.stew, "quantity": 1, "note": note}]});
    let items = |count: usize| json!({"items": vec![json!({"menu_id": given.stew, "quantity": 1}); count]});

    given.place(json!({"items": []})).await.expect_error(400, "EMPTY_ORDER");
    for quantity in [json!(-1), json!(0), json!(101), json!(9_223_372_036_854_775_808u64)] {
        given.place(item(quantity)).await.expect_error(400, "INVALID_QUANTITY");
    }
    let huge = r#"{"items": [{"menu_id": 1, "quantity": 340282366920938463463374607431768211456}]}"#;
    let huge = given.app.post("/api/customer/orders").token(&given.table.token).body("application/json", huge);
    huge.send().await.expect_error(400, "INVALID_QUANTITY");
    for body in [
        json!({}),
        json!([]),
        json!(null),
        json!({"items": null}),
        json!({"items": {}}),
        json!({"items": [1]}),
        json!({"items": [[given.stew, 1, null]]}),
        json!([[{"menu_id": given.stew, "quantity": 1}], null]),
        items(51),
        item(json!("1")),
        item(json!(1.5)),
        item(json!(null)),
        json!({"items": [{"quantity": 1}]}),
        json!({"items": [{"menu_id": 0, "quantity": 1}]}),
        json!({"items": [{"menu_id": -1, "quantity": 1}]}),
        json!({"items": [{"menu_id": 1e30, "quantity": 1}]}),
        json!({"items": [{"menu_id": "1", "quantity": 1}]}),
        json!({"items": [{"menu_id": given.stew, "quantity": 1, "unit_price": 1}]}),
        json!({"items": [{"menu_id": given.stew, "quantity": 1}], "total_price": 1}),
        note(&"가".repeat(201)),
        note("a\0b"),
        note("a\u{1b}b"),
        json!({"items": [{"menu_id": given.stew, "quantity": 1}], "note": "\u{7}"}),
    ] {
        let details = given.place(body.clone()).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{body}");
    }
    assert_eq!(count(&given.app, "orders").await, 0);
    assert_eq!(count(&given.app, "table_sessions").await, 0);
    assert_eq!(count(&given.app, "outbox").await, 0);
    given.place(items(50)).await.expect(201);
    given.place(note(&"가".repeat(200))).await.expect(201);
}

#[tokio::test]
async fn a_refused_field_is_named() {
    let given = given().await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}, {"menu_id": given.stew, "quantity": "two"}]});

    let details = given.place(body).await.expect_error(400, "VALIDATION_ERROR");

    assert_eq!(details["fields"][0]["field"], "items[1].quantity");
}

#[tokio::test]
async fn the_same_key_gives_the_first_answer_byte_for_byte() {
    let given = given().await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}], "note": "하나"});

    let first = given.place_with_key("key-1", body.clone()).await;
    sqlx::query("update menus set price = 1, is_available = false").execute(given.app.db()).await.unwrap();
    let again = given.place_with_key("key-1", json!({"note": " 하나", "items": body["items"]})).await;

    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(count(&given.app, "orders").await, 1);
    assert_eq!(count(&given.app, "outbox").await, 1);
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused() {
    let given = given().await;
    let body = |quantity| json!({"items": [{"menu_id": given.stew, "quantity": quantity}]});
    given.place_with_key("key-1", body(1)).await.expect(201);

    given.place_with_key("key-1", body(2)).await.expect_error(422, "IDEMPOTENCY_KEY_REUSED");

    assert_eq!(count(&given.app, "orders").await, 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_table() {
    let given = given().await;
    let other = given.app.table(&given.store, "2").await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}]});
    given.place_with_key("key-1", body.clone()).await.expect(201);

    let request = given.app.post("/api/customer/orders").token(&other.token).header("idempotency-key", "key-1");
    let order = request.json(body).send().await.expect(201);

    assert_eq!(order["table_number"], "2");
    assert_eq!(count(&given.app, "orders").await, 2);
}

#[tokio::test]
async fn a_key_is_good_for_24_hours() {
    let given = given().await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}]});
    let first = given.place_with_key("key-1", body.clone()).await;
    given.app.clock.advance(chrono::TimeDelta::hours(24) - chrono::TimeDelta::seconds(1));
    let token = given.app.token_for(shared::db::owners::Owner {
        role: shared::domain::account::Role::Table,
        id: given.table.id.get(),
        store_id: Some(given.store.id),
    });
    let place = || {
        let request = given.app.post("/api/customer/orders").token(&token).header("idempotency-key", "key-1");
        request.json(body.clone()).send()
    };

    assert_eq!(place().await.body, first.body);
    given.app.clock.advance(chrono::TimeDelta::seconds(2));
    let later = place().await;

    assert_eq!(later.status.as_u16(), 201);
    assert_ne!(later.body, first.body);
    assert_eq!(place().await.body, later.body, "the new answer has taken the old one's place");
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let given = given().await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}]});
    sqlx::query("update menus set is_available = false").execute(given.app.db()).await.unwrap();
    given.place_with_key("key-1", body.clone()).await.expect_error(409, "MENU_NOT_AVAILABLE");
    sqlx::query("update menus set is_available = true").execute(given.app.db()).await.unwrap();

    given.place_with_key("key-1", body).await.expect(201);
}

#[tokio::test]
async fn a_key_is_visible_ascii() {
    let given = given().await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}]});
    for key in ["", "has space", &"k".repeat(256), "tab\tkey"] {
        let details = given.place_with_key(key, body.clone()).await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(details["fields"][0]["field"], "Idempotency-Key");
    }
    given.place_with_key(&"k".repeat(255), body).await.expect(201);
}

#[tokio::test]
async fn numbers_restart_at_the_stores_midnight() {
    let given = given().await;
    given.app.clock.set("2026-02-09T14:59:59.999Z");
    let before = [given.order().await, given.order().await];

    given.app.clock.set("2026-02-09T15:00:00.000Z");
    let after = given.order().await;

    assert_eq!(before.map(|order| order["order_number"].as_i64()), [Some(1), Some(2)]);
    assert_eq!(after["order_number"], 1);
    assert_eq!(after["business_date"], "2026-02-10");
}

#[tokio::test]
async fn each_store_counts_for_itself() {
    let given = given().await;
    let other = given.app.store().await;
    let table = given.app.table(&other, "1").await;
    let category = given.app.category(&other, "식사").await;
    let menu = given.app.menu(&other, category, "비빔밥", 10_000).await;
    given.order().await;

    let body = json!({"items": [{"menu_id": menu, "quantity": 1}]});
    let order = given.app.post("/api/customer/orders").token(&table.token).json(body).send().await.expect(201);

    assert_eq!(order["order_number"], 1);
}
