//! What a batch does when all is well, and when Redis or SQS is not there.

use serde_json::{Value, json};
use shared::Code;
use shared::cache::{Cache, Entity};
use shared::domain::event::EventType;
use shared::events::feed::Feed;
use shared::testing::moment;

use crate::{batch, fanout_into, given, of_queues};

#[tokio::test]
async fn a_batch_reaches_the_stream_of_its_store() {
    let mut given = given().await;
    let changes = [given.change(1, 1), given.change(2, 1), given.change(1, 2)];

    let answer = given.fanout.handle(batch(changes)).await.unwrap();

    assert_eq!(answer, json!({"applied": 3, "parked": 0}));
    assert_eq!(given.shown().await, [(1, 1), (2, 1), (1, 2)]);
}

#[tokio::test]
async fn messages_of_several_queues_and_stores_count() {
    let mut given = given().await;
    let elsewhere = crate::given().await;
    let queues = json!({
        "menu-changed-queue::/": [given.change(1, 1), elsewhere.change(5, 1)],
        "order-created-queue::/": [given.change(2, 1)],
    });

    given.fanout.handle(of_queues(queues)).await.unwrap();

    assert_eq!(given.shown().await, [(1, 1), (2, 1)]);
}

#[tokio::test]
async fn a_batch_that_comes_again_changes_nothing() {
    let mut given = given().await;
    let batch = batch([given.change(1, 1), given.change(1, 2)]);

    for _ in 0..3 {
        given.fanout.handle(batch.clone()).await.unwrap();
    }

    assert_eq!(given.shown().await, [(1, 1), (1, 2)]);
}

#[tokio::test]
async fn what_was_overtaken_is_dropped() {
    let mut given = given().await;
    given.fanout.handle(batch([given.change(1, 2)])).await.unwrap();

    given.fanout.handle(batch([given.change(1, 1)])).await.unwrap();

    assert_eq!(given.shown().await, [(1, 2)]);
}

#[tokio::test]
async fn a_change_drops_what_the_cache_has_of_it() {
    let given = given().await;
    let (cache, now) = (Cache::Redis(given.redis.connect()), moment("2026-02-09T03:00:00.000Z"));
    let look_up = async || cache.look_up(given.store_id, Entity::Menus, "all", now).await;
    let generation = look_up().await.generation.unwrap();
    cache.fill(given.store_id, Entity::Menus, "all", generation, "old".into(), now).await;
    assert!(look_up().await.body.is_some());

    given.fanout.handle(batch([given.change(1, 1)])).await.unwrap();

    assert!(look_up().await.body.is_none());
}

#[tokio::test]
async fn without_redis_the_batch_fails_as_a_whole_and_nothing_is_parked() {
    let mut given = given().await;
    let lost = fanout_into("redis://127.0.0.1:9", given.parked.url());
    let batch = batch([given.change(1, 1), json!({"data": "?"})]);

    let error = lost.handle(batch.clone()).await.unwrap_err();

    assert_eq!(error.code, Code::ServiceUnavailable);
    assert!(given.parked.take().await.is_empty(), "it will be, once, when Redis is back");
    given.fanout.handle(batch).await.unwrap();
    assert_eq!(given.parked.take().await.len(), 1);
    assert_eq!(given.shown().await, [(1, 1)]);
}

#[tokio::test]
async fn what_cannot_be_parked_comes_again_and_its_neighbours_count_once() {
    let mut given = given().await;
    let lost = fanout_into(&given.redis.url(), "http://127.0.0.1:9/1/nowhere");
    let batch = batch([given.change(1, 1), json!({"data": "?"}), given.change(2, 1)]);

    let error = lost.handle(batch.clone()).await.unwrap_err();

    assert_eq!(error.code, Code::ServiceUnavailable);
    given.fanout.handle(batch).await.unwrap();
    assert_eq!(given.parked.take().await.len(), 1);
    assert_eq!(given.shown().await, [(1, 1), (2, 1)]);
}

#[tokio::test]
async fn events_of_a_store_that_is_gone_stand_in_nobodys_way() {
    let mut given = given().await;
    let mut gone = given.event(1, 1);
    gone["store_id"] = json!("00000000-0000-4000-8000-000000000000");
    let gone = crate::message(&serde_json::to_vec(&gone).unwrap());

    let answer = given.fanout.handle(batch([gone, given.change(1, 1)])).await.unwrap();

    assert_eq!(answer, json!({"applied": 2, "parked": 0}));
    assert_eq!(given.shown().await, [(1, 1)]);
    assert!(matches!(given.feed, Feed::Redis(_)));
}

#[tokio::test]
async fn there_is_a_sample_of_every_event_type_and_it_counts() {
    let given = given().await;
    for event_type in EventType::ALL {
        let path = format!("{}/../../events/fanout.{}.json", env!("CARGO_MANIFEST_DIR"), event_type.routing_key());
        let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let message = &sample["rmqMessagesByQueue"][format!("{}::/", event_type.queue())][0];
        assert_eq!(message["basicProperties"]["type"], event_type.name());

        let answer = given.fanout.handle(sample.clone()).await.unwrap();

        assert_eq!(answer, json!({"applied": 1, "parked": 0}), "{event_type:?}");
    }
}
