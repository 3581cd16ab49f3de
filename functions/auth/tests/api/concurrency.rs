//! What must hold when everything happens at once.

use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use shared::testing::{PASSWORD, TestResponse};

use crate::{Kind, WRONG, given};

/// How many of these were told that they are wrong; the others must have been told to come again later.
#[track_caller]
fn judged(answers: Vec<TestResponse>) -> usize {
    let (judged, limited): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 401);
    for answer in limited {
        // 15 minutes once there are enough wrong ones; shortly, while it is those under way that stand in the way.
        assert!(matches!(answer.header("retry-after"), Some("900" | "2")), "{:?}", answer.headers);
        answer.expect_error(429, "RATE_LIMIT_EXCEEDED");
    }
    assert!(judged.iter().all(|answer| answer.body == WRONG));
    judged.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_guesses_at_once_five_are_judged() {
    for kind in Kind::ALL {
        let given = given().await;
        for name in [given.name(kind), "nobody"] {
            let guess = |i: usize| {
                let address = format!("198.51.100.{i}");
                given.log_in_as(kind, name, &format!("guess-{i}")).from(&address).send()
            };

            let answers = join_all((0..30).map(guess)).await;

            assert_eq!(judged(answers), 5, "{kind:?} {name}");
            let request = given.log_in_as(kind, name, PASSWORD).from("198.51.100.99");
            request.send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_guesses_at_once_from_one_address_twenty_are_judged() {
    let given = given().await;
    let guess = |i: usize| {
        let name = format!("nobody-{i}");
        given.log_in_as(Kind::ALL[i % 3], &name, "wrong").from("198.51.100.7").send()
    };

    let answers = join_all((0..30).map(guess)).await;

    assert_eq!(judged(answers), 20);
    let request = given.log_in(Kind::Admin, PASSWORD).from("198.51.100.7");
    request.send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_right_logins_at_once_of_different_tables_all_succeed() {
    let given = given().await;
    let mut numbers = Vec::new();
    for i in 0..30 {
        numbers.push(given.app.table(&given.store, &i.to_string()).await.number);
    }

    let answers = join_all(numbers.iter().map(|number| given.log_in_as(Kind::Customer, number, PASSWORD).send())).await;

    for (answer, number) in answers.into_iter().zip(numbers) {
        assert_eq!(answer.expect(200)["table"]["table_number"], number);
    }
}

/// Every other would have been told that its password is the new one, when it is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_five_changes_of_one_password_at_once_one_succeeds() {
    let given = given().await;
    let change = |i: usize| {
        let body = json!({"current_password": PASSWORD, "new_password": format!("새비밀번호{i}")});
        given.app.post("/api/admin/auth/change-password").token(&given.store.admin.token).json(body).send()
    };

    let answers = join_all((0..5).map(change)).await;

    let mut changed = Vec::new();
    for (i, answer) in answers.into_iter().enumerate() {
        match answer.status.as_u16() {
            200 => changed.push((i, answer.expect(200))),
            status => assert_eq!(status, 401, "{}", answer.body),
        }
    }
    assert_eq!(changed.len(), 1);
    let (winner, answer) = &changed[0];
    given.me(Kind::Admin, answer["access_token"].as_str().unwrap()).await.expect(200);
    given.log_in(Kind::Admin, &format!("새비밀번호{winner}")).send().await.expect(200);
}

/// Six devices log in with one account at the same moment: nobody was wrong, so nobody is locked out for long.
#[tokio::test]
async fn a_sixth_right_login_at_the_same_moment_is_told_to_come_again_shortly() {
    let given = given().await;
    let mut turns = Vec::new();
    while let Some(Ok(turn)) = given.app.app.passwords.turn().now_or_never() {
        turns.push(turn);
    }
    let mut logins: FuturesUnordered<_> = (0..6).map(|_| given.log_in(Kind::Admin, PASSWORD).send()).collect();

    // Five wait for their turn, so the first that is answered is the sixth.
    let refused = logins.next().await.unwrap();
    drop(turns);

    assert_eq!(refused.header("retry-after"), Some("2"));
    refused.expect_error(429, "RATE_LIMIT_EXCEEDED");
    for answer in logins.collect::<Vec<_>>().await {
        answer.expect(200);
    }
}
