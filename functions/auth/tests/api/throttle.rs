//! Wrong logins: 5 in 15 minutes an account, 20 an address.

use chrono::TimeDelta;
use futures_util::FutureExt;
use serde_json::json;
use shared::testing::{PASSWORD, TestResponse};

use crate::{Given, Kind, WRONG, assert_all_wrong, given};

impl Given {
    /// So many wrong logins of the given caller of a kind.
    async fn fail(&self, kind: Kind, times: usize) {
        for _ in 0..times {
            assert_all_wrong(vec![self.log_in(kind, "wrong").send().await]);
        }
    }

    /// So many wrong logins from an address, each of another account.
    async fn fail_from(&self, address: &str, times: usize) {
        for i in 0..times {
            let name = format!("nobody-{i}");
            let request = self.log_in_as(Kind::ALL[i % 3], &name, "wrong").from(address);
            assert_all_wrong(vec![request.send().await]);
        }
    }

    fn minutes_later(&self, minutes: i64) {
        self.app.clock.advance(TimeDelta::minutes(minutes));
    }
}

/// Check that an answer says to come again in so many seconds, and nothing more.
#[track_caller]
fn assert_limited(answer: TestResponse, seconds: u64) {
    assert_eq!(answer.header("retry-after"), Some(seconds.to_string().as_str()), "{}", answer.body);
    assert_eq!(answer.expect_error(429, "RATE_LIMIT_EXCEEDED"), json!(null));
}

#[tokio::test]
async fn five_wrong_logins_lock_an_account_for_the_right_password_too() {
    for kind in Kind::ALL {
        let given = given().await;
        given.fail(kind, 5).await;

        assert_limited(given.log_in(kind, "wrong").send().await, 15 * 60);
        assert_limited(given.log_in(kind, PASSWORD).send().await, 15 * 60);
    }
}

#[tokio::test]
async fn accounts_that_do_not_exist_are_locked_alike() {
    for kind in Kind::ALL {
        let given = given().await;
        let mut bodies = Vec::new();
        for name in [given.name(kind), "nobody"] {
            for _ in 0..5 {
                let answer = given.log_in_as(kind, name, "wrong").send().await;
                assert_eq!(answer.body, WRONG);
            }
            let locked = given.log_in_as(kind, name, PASSWORD).send().await;
            assert_eq!((locked.status.as_u16(), locked.header("retry-after")), (429, Some("900")));
            bodies.push(locked.body);
        }
        assert_eq!(bodies[0], bodies[1]);
    }
}

#[tokio::test]
async fn a_lock_is_over_after_15_minutes() {
    for kind in Kind::ALL {
        let given = given().await;
        given.fail(kind, 5).await;

        given.app.clock.advance(TimeDelta::minutes(15) - TimeDelta::milliseconds(1));
        assert_limited(given.log_in(kind, PASSWORD).send().await, 1);
        given.app.clock.advance(TimeDelta::milliseconds(1));
        given.log_in(kind, PASSWORD).send().await.expect(200);
    }
}

#[tokio::test]
async fn each_wrong_login_counts_for_15_minutes_of_its_own() {
    let given = given().await;
    for _ in 0..5 {
        given.fail(Kind::Admin, 1).await;
        given.minutes_later(3);
    }
    // The first one has just grown old; the second has 3 minutes to go.
    given.fail(Kind::Admin, 1).await;

    assert_limited(given.log_in(Kind::Admin, PASSWORD).send().await, 3 * 60);
    given.minutes_later(3);
    given.log_in(Kind::Admin, PASSWORD).send().await.expect(200);
}

#[tokio::test]
async fn what_is_refused_does_not_lengthen_the_lock() {
    let given = given().await;
    given.fail(Kind::Customer, 5).await;
    for _ in 0..14 {
        given.minutes_later(1);
        given.log_in(Kind::Customer, "wrong").send().await.expect_error(429, "RATE_LIMIT_EXCEEDED");
    }
    given.minutes_later(1);

    given.log_in(Kind::Customer, PASSWORD).send().await.expect(200);
}

#[tokio::test]
async fn a_right_login_clears_the_accounts_count() {
    let given = given().await;
    for kind in Kind::ALL {
        for address in ["198.51.100.1", "198.51.100.2", "198.51.100.3"] {
            for _ in 0..4 {
                assert_all_wrong(vec![given.log_in(kind, "wrong").from(address).send().await]);
            }
            given.log_in(kind, PASSWORD).send().await.expect(200);
        }
    }
}

/// A password that is right is not a wrong login, whatever else is in its way.
#[tokio::test]
async fn the_right_password_of_an_account_that_is_switched_off_does_not_count() {
    let given = given().await;
    given.sql("update admins set is_active = false").await;
    for _ in 0..6 {
        given.log_in(Kind::Admin, PASSWORD).send().await.expect_error(403, "ADMIN_INACTIVE");
    }
}

#[tokio::test]
async fn bad_input_does_not_count() {
    let given = given().await;
    for _ in 0..21 {
        given.log_in(Kind::Admin, "\u{0}").send().await.expect_error(400, "VALIDATION_ERROR");
    }
    given.log_in(Kind::Admin, PASSWORD).send().await.expect(200);
}

/// 503 tells nothing of a password, so it is no guess.
#[tokio::test]
async fn a_login_that_nobody_had_time_to_look_at_does_not_count() {
    let given = given().await;
    let passwords = &given.app.app.passwords;
    // Every place at work is taken, and every place in the queue.
    let (mut at_work, mut waiting) = (Vec::new(), Vec::new());
    loop {
        let mut turn = Box::pin(passwords.turn());
        match turn.as_mut().now_or_never() {
            Some(Ok(turn)) => at_work.push(turn),
            Some(Err(_)) => break,
            None => waiting.push(turn),
        }
    }
    for _ in 0..6 {
        given.log_in(Kind::Admin, PASSWORD).send().await.expect_error(503, "SERVICE_UNAVAILABLE");
    }
    drop((at_work, waiting));

    given.log_in(Kind::Admin, PASSWORD).send().await.expect(200);
}

#[tokio::test]
async fn another_account_is_not_locked() {
    let given = given().await;
    let other = given.app.store().await;
    given.app.table(&given.store, "2").await;
    given.app.table(&other, "창가 1").await;
    given.app.table(&given.store, "admin").await;
    given.fail(Kind::Customer, 5).await;
    for _ in 0..5 {
        assert_all_wrong(vec![given.log_in_as(Kind::Admin, "admin", "wrong").send().await]);
    }

    given.log_in_as(Kind::Customer, "2", PASSWORD).send().await.expect(200);
    given.log_in_as(Kind::Customer, "admin", PASSWORD).send().await.expect(200);
    given.log_in(Kind::Admin, PASSWORD).send().await.expect(200);
    let body = json!({"store_id": other.id, "table_number": "창가 1", "password": PASSWORD});
    given.app.post("/api/customer/auth/login").json(body).send().await.expect(200);
}

#[tokio::test]
async fn an_account_is_locked_wherever_the_guesses_come_from() {
    let given = given().await;
    for i in 1..=5 {
        let request = given.log_in(Kind::Admin, "wrong").from(&format!("198.51.100.{i}"));
        assert_all_wrong(vec![request.send().await]);
    }

    let request = given.log_in(Kind::Admin, PASSWORD).from("198.51.100.6");

    assert_limited(request.send().await, 15 * 60);
}

#[tokio::test]
async fn white_space_around_a_table_number_gives_no_more_guesses() {
    let given = given().await;
    for number in ["창가 1", " 창가 1", "창가 1 ", "\t창가 1", "\u{3000}창가 1"] {
        assert_all_wrong(vec![given.log_in_as(Kind::Customer, number, "wrong").send().await]);
    }

    assert_limited(given.log_in_as(Kind::Customer, "  창가 1", "wrong").send().await, 15 * 60);
}

#[tokio::test]
async fn twenty_wrong_logins_lock_an_address_and_no_other() {
    let given = given().await;
    given.fail_from("198.51.100.7", 20).await;
    for kind in Kind::ALL {
        assert_limited(given.log_in(kind, PASSWORD).from("198.51.100.7").send().await, 15 * 60);
        given.log_in(kind, PASSWORD).from("198.51.100.8").send().await.expect(200);
        given.log_in(kind, PASSWORD).from("2001:db8::7").send().await.expect(200);
    }

    given.app.clock.advance(TimeDelta::minutes(15) - TimeDelta::milliseconds(1));
    assert_limited(given.log_in(Kind::Admin, PASSWORD).from("198.51.100.7").send().await, 1);
    given.app.clock.advance(TimeDelta::milliseconds(1));
    given.log_in(Kind::Admin, PASSWORD).from("198.51.100.7").send().await.expect(200);
}

#[tokio::test]
async fn a_header_does_not_make_another_address() {
    let given = given().await;
    given.fail_from("198.51.100.7", 20).await;
    for header in ["x-forwarded-for", "x-real-ip", "forwarded", "cloudfront-viewer-address"] {
        let request = given.log_in(Kind::Admin, PASSWORD).from("198.51.100.7").header(header, "192.0.2.9:443");
        assert_limited(request.send().await, 15 * 60);
    }
}

/// Or whoever knows one password could guess all others.
#[tokio::test]
async fn a_right_login_does_not_clear_the_addresss_count() {
    let given = given().await;
    given.fail_from("198.51.100.7", 19).await;
    given.log_in(Kind::Admin, PASSWORD).from("198.51.100.7").send().await.expect(200);
    given.fail_from("198.51.100.7", 1).await;

    assert_limited(given.log_in(Kind::Admin, PASSWORD).from("198.51.100.7").send().await, 15 * 60);
}

#[tokio::test]
async fn an_address_that_is_locked_cannot_lock_accounts() {
    let given = given().await;
    given.fail_from("198.51.100.7", 20).await;
    for kind in Kind::ALL {
        for _ in 0..6 {
            let request = given.log_in(kind, "wrong").from("198.51.100.7");
            assert_limited(request.send().await, 15 * 60);
        }
        given.log_in(kind, PASSWORD).send().await.expect(200);
    }
}

#[tokio::test]
async fn a_locked_account_does_not_count_against_the_address() {
    let given = given().await;
    given.fail(Kind::Admin, 5).await;
    for _ in 0..20 {
        assert_limited(given.log_in(Kind::Admin, "wrong").send().await, 15 * 60);
    }

    given.log_in(Kind::Customer, PASSWORD).send().await.expect(200);
}

#[tokio::test]
async fn who_is_logged_in_already_stays() {
    let given = given().await;
    for kind in Kind::ALL {
        given.fail(kind, 5).await;
        given.me(kind, given.token(kind)).await.expect(200);
    }
}
