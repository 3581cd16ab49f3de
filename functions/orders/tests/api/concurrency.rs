//! What must hold when everything happens at once.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::testing::{Options, TestApp};

use crate::{count, given};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_sendings_of_one_key_make_one_order_and_fifty_equal_answers() {
    let given = given().await;
    let body = json!({"items": [{"menu_id": given.stew, "quantity": 1}]});
    let send = || {
        let request = given.app.post("/api/customer/orders").token(&given.table.token);
        request.header("idempotency-key", "one-tap").json(body.clone()).send()
    };

    let answers = join_all((0..50).map(|_| send())).await;

    assert!(answers.iter().all(|answer| answer.status.as_u16() == 201));
    let bodies: HashSet<_> = answers.into_iter().map(|answer| answer.body).collect();
    assert_eq!(bodies.len(), 1);
    assert_eq!(count(&given.app, "orders").await, 1);
    assert_eq!(count(&given.app, "outbox").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_orders_at_once_are_numbered_without_gap_or_repetition() {
    let given = given().await;
    let mut tables = Vec::new();
    for number in 10..30 {
        tables.push(given.app.table(&given.store, &number.to_string()).await);
    }

    let orders = join_all((0..200).map(|i| given.order_from(&tables[i % tables.len()]))).await;

    let numbers: BTreeSet<_> = orders.iter().map(|order| order["order_number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=200).collect());
    assert_eq!(count(&given.app, "table_sessions").await, 20, "one open session a table");
}

/// 1,000 rounds of an order against the close of its table: whichever comes first, no order lies in a closed session, and
/// none is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_never_lands_in_a_session_that_is_being_closed() {
    let app = TestApp::start_with(Options::default(), |_, _| orders::router().merge(tables::router())).await;
    let app = Arc::new(app);
    let store = app.store().await;
    let category = app.category(&store, "식사").await;
    let menu = app.menu(&store, category, "김치찌개", 9_000).await;
    // Every look at the clock is later than the one before, as in life.
    app.clock.step(chrono::TimeDelta::milliseconds(1));
    let mut racers = Vec::new();
    for number in 0..4 {
        let (app, store, table) = (app.clone(), store.clone(), app.table(&store, &number.to_string()).await);
        racers.push(tokio::spawn(async move {
            let mut archived = 0;
            for _ in 0..250 {
                let body = json!({"items": [{"menu_id": menu, "quantity": 1}]});
                let place = app.post("/api/customer/orders").token(&table.token).json(body).send();
                let close = app
                    .post(format!("/api/admin/tables/{}/complete-session", table.id))
                    .token(&store.admin.token)
                    .send();
                let (placed, closed) = tokio::join!(place, close);
                placed.expect(201);
                match closed.status.as_u16() {
                    200 => archived += closed.expect(200)["archived_orders_count"].as_i64().unwrap(),
                    _ => drop(closed.expect_error(404, "SESSION_NOT_FOUND")),
                }
            }
            archived
        }));
    }
    let mut archived = 0;
    for racer in racers {
        archived += racer.await.unwrap();
    }

    let stranded: i64 = sqlx::query_scalar(
        "select count(*) from orders o join table_sessions s on s.id = o.session_id where s.ended_at is not null",
    )
    .fetch_one(app.db())
    .await
    .unwrap();
    assert_eq!(stranded, 0);
    assert_eq!(count(&app, "order_history").await, archived);
    assert_eq!(count(&app, "orders").await + archived, 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_changes_of_one_version_one_succeeds() {
    let given = given().await;
    let order = given.order().await;
    let change = || {
        given
            .app
            .patch(format!("/api/admin/orders/{}/status", order["id"]))
            .token(&given.store.admin.token)
            .json(json!({"status": "preparing", "version": 1}))
            .send()
    };

    let answers = join_all((0..20).map(|_| change())).await;

    let (changed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 200);
    assert_eq!((changed.len(), refused.len()), (1, 19));
    for answer in refused {
        let details: Value = answer.expect_error(409, "VERSION_CONFLICT");
        assert_eq!(details["current"]["version"], 2);
    }
}

/// Whichever comes last, the last answer tells what is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_at_once_tell_what_is_left() {
    let given = given().await;
    let mut orders = Vec::new();
    for _ in 0..20 {
        orders.push(given.order().await);
    }
    let delete = |order: &Value| {
        given.app.delete(format!("/api/admin/orders/{}", order["id"])).token(&given.store.admin.token).send()
    };

    let answers = join_all(orders.iter().map(delete)).await;

    let totals: BTreeSet<_> =
        answers.into_iter().map(|answer| answer.expect(200)["table_total"].as_i64().unwrap()).collect();
    assert_eq!(totals, (0..20).map(|left| left * 9_000).collect());
}
