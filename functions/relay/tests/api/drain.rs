//! From the outbox into RabbitMQ: every event, to its queue, once it is confirmed.

use futures_util::future::join_all;
use lapin::options::BasicNackOptions;
use serde_json::{Value, json};
use shared::domain::event::EventType;
use shared::events::topology::{ALL_ORDER_EVENTS, dead_letter_queue};
use shared::testing::outbox;

use crate::{given, nudge, relay_between};

#[tokio::test]
async fn every_event_reaches_the_queue_of_its_type_as_it_was_written() {
    let given = given().await;
    let table = given.app.table(&given.store, "1").await;
    let category = given.app.category(&given.store, "식사").await;
    let menu = given.app.menu(&given.store, category, "김치찌개", 9_000).await;
    let admin = &given.store.admin.token;
    let place = async || {
        let body = json!({"items": [{"menu_id": menu, "quantity": 1}]});
        given.app.post("/api/customer/orders").token(&table.token).json(body).send().await.expect(201)
    };
    let (first, second) = (place().await, place().await);
    let path = format!("/api/admin/orders/{}/status", first["id"]);
    given.app.patch(path).token(admin).json(json!({"status": "preparing"})).send().await.expect(200);
    given.app.delete(format!("/api/admin/orders/{}", second["id"])).token(admin).send().await.expect(200);
    let path = format!("/api/admin/tables/{}/complete-session", table.id);
    given.app.post(path).token(admin).send().await.expect(200);
    given.record(7).await;
    let written = outbox(&given.app).await;
    assert_eq!(written.len(), 6);

    let answer = given.relay.handle(&nudge()).await.unwrap();

    assert_eq!(answer, json!({"published": 6}));
    assert_eq!(given.waiting().await, 0);
    for event_type in EventType::ALL {
        let expected: Vec<_> = written.iter().filter(|event| event["event_type"] == event_type.name()).collect();
        assert!(!expected.is_empty(), "{event_type:?}");
        let deliveries = given.rabbitmq.take(event_type.queue()).await;
        assert_eq!(deliveries.len(), expected.len(), "{event_type:?}");
        for (delivery, expected) in deliveries.iter().zip(expected) {
            assert_eq!(&serde_json::from_slice::<Value>(&delivery.data).unwrap(), expected);
            assert_eq!(delivery.routing_key.as_str(), event_type.routing_key());
            let properties = &delivery.properties;
            let text = |value: &Option<lapin::types::ShortString>| value.as_ref().unwrap().to_string();
            assert_eq!(text(properties.message_id()), expected["event_id"].as_str().unwrap());
            assert_eq!(text(properties.kind()), event_type.name());
            assert_eq!(text(properties.content_type()), "application/json");
            assert_eq!(*properties.delivery_mode(), Some(2), "it must survive a restart of the broker");
        }
    }
    assert_eq!(given.rabbitmq.take(ALL_ORDER_EVENTS).await.len(), 4, "a look at the events of orders");
    assert_eq!(given.relay.handle(&nudge()).await.unwrap(), json!({"published": 0}));
}

#[tokio::test]
async fn a_message_that_its_queue_gives_up_goes_to_the_dead_letters_of_that_queue() {
    let given = given().await;
    given.record(1).await;
    given.relay.handle(&nudge()).await.unwrap();

    for event_type in EventType::ALL {
        let dead = given.rabbitmq.take(&dead_letter_queue(event_type.queue())).await;
        assert!(dead.is_empty(), "{event_type:?}");
    }
    let delivery = given.rabbitmq.get("menu-changed-queue").await.unwrap();
    delivery.nack(BasicNackOptions { requeue: false, ..BasicNackOptions::default() }).await.unwrap();

    let dead = given.rabbitmq.next("menu-changed-queue.dead", crate::PATIENCE).await;
    assert_eq!(dead.data, delivery.data);
    assert!(given.rabbitmq.take("menu-changed-queue").await.is_empty());
}

#[tokio::test]
async fn an_event_arrives_although_somebody_has_removed_the_binding_of_its_queue() {
    let given = given().await;
    given.keep_a_connection().await;
    for event_type in EventType::ALL {
        given.rabbitmq.unbind(*event_type).await;
    }
    let table = given.app.table(&given.store, "1").await;
    let category = given.app.category(&given.store, "식사").await;
    let menu = given.app.menu(&given.store, category, "김치찌개", 9_000).await;
    let body = json!({"items": [{"menu_id": menu, "quantity": 1}]});
    given.app.post("/api/customer/orders").token(&table.token).json(body).send().await.expect(201);

    given.relay.handle(&nudge()).await.unwrap();

    // The monitoring queue takes the event as well, so that RabbitMQ would have confirmed it all the same.
    assert_eq!(given.rabbitmq.take(ALL_ORDER_EVENTS).await.len(), 1);
    assert_eq!(given.rabbitmq.take("order-created-queue").await.len(), 1);
}

#[tokio::test]
async fn a_queue_that_was_deleted_comes_back_and_no_event_is_lost() {
    let given = given().await;
    given.keep_a_connection().await;
    given.rabbitmq.delete("menu-changed-queue").await;
    given.record(1).await;

    let failed = given.relay.handle(&nudge()).await;

    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(given.waiting().await, 1);
    assert_eq!(given.relay.handle(&nudge()).await.unwrap(), json!({"published": 1}));
    assert_eq!(given.menus().await, [1]);
}

#[tokio::test]
async fn an_event_that_no_queue_can_take_is_put_off_alone() {
    let given = given().await;
    given.record(1).await;
    sqlx::query("update outbox set event_type = 'Unheard'").execute(given.app.db()).await.unwrap();
    given.record(2).await;

    assert_eq!(given.relay.handle(&nudge()).await.unwrap(), json!({"published": 1}));

    assert_eq!(given.menus().await, [2]);
    let put_off: (i32, bool) =
        sqlx::query_as("select attempts, next_attempt_at > now() from outbox where published_at is null")
            .fetch_one(given.app.db())
            .await
            .unwrap();
    assert_eq!(put_off, (1, true));
}

#[tokio::test]
async fn an_event_waits_until_the_broker_is_there() {
    let given = given().await;
    given.record(1).await;
    let lost = relay_between(&given.app, "amqp://127.0.0.1:9");

    let error = lost.handle(&nudge()).await.unwrap_err();

    assert_eq!(error.code, shared::Code::ServiceUnavailable);
    assert_eq!(given.waiting().await, 1);
    let attempts: i32 = sqlx::query_scalar("select attempts from outbox").fetch_one(given.app.db()).await.unwrap();
    assert_eq!(attempts, 0, "an outage is not the event's fault");
    given.relay.handle(&nudge()).await.unwrap();
    assert_eq!(given.menus().await, [1]);
}

#[tokio::test]
async fn more_events_than_two_batches_go_out_once_and_two_relays_share_them() {
    let given = given().await;
    for menu_id in 1..=2_100 {
        given.record(menu_id).await;
    }
    let other = relay_between(&given.app, given.rabbitmq.url());

    let (nudge, twice) = (nudge(), [&given.relay, &other]);
    let answers = join_all(twice.map(|relay| relay.handle(&nudge))).await;

    let published: u64 = answers.iter().map(|answer| answer.as_ref().unwrap()["published"].as_u64().unwrap()).sum();
    assert_eq!(published, 2_100);
    assert_eq!(given.waiting().await, 0);
    assert_eq!(given.menus().await, Vec::from_iter(1..=2_100));
}

#[tokio::test]
async fn nothing_that_a_nudge_says_counts() {
    let given = given().await;
    let bodies = ["", "nudge", "{", "null", "{\"store_id\": 1}", "\u{0}", &"x".repeat(200_000)];
    for (number, body) in bodies.iter().enumerate() {
        given.record(number as i64 + 1).await;
        let event = json!({"Records": [{"body": body}, {"body": null}, 7]});
        assert_eq!(given.relay.handle(&event).await.unwrap(), json!({"published": 1}));
    }
    given.record(100).await;
    assert_eq!(given.relay.handle(&json!({"Records": "none"})).await.unwrap(), json!({"published": 1}));
    assert_eq!(given.menus().await.len(), bodies.len() + 1);
}
