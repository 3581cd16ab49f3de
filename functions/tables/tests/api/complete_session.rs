//! `POST /api/admin/tables/{id}/complete-session`.

use serde_json::{Value, json};
use shared::testing::TestRequest;

use crate::{Given, count, given, outbox};

impl Given {
    fn completion(&self) -> TestRequest<'_> {
        let request = self.app.post(format!("/api/admin/tables/{}/complete-session", self.table.id));
        request.token(&self.store.admin.token)
    }
}

#[tokio::test]
async fn closes_the_session_and_says_what_it_came_to() {
    let given = given().await;
    given.serve(&given.order().await).await;
    let order = given.order().await;
    given.change_status(&given.order().await, &["cancelled"]).await;
    given.app.clock.advance(chrono::TimeDelta::minutes(90));

    let answer = given.completion().send().await.expect(200);

    assert_eq!(
        answer,
        json!({
            "session": {
                "id": order["session_id"],
                "started_at": "2026-02-09T03:00:00.000Z", "ended_at": "2026-02-09T04:30:00.000Z",
            },
            "archived_orders_count": 3, "unfinished_count": 1, "total_amount": 18_000,
        })
    );
}

#[tokio::test]
async fn the_event_tells_of_the_close() {
    let given = given().await;
    let order = given.order().await;
    given.change_status(&given.order().await, &["cancelled"]).await;
    given.app.clock.advance(chrono::TimeDelta::minutes(1));

    given.completion().send().await.expect(200);

    let event = outbox(&given.app).await.pop().unwrap();
    assert!(event["event_id"].is_string());
    assert_eq!(
        event,
        json!({
            "event_id": event["event_id"], "event_type": "SessionCompleted", "store_id": given.store.id,
            "timestamp": "2026-02-09T03:01:00.000Z", "request_id": event["request_id"],
            "session_id": order["session_id"], "table_id": given.table.id, "table_number": "1",
            "archived_orders_count": 2, "unfinished_count": 1,
        })
    );
}

#[tokio::test]
async fn every_order_is_archived_with_its_items_whatever_its_status() {
    let given = given().await;
    let body = json!({
        "items": [
            {"menu_id": given.stew, "quantity": 2, "note": "덜 맵게"},
            {"menu_id": given.soju, "quantity": 1},
            {"menu_id": given.stew, "quantity": 1},
        ],
        "note": "빨리 주세요",
    });
    let mut orders = Vec::new();
    for steps in [&[][..], &["preparing"], &["preparing", "ready"], &["preparing", "ready", "served"], &["cancelled"]] {
        let order = given.place_from(&given.table, body.clone()).await;
        orders.push(given.change_status(&order, steps).await);
    }

    let answer = given.completion().send().await.expect(200);

    assert_eq!(answer["archived_orders_count"], 5);
    assert_eq!(answer["unfinished_count"], 3);
    assert_eq!(answer["total_amount"], 4 * 32_000);
    assert_eq!(count(&given.app, "orders").await, 0);
    assert_eq!(count(&given.app, "order_items").await, 0);
    let archived = given.history("").await.expect(200);
    let archived = archived["items"].as_array().unwrap();
    assert_eq!(archived.len(), 5);
    for (order, archived) in orders.iter().rev().zip(archived) {
        assert_eq!(archived["original_order_id"], order["id"]);
        assert_eq!(archived["status"], order["status"]);
        let without_ids = |items: &Value| {
            let mut items = items.clone();
            items.as_array_mut().unwrap().iter_mut().for_each(|item| drop(item.as_object_mut().unwrap().remove("id")));
            items
        };
        assert_eq!(without_ids(&archived["items"]), without_ids(&order["items"]));
    }
    let notes: Vec<Option<String>> =
        sqlx::query_scalar("select note from order_history").fetch_all(given.app.db()).await.unwrap();
    assert_eq!(notes, vec![Some("빨리 주세요".to_owned()); 5]);
    assert_eq!(count(&given.app, "order_status_changes").await, 7, "who did what stays known");
}

#[tokio::test]
async fn the_body_may_be_left_out() {
    let given = given().await;
    given.order().await;
    given.completion().send().await.expect(200);
    for body in ["", "{}", r#"{"require_finished": false}"#] {
        given.order().await;
        given.completion().body("application/json", body).send().await.expect(200);
    }
    assert_eq!(count(&given.app, "order_history").await, 4);
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let given = given().await;
    given.order().await;
    for body in [
        json!([]),
        json!({"require_finished": "yes"}),
        json!({"require_finished": 1}),
        json!({"require_finished": null}),
        json!({"require_finished": true, "force": true}),
    ] {
        let details = given.completion().json(body.clone()).send().await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{body}");
    }
    given.completion().body("application/json", "{").send().await.expect_error(400, "VALIDATION_ERROR");
    given.completion().body("text/plain", "{}").send().await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(count(&given.app, "order_history").await, 0);
    given.completion().send().await.expect(200);
}

#[tokio::test]
async fn unfinished_orders_keep_the_session_open_if_asked_to() {
    let given = given().await;
    let order = given.order().await;
    given.serve(&given.order().await).await;
    given.change_status(&given.order().await, &["cancelled"]).await;
    let before = given.get("/api/admin/dashboard").await.expect(200);
    let events = count(&given.app, "outbox").await;

    let request = given.completion().json(json!({"require_finished": true}));
    request.send().await.expect_error(409, "SESSION_HAS_UNFINISHED_ORDERS");

    assert_eq!(given.get("/api/admin/dashboard").await.expect(200), before);
    assert_eq!(count(&given.app, "order_history").await, 0);
    assert_eq!(count(&given.app, "outbox").await, events);
    given.serve(&order).await;
    let answer = given.completion().json(json!({"require_finished": true})).send().await.expect(200);
    assert_eq!((&answer["archived_orders_count"], &answer["unfinished_count"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn preparing_and_ready_orders_are_unfinished_too() {
    let given = given().await;
    let order = given.change_status(&given.order().await, &["preparing"]).await;
    let complete = || given.completion().json(json!({"require_finished": true})).send();

    complete().await.expect_error(409, "SESSION_HAS_UNFINISHED_ORDERS");
    given.change_status(&order, &["ready"]).await;
    complete().await.expect_error(409, "SESSION_HAS_UNFINISHED_ORDERS");
    given.change_status(&order, &["served"]).await;
    complete().await.expect(200);
}

#[tokio::test]
async fn a_table_without_an_open_session_has_none_to_close() {
    let given = given().await;
    given.completion().send().await.expect_error(404, "SESSION_NOT_FOUND");
    given.order().await;
    given.completion().send().await.expect(200);

    given.completion().send().await.expect_error(404, "SESSION_NOT_FOUND");

    assert_eq!(count(&given.app, "order_history").await, 1);
    assert_eq!(count(&given.app, "outbox").await, 2);
}

#[tokio::test]
async fn a_session_whose_orders_were_all_deleted_can_be_closed() {
    let given = given().await;
    given.delete_order(&given.order().await).await;

    let answer = given.completion().send().await.expect(200);

    assert_eq!((&answer["archived_orders_count"], &answer["unfinished_count"]), (&json!(0), &json!(0)));
    assert_eq!(answer["total_amount"], 0);
}

#[tokio::test]
async fn leaves_the_other_tables_alone() {
    let given = given().await;
    let other = given.app.table(&given.store, "2").await;
    given.order().await;
    let order = given.order_from(&other).await;

    let answer = given.completion().send().await.expect(200);

    assert_eq!(answer["archived_orders_count"], 1);
    assert_eq!(given.get("/api/admin/orders").await.expect(200), json!([order]));
}

#[tokio::test]
async fn another_stores_table_does_not_exist() {
    let given = given().await;
    given.order().await;
    let other = given.app.store().await;
    let complete = |id: String, token: &str| {
        given.app.post(format!("/api/admin/tables/{id}/complete-session")).token(token).send()
    };

    complete(given.table.id.to_string(), &other.admin.token).await.expect_error(404, "TABLE_NOT_FOUND");
    complete("9999".into(), &given.store.admin.token).await.expect_error(404, "TABLE_NOT_FOUND");
    complete("0".into(), &given.store.admin.token).await.expect_error(400, "VALIDATION_ERROR");

    assert_eq!(count(&given.app, "order_history").await, 0);
}

#[tokio::test]
async fn only_a_store_admin_may() {
    let given = given().await;
    given.order().await;
    let post = || given.app.post(format!("/api/admin/tables/{}/complete-session", given.table.id));

    post().send().await.expect_error(401, "TOKEN_MISSING");
    post().token(&given.table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    assert_eq!(count(&given.app, "order_history").await, 0);
}

#[tokio::test]
async fn the_next_party_sees_nothing_of_the_last() {
    let given = given().await;
    let old = given.order().await;
    let guest = |path: String| given.app.get(path).token(&given.table.token).send();

    given.completion().send().await.expect(200);

    let list = guest("/api/customer/orders".into()).await.expect(200);
    assert_eq!((&list["items"], &list["pagination"]["total_count"]), (&json!([]), &json!(0)));
    guest(format!("/api/customer/orders/{}", old["id"])).await.expect_error(404, "ORDER_NOT_FOUND");
    given.get(&format!("/api/admin/orders/{}", old["id"])).await.expect_error(404, "ORDER_NOT_FOUND");
    let next = given.order().await;
    assert_eq!(guest("/api/customer/orders".into()).await.expect(200)["items"], json!([next]));
}

#[tokio::test]
async fn an_archived_order_can_be_neither_changed_nor_deleted() {
    let given = given().await;
    let order = given.order().await;
    given.completion().send().await.expect(200);
    let path = format!("/api/admin/orders/{}", order["id"]);

    let change = given.app.patch(format!("{path}/status")).token(&given.store.admin.token);
    change.json(json!({"status": "preparing"})).send().await.expect_error(404, "ORDER_NOT_FOUND");
    given.app.delete(path).token(&given.store.admin.token).send().await.expect_error(404, "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn an_order_sent_again_after_the_close_gives_the_first_answer_byte_for_byte() {
    let given = given().await;
    let place = || {
        let request = given.app.post("/api/customer/orders").token(&given.table.token);
        let body = json!({"items": [{"menu_id": given.stew, "quantity": 2, "note": "덜 맵게"}], "note": "하나"});
        request.header("idempotency-key", "key-1").json(body).send()
    };
    let first = place().await;
    given.completion().send().await.expect(200);

    let again = place().await;

    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(count(&given.app, "orders").await, 0);
    assert_eq!(count(&given.app, "table_sessions").await, 1, "no session was opened");
}

#[tokio::test]
async fn of_many_closings_at_once_one_succeeds() {
    let given = given().await;
    given.order().await;
    given.order().await;

    let answers = futures_util::future::join_all((0..10).map(|_| given.completion().send())).await;

    let (closed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 200);
    assert_eq!((closed.len(), refused.len()), (1, 9));
    for answer in refused {
        answer.expect_error(404, "SESSION_NOT_FOUND");
    }
    assert_eq!(count(&given.app, "order_history").await, 2);
    assert_eq!(count(&given.app, "outbox").await, 3);
}
