//! What must hold when everything happens at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;
use shared::testing::TestResponse;

use crate::{count, given, ids};

fn places(created: Vec<TestResponse>) -> BTreeSet<i64> {
    created.into_iter().map(|answer| answer.expect(201)["display_order"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_menus_created_at_once_have_twenty_places() {
    let given = given().await;
    let empty = given.app.category(&given.store, "디저트").await;
    let create = |i: usize| {
        given.post("/api/admin/menus", json!({"category_id": empty, "name": format!("메뉴 {i}"), "price": 1_000}))
    };

    let created = join_all((0..20).map(create)).await;

    assert_eq!(places(created), (1..=20).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_categories_created_at_once_have_twenty_places() {
    let given = given().await;
    let create = |i: usize| given.post("/api/admin/categories", json!({"name": format!("카테고리 {i}")}));

    let created = join_all((0..20).map(create)).await;

    assert_eq!(places(created), (3..=22).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_categories_of_one_name_one_is_created() {
    let given = given().await;
    let create = || given.post("/api/admin/categories", json!({"name": "디저트"}));

    let answers = join_all((0..10).map(|_| create())).await;

    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 201);
    assert_eq!((created.len(), refused.len()), (1, 9));
    for answer in refused {
        answer.expect_error(409, "CATEGORY_ALREADY_EXISTS");
    }
    assert_eq!(count(&given.app, "outbox").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_menu_moved_and_deleted_at_once_leaves_no_gap() {
    let given = given().await;
    for round in 0..10 {
        let first = given.app.menu(&given.store, given.meals, &format!("메뉴 {round}"), 1_000).await;
        let second = given.app.menu(&given.store, given.meals, &format!("또 {round}"), 1_000).await;
        let path = format!("/api/admin/menus/{first}");
        let (moved, deleted, other_moved) = tokio::join!(
            given.patch(&path, json!({"category_id": given.drinks})),
            given.delete(&path),
            given.patch(format!("/api/admin/menus/{second}"), json!({"category_id": given.drinks})),
        );

        deleted.expect(204);
        other_moved.expect(200);
        if moved.status.as_u16() != 200 {
            moved.expect_error(404, "MENU_NOT_FOUND");
        }
        let menus = given.menus().await;
        let of = |category| {
            let menus = menus.as_array().unwrap().iter().filter(move |menu| menu["category_id"] == json!(category));
            menus.map(|menu| menu["display_order"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(of(given.meals), [1, 2]);
        assert_eq!(of(given.drinks), (1..=round + 2).collect::<Vec<_>>());
    }
}

/// Whichever comes first: the order, and the menu stays; or the deletion, and the guest is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_menu_is_ordered_or_deleted_but_never_both() {
    let given = given().await;
    let mut stayed = Vec::new();
    for round in 0..40 {
        let menu = given.app.menu(&given.store, given.drinks, &format!("메뉴 {round}"), 1_000).await;
        let (order, delete) = (given.order(menu), given.delete(format!("/api/admin/menus/{menu}")));
        // Each gets to go first every other time.
        let (ordered, deleted) = if round % 2 == 0 {
            tokio::join!(order, delete)
        } else {
            let (deleted, ordered) = tokio::join!(delete, order);
            (ordered, deleted)
        };

        if ordered.status.as_u16() == 201 {
            deleted.expect_error(409, "MENU_IN_USE");
            stayed.push(json!(menu));
        } else {
            ordered.expect_error(404, "MENU_NOT_FOUND");
            deleted.expect(204);
        }
    }
    let drinks = given.get(format!("/api/admin/menus?category_id={}&page_size=100", given.drinks)).await.expect(200);
    stayed.insert(0, json!(given.soju));
    assert_eq!(ids(&drinks["items"]), json!(stayed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_deletions_of_a_menu_one_succeeds() {
    let given = given().await;

    let answers = join_all((0..10).map(|_| given.delete(format!("/api/admin/menus/{}", given.stew)))).await;

    let (deleted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 204);
    assert_eq!((deleted.len(), refused.len()), (1, 9));
    for answer in refused {
        answer.expect_error(404, "MENU_NOT_FOUND");
    }
    assert_eq!(given.menu(given.rice).await["display_order"], 1);
    assert_eq!(count(&given.app, "outbox").await, 1);
    assert_eq!(count(&given.app, "audit_entries").await, 1);
}
