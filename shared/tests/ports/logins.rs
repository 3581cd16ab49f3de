//! How many wrong logins an account and an address may have.

use std::net::IpAddr;

use chrono::TimeDelta;
use shared::auth::login_throttle::{AccountName, LoginThrottle};
use shared::domain::account::Role;
use shared::testing::in_both_worlds;

use crate::{World, about};

fn account(name: &str) -> AccountName {
    AccountName { role: Role::StoreAdmin, store_id: None, name: name.into() }
}

fn throttle(world: &World) -> LoginThrottle {
    LoginThrottle::new(world.connect())
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

in_both_worlds! {
    async fn an_account_has_five_guesses_in_fifteen_minutes_even_at_once(world: World) {
        let throttle = throttle(&world);
        let mut at_once = Vec::new();
        for _ in 0..5 {
            at_once.push(throttle.begin(account("a"), None, world.now).await.unwrap());
        }
        let refused = throttle.begin(account("a"), None, world.now).await.unwrap_err();
        assert_eq!(refused.until - refused.now, TimeDelta::seconds(2), "nothing was wrong yet");
        for attempt in at_once {
            attempt.wrong(world.now).await;
        }
        let refused = throttle.begin(account("a"), None, world.now).await.unwrap_err();
        assert!(about(refused.until - refused.now, 15 * 60), "{refused:?}");
        drop(throttle.begin(account("b"), None, world.now).await.unwrap());
        world.pass(TimeDelta::minutes(14)).await;
        throttle.begin(account("a"), None, world.now).await.unwrap_err();
        world.pass(TimeDelta::minutes(1)).await;
        drop(throttle.begin(account("a"), None, world.now).await.unwrap());
    }

    async fn a_login_without_a_verdict_was_no_guess_once_its_time_is_over(world: World) {
        let throttle = throttle(&world);
        for _ in 0..5 {
            for _ in 0..5 {
                let mut attempt = throttle.begin(account("a"), address("192.0.2.1"), world.now).await.unwrap();
                attempt.judge(world.now).await.unwrap();
            }
            world.pass(TimeDelta::seconds(15)).await;
        }
    }

    async fn a_right_login_clears_the_account_and_not_the_address(world: World) {
        let throttle = throttle(&world);
        let from = address("192.0.2.1");
        for guess in 0..19 {
            throttle.begin(account(&guess.to_string()), from, world.now).await.unwrap().wrong(world.now).await;
        }
        for _ in 0..4 {
            throttle.begin(account("right"), None, world.now).await.unwrap().wrong(world.now).await;
        }
        throttle.begin(account("right"), from, world.now).await.unwrap().right().await;
        throttle.begin(account("right"), from, world.now).await.unwrap().wrong(world.now).await;
        drop(throttle.begin(account("right"), None, world.now).await.unwrap());
        throttle.begin(account("new"), from, world.now).await.unwrap_err();
        drop(throttle.begin(account("new"), address("192.0.2.2"), world.now).await.unwrap());
    }

    async fn an_address_has_twenty_guesses_even_at_once(world: World) {
        let throttle = throttle(&world);
        let mut waiting = Vec::new();
        for name in 0..30 {
            waiting.push(throttle.begin(account(&name.to_string()), address("192.0.2.1"), world.now).await.unwrap());
        }
        waiting.pop().unwrap().wrong(world.now).await;
        let mut judged = 0;
        for attempt in &mut waiting {
            judged += usize::from(attempt.judge(world.now).await.is_ok());
        }
        assert_eq!((judged, waiting.len()), (19, 29));
    }

    async fn accounts_of_other_roles_and_stores_are_others(world: World) {
        let throttle = throttle(&world);
        let store = crate::store();
        for _ in 0..5 {
            throttle.begin(account("a"), None, world.now).await.unwrap().wrong(world.now).await;
        }
        throttle.begin(account("a"), None, world.now).await.unwrap_err();
        for other in [
            AccountName { role: Role::SuperAdmin, ..account("a") },
            AccountName { store_id: Some(store), ..account("a") },
            account("A"),
        ] {
            drop(throttle.begin(other, None, world.now).await.unwrap());
        }
    }
}
