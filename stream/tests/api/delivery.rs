//! Events may arrive twice and overtake each other: each counts once, and nothing out of date is shown.

use serde_json::Value;
use shared::domain::event::{Event, MenuChanged, OrderDeleted, SessionCompleted};
use shared::domain::order::{Order, OrderStatus};

use crate::given;

/// An order of the feed with this version.
fn version(order: &Value, version: i32) -> Event {
    let order = Order { version, ..serde_json::from_value(order.clone()).unwrap() };
    match version {
        1 => Event::OrderCreated { order },
        _ => Event::OrderStatusChanged { order, old_status: OrderStatus::Pending, new_status: OrderStatus::Preparing },
    }
}

fn deletion(order: &Value) -> Event {
    let order: Order = serde_json::from_value(order.clone()).unwrap();
    Event::OrderDeleted(OrderDeleted {
        order_id: order.id,
        table_id: order.table_id,
        table_number: order.table_number,
        version: order.version + 1,
        reason: None,
        table_total: 0,
    })
}

fn close(order: &Value) -> Event {
    let order: Order = serde_json::from_value(order.clone()).unwrap();
    Event::SessionCompleted(SessionCompleted {
        session_id: order.session_id,
        table_id: order.table_id,
        table_number: order.table_number,
        archived_orders_count: 1,
        unfinished_count: 1,
    })
}

#[tokio::test]
async fn an_event_that_is_published_twice_is_shown_once() {
    let given = given().await;
    let mut board = given.board().await;
    given.order().await;
    assert_eq!(given.app.drain().await, 1);
    assert_eq!(board.event().await.id(), Some("test-1"));

    given.sql("update outbox set published_at = null").await;
    assert_eq!(given.app.drain().await, 1, "published again");

    given.check_nothing_more(&mut [board], 2).await;
}

#[tokio::test]
async fn events_of_the_whole_card_count_once_each() {
    let given = given().await;
    let mut board = given.board().await;
    let card = given.envelope(Event::MenuChanged(MenuChanged::card()));
    let now = given.app.clock.now();

    assert_eq!(given.app.feed.append(std::slice::from_ref(&card), now).await.unwrap(), 1);
    assert_eq!(given.app.feed.append(std::slice::from_ref(&card), now).await.unwrap(), 0);

    assert_eq!(board.event().await.id(), Some("test-1"));
    given.check_nothing_more(&mut [board], 2).await;
}

#[tokio::test]
async fn an_overtaken_version_of_an_order_is_dropped() {
    let given = given().await;
    let order = given.order().await;
    let mut board = given.board().await;

    assert!(given.append(version(&order, 2)).await);
    assert!(!given.append(version(&order, 1)).await);
    assert!(!given.append(version(&order, 2)).await, "another event of the same version");
    assert!(given.append(version(&order, 3)).await);

    let versions = [board.event().await, board.event().await].map(|frame| frame.data()["order"]["version"].clone());
    assert_eq!(versions, [2, 3]);
    given.check_nothing_more(&mut [board], 3).await;
}

#[tokio::test]
async fn each_order_has_versions_of_its_own() {
    let given = given().await;
    let (first, second) = (given.order().await, given.order().await);

    assert!(given.append(version(&first, 5)).await);
    assert!(given.append(version(&second, 1)).await);
}

#[tokio::test]
async fn an_overtaken_version_of_a_menu_is_dropped() {
    let given = given().await;
    let menu = |version| MenuChanged {
        menu_id: Some(given.stew),
        category_id: Some(given.category),
        version: Some(version),
        is_available: Some(true),
        price: Some(9_000),
        deleted: false,
    };

    assert!(given.append(Event::MenuChanged(menu(2))).await);
    assert!(!given.append(Event::MenuChanged(menu(1))).await);
    assert!(given.append(Event::MenuChanged(menu(3))).await);
    assert!(given.append(Event::MenuChanged(MenuChanged::deleted(given.stew))).await);
    assert!(!given.append(Event::MenuChanged(menu(4))).await, "a deleted menu stays deleted");
}

#[tokio::test]
async fn nothing_comes_after_an_orders_deletion() {
    let given = given().await;
    let order = given.order().await;
    let mut board = given.board().await;

    assert!(given.append(deletion(&order)).await);
    assert!(!given.append(version(&order, 1)).await, "the order itself comes late");
    assert!(!given.append(version(&order, 9)).await);
    assert!(!given.append(deletion(&order)).await);

    assert_eq!(board.event().await.event(), Some("order.deleted"));
    given.check_nothing_more(&mut [board], 2).await;
}

#[tokio::test]
async fn nothing_of_a_session_comes_after_its_close() {
    let given = given().await;
    let (first, second) = (given.order().await, given.order().await);
    let mut board = given.board().await;
    let mut tablet = given.tablet(&given.table).await;

    assert!(given.append(version(&first, 1)).await);
    assert!(given.append(close(&first)).await);
    assert!(!given.append(version(&first, 2)).await);
    assert!(!given.append(version(&second, 1)).await, "an order of the session comes late");
    assert!(!given.append(close(&first)).await);

    for reader in [&mut board, &mut tablet] {
        assert_eq!(reader.event().await.event(), Some("order.created"));
        assert_eq!(reader.event().await.event(), Some("session.completed"));
        assert!(reader.is_silent().await);
    }
}

#[tokio::test]
async fn the_next_session_of_the_table_counts() {
    let given = given().await;
    let old = given.order().await;
    given.close(&given.table).await;
    let next = given.order().await;

    assert!(given.append(close(&old)).await);
    assert!(given.append(version(&next, 1)).await);
}
