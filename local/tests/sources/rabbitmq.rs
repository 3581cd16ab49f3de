//! RabbitMQ's queues reach the fan-out as AWS's event source mapping would bring them.

use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;
use shared::domain::event::EventType;

use crate::{given, messages};

#[tokio::test]
async fn a_message_arrives_as_aws_shows_it() {
    let mut given = given().await;
    let mut headers = FieldTable::default();
    headers.insert("note".into(), AMQPValue::LongString("Hi".into()));
    headers.insert("number".into(), AMQPValue::LongInt(10));
    headers.insert("flag".into(), AMQPValue::Boolean(true));
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_headers(headers)
        .with_message_id("018e0000-0000-7000-8000-000000000001".into())
        .with_timestamp(2_021)
        .with_type("OrderCreated".into());
    given.publish("order-created-queue", b"{}", properties).await;

    let _running = given.run();

    let payload = given.invoked("fanout").await;
    assert_eq!(
        payload,
        json!({
            "eventSource": "aws:rmq",
            "eventSourceArn": "arn:aws:mq:ap-northeast-2:000000000000:broker:table-order:b-local",
            "rmqMessagesByQueue": {
                "order-created-queue::/": [{
                    "basicProperties": {
                        "contentType": "application/json",
                        "contentEncoding": null,
                        "headers": {"flag": true, "note": {"bytes": [72, 105]}, "number": 10},
                        "deliveryMode": 2,
                        "priority": null,
                        "correlationId": null,
                        "replyTo": null,
                        "expiration": null,
                        "messageId": "018e0000-0000-7000-8000-000000000001",
                        "timestamp": "Jan 1, 1970, 12:33:41 AM",
                        "type": "OrderCreated",
                        "userId": null,
                        "appId": null,
                        "clusterId": null,
                        "bodySize": 2,
                    },
                    "redelivered": false,
                    "data": "e30=",
                }],
            },
        })
    );
}

#[tokio::test]
async fn every_queue_of_an_event_type_is_read() {
    let mut given = given().await;
    let _running = given.run();
    for event_type in EventType::ALL {
        given.publish(event_type.queue(), event_type.name().as_bytes(), BasicProperties::default()).await;
        let payload = given.invoked("fanout").await;
        assert_eq!(messages(&payload, event_type.queue()), [event_type.name()]);
    }
}

#[tokio::test]
async fn what_is_there_comes_in_batches_in_order_and_then_is_gone() {
    let mut given = given().await;
    for number in 0..250 {
        given.publish("menu-changed-queue", number.to_string().as_bytes(), BasicProperties::default()).await;
    }

    let running = given.run();

    let mut all = Vec::new();
    while all.len() < 250 {
        let batch = messages(&given.invoked("fanout").await, "menu-changed-queue");
        assert!(batch.len() <= 100, "{}", batch.len());
        all.extend(batch);
    }
    assert_eq!(all, Vec::from_iter((0..250).map(|number| number.to_string())));
    given.rabbitmq.until_empty("menu-changed-queue", crate::PATIENCE).await;
    drop(running);
    assert!(given.rabbitmq.get("menu-changed-queue").await.is_none(), "nothing comes back");
}

#[tokio::test]
async fn after_an_error_the_whole_batch_comes_again() {
    let mut given = given().await;
    given.fail("fanout", 2);
    for number in 0..3 {
        given.publish("menu-changed-queue", number.to_string().as_bytes(), BasicProperties::default()).await;
    }

    let _running = given.run();

    let (mut tries, mut taken, mut redelivered) = (0, Vec::new(), false);
    while taken.len() < 3 {
        let payload = given.invoked("fanout").await;
        tries += 1;
        if tries > 2 {
            taken.extend(messages(&payload, "menu-changed-queue"));
            let again = payload["rmqMessagesByQueue"]["menu-changed-queue::/"].as_array().unwrap();
            redelivered |= again.iter().any(|message| message["redelivered"] == true);
        }
    }
    taken.sort();
    assert_eq!(taken, ["0", "1", "2"], "all of them come until they are taken");
    assert!(redelivered, "a message that comes again says so");
    given.rabbitmq.until_empty("menu-changed-queue", crate::PATIENCE).await;
}

#[tokio::test]
async fn a_payload_stays_below_what_lambda_takes() {
    let mut given = given().await;
    // Long enough for all of them to be there.
    given.sources.window = Duration::from_secs(1);
    let (large, count) = ("x".repeat(1024 * 1024), 8);
    for _ in 0..count {
        given.publish("menu-changed-queue", large.as_bytes(), BasicProperties::default()).await;
    }

    let _running = given.run();

    let mut received = 0;
    while received < count {
        let payload = given.invoked("fanout").await;
        assert!(payload.to_string().len() < 6 * 1024 * 1024);
        received += messages(&payload, "menu-changed-queue").len();
    }
    assert_eq!(received, count);
}

#[tokio::test]
async fn a_queue_that_is_not_there_yet_is_read_as_soon_as_it_is() {
    let mut given = given().await;
    given.rabbitmq.delete("menu-changed-queue").await;
    let _running = given.run();
    // The others are read meanwhile.
    given.publish("order-created-queue", b"1", BasicProperties::default()).await;
    given.invoked("fanout").await;

    given.rabbitmq.declare().await;
    given.publish("menu-changed-queue", b"2", BasicProperties::default()).await;

    assert_eq!(messages(&given.invoked("fanout").await, "menu-changed-queue"), ["2"]);
}
