//! What is left while Redis does not answer.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use shared::Code;
use shared::auth::login_throttle::{AccountName, LoginThrottle};
use shared::auth::tickets::Tickets;
use shared::auth::tokens::Claims;
use shared::cache::{Cache, Entity, Found};
use shared::db::owners::Owner;
use shared::domain::account::Role;
use shared::events::feed::{Feed, RedisFeed};
use shared::limiter::Limiter;
use shared::redis::{Patience, Redis, Unavailable};
use shared::testing::{HeldRedis, TestRedis, Way, detour};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use crate::{World, store};

/// Where nobody listens.
fn nowhere() -> Redis {
    Redis::open(&SecretString::from("redis://127.0.0.1:9"), Patience::REQUEST).unwrap()
}

#[tokio::test]
async fn requests_are_limited_by_each_process() {
    let (world, limiter) = (World::local(), Limiter::new(3, Some(nowhere())));
    for _ in 0..3 {
        limiter.check("a", world.now).await.unwrap();
    }
    let refused = limiter.check("a", world.now).await.unwrap_err();
    assert_eq!(refused.until - refused.now, TimeDelta::seconds(60));
}

#[tokio::test]
async fn logins_are_never_unlimited() {
    let (world, throttle) = (World::local(), LoginThrottle::new(Some(nowhere())));
    let account = || AccountName { role: Role::SuperAdmin, store_id: None, name: "a".into() };
    for _ in 0..5 {
        throttle.begin(account(), None, world.now).await.unwrap().wrong(world.now).await;
    }
    throttle.begin(account(), None, world.now).await.unwrap_err();
}

#[tokio::test]
async fn reads_go_to_the_database_each_time() {
    let (world, cache) = (World::local(), Cache::Redis(nowhere()));
    for value in [1, 2] {
        let body = cache.body((store(), Entity::Menus, "all"), world.now, async || Ok(value)).await.unwrap();
        assert_eq!(body, value.to_string());
    }
    cache.drop_all(store(), &[Entity::Menus]).await.unwrap_err();
}

#[tokio::test]
async fn tickets_and_streams_are_refused_for_now() {
    let (world, tickets) = (World::local(), Tickets::Redis(nowhere()));
    let owner = Owner { role: Role::StoreAdmin, id: 3, store_id: Some(store()) };
    let claims = Claims::new(owner, 1, world.now, TimeDelta::hours(16));
    assert_eq!(tickets.issue(claims.into(), world.now).await.unwrap_err().code, Code::ServiceUnavailable);
    assert_eq!(tickets.redeem("ticket", world.now).await.unwrap_err().code, Code::ServiceUnavailable);
    let feed = Feed::Redis(RedisFeed::new(nowhere()));
    assert_eq!(feed.subscribe(store(), None, world.now).await.unwrap_err().code, Code::ServiceUnavailable);
}

/// On a clock that moves by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn a_silent_redis_is_waited_for_a_tenth_of_a_second_and_then_left_alone_for_five() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = SecretString::from(format!("redis://{}", silent.local_addr().unwrap()));
    let (connected, mut connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((connection, _)) = silent.accept().await {
            connected.send(connection).unwrap();
        }
    });
    let limiter = Limiter::new(1_000, Some(Redis::open(&url, Patience::REQUEST).unwrap()));
    let tenth = Duration::from_millis(100)..Duration::from_millis(110);
    assert!(tenth.contains(&waits(&limiter).await));
    let _first = connections.recv().await.unwrap();
    for _ in 0..4 {
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(waits(&limiter).await, Duration::ZERO);
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    while connections.try_recv().is_ok() {}
    waits(&limiter).await;
    connections.recv().await.expect("it is not asked again");
}

const A_GLANCE: Range<Duration> = Duration::from_millis(5)..Duration::from_millis(10);
/// A busy machine may take longer for the first answer. For the others time is held still.
const PATIENCE: Patience = Patience { answer: Duration::from_secs(10), ..Patience::REQUEST };

/// A limiter whose Redis has answered once, and is silent now.
async fn limiter_of(redis: &HeldRedis, patience: Patience) -> (Limiter, Redis) {
    let connection = Redis::open(&redis.url.as_str().into(), patience).unwrap();
    let limiter = Limiter::new(usize::MAX, Some(connection.clone()));
    redis.answer(0);
    limiter.check("a", World::local().now).await.unwrap();
    (limiter, connection)
}

/// How long a request waits to be counted.
async fn waits(limiter: &Limiter) -> Duration {
    let begun = Instant::now();
    limiter.check("a", World::local().now).await.unwrap();
    begun.elapsed()
}

#[tokio::test]
async fn nobody_waits_longer_than_5_ms_to_be_counted() {
    let silent = HeldRedis::start().await;
    let (limiter, redis) = limiter_of(&silent, PATIENCE).await;
    tokio::time::pause();

    assert!(A_GLANCE.contains(&waits(&limiter).await));

    let begun = Instant::now();
    redis.settled().await;
    assert_eq!(begun.elapsed().as_secs(), 9);
    assert_eq!(waits(&limiter).await, Duration::ZERO);
}

/// An environment of Lambda is frozen with its answer, for who knows how long.
#[tokio::test]
async fn a_process_that_was_frozen_asks_again() {
    let silent = HeldRedis::start().await;
    let (limiter, redis) = limiter_of(&silent, PATIENCE).await;
    tokio::time::pause();
    waits(&limiter).await;

    tokio::time::advance(Duration::from_secs(60)).await;

    redis.settled().await;
    assert!(A_GLANCE.contains(&waits(&limiter).await));
}

#[tokio::test]
async fn a_cached_body_is_not_waited_for_either() {
    let silent = HeldRedis::start().await;
    let (_, redis) = limiter_of(&silent, PATIENCE).await;
    tokio::time::pause();
    let begun = Instant::now();

    let found = Cache::Redis(redis).look_up(store(), Entity::Menus, "all", World::local().now).await;

    assert_eq!(found, Found { body: None, generation: None });
    assert!(A_GLANCE.contains(&begun.elapsed()));
}

#[tokio::test]
async fn who_is_refused_too_late_is_refused_the_next_time() {
    let held = HeldRedis::start().await;
    let patience = Patience { glance: Duration::ZERO, answer: Duration::from_secs(60), rest: Duration::ZERO };
    let ((limiter, redis), now) = (limiter_of(&held, patience).await, World::local().now);

    limiter.check("a", now).await.unwrap();
    held.answer(60_000_000);
    redis.settled().await;

    let refused = limiter.check("a", now).await.unwrap_err();
    assert_eq!(refused.until - now, TimeDelta::seconds(60));
    limiter.check("b", now).await.unwrap();
    limiter.check("a", now + TimeDelta::seconds(60)).await.unwrap();
}

/// Its connections are as good as ever, as far as anybody here can tell.
#[tokio::test]
async fn a_redis_that_was_lost_without_a_word_is_asked_over_another_connection() {
    let way = Way::to(&TestRedis::create().await.url()).await;
    let (now, patience) = (World::local().now, Patience { answer: Duration::from_millis(500), ..Patience::WORK });
    let redis = || Redis::open(&way.url.as_str().into(), patience).unwrap();
    let (feed, health) = (Feed::Redis(RedisFeed::new(redis())), redis());
    let answers = async || {
        while feed.subscribe(store(), None, now).await.is_err() {}
        while health.ping().await.is_err() {}
    };
    answers().await;

    way.lose_connections();

    timeout(Duration::from_secs(30), answers()).await.expect("it is not asked again");
}

/// With TLS, and on a busy machine, the first connection may take longer than a request waits.
#[tokio::test]
async fn a_connection_that_takes_long_to_make_is_made_all_the_same_and_then_used() {
    let real = TestRedis::create().await;
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, url) = detour(&real.url(), slow.local_addr().unwrap());
    let redis = Redis::open(&url.into(), Patience::REQUEST).unwrap();
    let given_up = Arc::new(Notify::new());
    let go_on = given_up.clone();
    tokio::spawn(async move {
        let (mut connection, _) = slow.accept().await.unwrap();
        go_on.notified().await;
        let mut server = TcpStream::connect(address).await.unwrap();
        copy_bidirectional(&mut connection, &mut server).await
    });
    let ask = async || redis.ask(async |redis| redis::cmd("PING").exec_async(redis).await).await;

    assert_eq!(ask().await, Err(Unavailable));
    given_up.notify_one();

    // Well before the 5 s are over that Redis is left alone for after a failure.
    let used = async {
        while ask().await.is_err() {
            yield_now().await
        }
    };
    timeout(Duration::from_secs(4), used).await.expect("the connection is not used");
}
