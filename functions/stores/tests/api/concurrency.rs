//! What must hold when everything happens at once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::testing::{PASSWORD, TestApp};

use crate::{count, given};

/// Whoever comes second is refused as switching the last one off, or as switched off already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_super_admins_who_switch_each_other_off_exactly_one_survives() {
    let given = given().await;
    let (one, two) = (&given.caller, given.app.admin(None).await);
    for round in 0..20 {
        let switch_off =
            |id, token: &str| given.app.patch(format!("/api/superadmin/admins/{id}/deactivate")).token(token).send();

        let answers: [_; 2] = tokio::join!(switch_off(two.id, &one.token), switch_off(one.id, &two.token)).into();

        let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 200);
        assert_eq!((done.len(), refused.len()), (1, 1), "round {round}");
        for answer in refused {
            if answer.status.as_u16() == 401 {
                answer.expect_error(401, "INVALID_TOKEN");
            } else {
                answer.expect_error(409, "LAST_SUPER_ADMIN");
            }
        }
        let active: i64 =
            sqlx::query_scalar("select count(*) from admins where is_active").fetch_one(given.app.db()).await.unwrap();
        assert_eq!(active, 1, "round {round}");
        // Both as before, for the next round.
        sqlx::query("update admins set is_active = true, token_version = 1").execute(given.app.db()).await.unwrap();
        given.half_a_minute_later();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_ring_of_super_admins_who_switch_each_other_off_at_least_one_survives() {
    let given = given().await;
    let mut ring = vec![given.caller.clone()];
    for _ in 0..7 {
        ring.push(given.app.admin(None).await);
    }
    for admin in &ring {
        // From now on all of them are known to be in, so that none is turned away before the others have begun.
        given.super_admin_me(&admin.token).await.expect(200);
    }
    let switch_off = |i: usize| {
        let next = &ring[(i + 1) % ring.len()];
        given.app.patch(format!("/api/superadmin/admins/{}/deactivate", next.id)).token(&ring[i].token).send()
    };

    let answers = join_all((0..ring.len()).map(switch_off)).await;

    let done = answers.iter().filter(|answer| answer.status.as_u16() == 200).count();
    assert!((1..ring.len()).contains(&done), "{done}");
    let active: i64 =
        sqlx::query_scalar("select count(*) from admins where is_active").fetch_one(given.app.db()).await.unwrap();
    assert_eq!(active, i64::try_from(ring.len() - done).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_accounts_of_one_username_one_is_created() {
    let given = given().await;
    let body = json!({"username": "kim", "password": PASSWORD, "role": "super_admin"});

    let answers = join_all((0..10).map(|_| given.post("/api/superadmin/admins", body.clone()))).await;

    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 201);
    assert_eq!((created.len(), refused.len()), (1, 9));
    for answer in refused {
        answer.expect_error(409, "USERNAME_ALREADY_EXISTS");
    }
    assert_eq!(count(&given.app, "admins").await, 2);
}

/// Wait until a statement waits for a lock that another transaction holds.
async fn somebody_waits(app: &TestApp) {
    let waits = async || -> bool {
        sqlx::query_scalar(
            "select exists (
                 select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
             )",
        )
        .fetch_one(app.db())
        .await
        .unwrap()
    };
    let waited = tokio::time::timeout(Duration::from_secs(5), async {
        while !waits().await {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("nobody waits for a lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_for_a_store_that_is_being_deleted_finds_no_store() {
    let given = given().await;
    let store: Value = given.store("한빛식당").await;
    let mut deletion = given.app.db().begin().await.unwrap();
    sqlx::query("delete from stores").execute(&mut *deletion).await.unwrap();
    let body = json!({"username": "kim", "password": PASSWORD, "role": "store_admin", "store_id": store["id"]});

    let (created, ()) = tokio::join!(given.post("/api/superadmin/admins", body), async {
        somebody_waits(&given.app).await;
        deletion.commit().await.unwrap();
    });

    created.expect_error(404, "STORE_NOT_FOUND");
    assert_eq!(count(&given.app, "admins").await, 1);
}
