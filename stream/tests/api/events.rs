//! What the streams show: each event as the contract writes it, to those whom it concerns.

use serde_json::{Value, json};
use shared::testing::in_both_worlds;

use crate::{Frame, Given, given, ids, outbox_payloads};

impl Given {
    /// Check a frame's data: the envelope, and beside it exactly these fields.
    #[track_caller]
    fn check(&self, frame: &Frame, event: &str, event_type: &str, fields: Value) {
        let mut data = frame.data();
        let data = data.as_object_mut().unwrap();
        let event_id = data.remove("event_id").unwrap();
        assert_eq!(event_id.as_str().unwrap().len(), 36, "a UUID");
        let request_id = data.remove("request_id").unwrap();
        assert_eq!(request_id.as_str().unwrap().len(), 36, "the request's, a UUID, too");
        let mut expected =
            json!({"event_type": event_type, "store_id": self.store.id, "timestamp": "2026-02-09T03:00:00.000Z"});
        expected.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(json!(data), expected);
        assert_eq!(frame.event(), Some(event));
    }
}

in_both_worlds! {
    async fn an_order_reaches_the_board(given: Given) {
        let mut board = given.board().await;

        let order = given.order().await;
        assert!(board.is_silent().await);
        assert_eq!(given.app.drain().await, 1);

        let frame = board.event().await;
        let payload = outbox_payloads(&given.app).await.remove(0);
        assert_eq!(frame.0, format!("id: {}\nevent: order.created\ndata: {payload}", given.at(1)));
        given.check(&frame, "order.created", "OrderCreated", json!({"order": order}));
    }

    async fn a_guest_sees_what_concerns_its_table(given: Given) {
        let other = given.app.table(&given.store, "2").await;
        let mut tablet = given.tablet(&given.table).await;

        // Each first at the other table, so that what is shown wrongly is shown first.
        let foreign = given.order_from(&other).await;
        let own = given.order().await;
        given.change_status(&foreign, "preparing").await;
        given.change_status(&own, "preparing").await;
        given.delete(&foreign, "").await;
        given.delete(&own, "").await;
        given.close(&other).await;
        given.close(&given.table).await;
        given.app.drain().await;
        given.append_cards(1).await;

        let frames = tablet.events(5).await;
        let names: Vec<_> = frames.iter().map(|frame| frame.event().unwrap()).collect();
        assert_eq!(names, ["order.created", "order.status_changed", "order.deleted", "session.completed", "menu.changed"]);
        assert_eq!(frames[0].data()["order"], own);
        assert_eq!(frames[1].data()["order"]["id"], own["id"]);
        assert_eq!(frames[2].data()["order_id"], own["id"]);
        assert_eq!(frames[3].data()["session_id"], own["session_id"]);
        assert_eq!(ids(&frames), [given.at(2), given.at(4), given.at(6), given.at(8), given.at(9)]);
        given.check_nothing_more(&mut [tablet], 10).await;
    }

    async fn every_screen_of_a_store_sees_an_event(given: Given) {
        let mut readers = [given.board().await, given.board().await, given.tablet(&given.table).await];

        let order = given.order().await;
        given.app.drain().await;

        for reader in &mut readers {
            assert_eq!(reader.event().await.data()["order"], order);
        }
    }

    async fn another_store_sees_nothing(given: Given) {
        let other = given.app.store().await;
        let foreign_table = given.app.table(&other, "1").await;
        let mut readers = [given.board_of(&other).await, given.tablet(&foreign_table).await];

        let order = given.order().await;
        given.change_status(&order, "preparing").await;
        given.close(&given.table).await;
        given.as_admin(given.app.delete(format!("/api/admin/menus/{}", given.stew))).await.expect(204);
        assert_eq!(given.app.drain().await, 4);
        for place in 1..=2 {
            let request = given.app.post("/api/admin/categories").token(&other.admin.token);
            request.json(json!({"name": format!("식사 {place}")})).send().await.expect(201);
            assert_eq!(given.app.drain().await, 1);

            for reader in &mut readers {
                let frame = reader.event().await;
                assert_eq!(frame.data()["store_id"], json!(other.id));
                assert!(frame.id().unwrap().ends_with(&format!("-{place}")), "each store counts for itself");
            }
        }
    }
}

#[tokio::test]
async fn notes_with_line_breaks_stay_within_their_frame() {
    let given = given().await;
    let mut board = given.board().await;
    let note = "첫 줄\n\nevent: order.deleted\ndata: {}\n\n\"끝\"";
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1, "note": note}], "note": note});

    let request = given.app.post("/api/customer/orders").token(&given.table.token).json(body);
    let order = request.send().await.expect(201);
    given.app.drain().await;

    given.check(&board.event().await, "order.created", "OrderCreated", json!({"order": order}));
    assert_eq!(order["note"], note);
    assert!(board.is_silent().await);
}

#[tokio::test]
async fn a_change_of_status_carries_the_whole_order() {
    let given = given().await;
    let order = given.order().await;
    given.app.drain().await;
    let mut board = given.board().await;

    let preparing = given.change_status(&order, "preparing").await;
    let cancelled = given.change_status(&order, "cancelled").await;
    given.app.drain().await;

    let fields = json!({"order": preparing, "old_status": "pending", "new_status": "preparing"});
    given.check(&board.event().await, "order.status_changed", "OrderStatusChanged", fields);
    let fields = json!({"order": cancelled, "old_status": "preparing", "new_status": "cancelled"});
    given.check(&board.event().await, "order.status_changed", "OrderStatusChanged", fields);
}

#[tokio::test]
async fn a_deletion_tells_what_the_table_comes_to() {
    let given = given().await;
    let (first, second) = (given.order().await, given.order().await);
    given.change_status(&first, "preparing").await;
    given.app.drain().await;
    let mut board = given.board().await;

    given.delete(&first, "?reason=%EC%9E%98%EB%AA%BB").await;
    given.delete(&second, "").await;
    given.app.drain().await;

    let fields = json!({
        "order_id": first["id"], "table_id": given.table.id, "table_number": "1", "version": 3, "reason": "잘못",
        "table_total": 9_000,
    });
    given.check(&board.event().await, "order.deleted", "OrderDeleted", fields);
    let fields = json!({
        "order_id": second["id"], "table_id": given.table.id, "table_number": "1", "version": 2, "reason": null,
        "table_total": 0,
    });
    given.check(&board.event().await, "order.deleted", "OrderDeleted", fields);
}

#[tokio::test]
async fn a_close_tells_what_was_archived() {
    let given = given().await;
    let order = given.order().await;
    given.change_status(&given.order().await, "cancelled").await;
    given.app.drain().await;
    let mut board = given.board().await;

    given.close(&given.table).await;
    given.app.drain().await;

    let fields = json!({
        "session_id": order["session_id"], "table_id": given.table.id, "table_number": "1",
        "archived_orders_count": 2, "unfinished_count": 1,
    });
    given.check(&board.event().await, "session.completed", "SessionCompleted", fields);
}

#[tokio::test]
async fn a_changed_menu_carries_what_a_card_shows() {
    let given = given().await;
    let mut board = given.board().await;
    let mut tablet = given.tablet(&given.table).await;
    let path = format!("/api/admin/menus/{}", given.stew);

    let body = json!({"price": 9_500, "is_available": false});
    let menu = given.as_admin(given.app.patch(&path).json(body)).await.expect(200);
    given.as_admin(given.app.delete(&path)).await.expect(204);
    given.as_admin(given.app.post("/api/admin/categories").json(json!({"name": "음료"}))).await.expect(201);
    given.app.drain().await;

    for reader in [&mut board, &mut tablet] {
        let fields = json!({
            "menu_id": given.stew, "category_id": given.category, "version": menu["version"], "is_available": false,
            "price": 9_500,
        });
        given.check(&reader.event().await, "menu.changed", "MenuChanged", fields);
        let fields = json!({"menu_id": given.stew, "deleted": true});
        given.check(&reader.event().await, "menu.changed", "MenuChanged", fields);
        given.check(&reader.event().await, "menu.changed", "MenuChanged", json!({"menu_id": null}));
    }
}
