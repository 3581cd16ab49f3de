//! What cannot be read: parked with its reason, never a loop, never a lost neighbour.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{batch, given, message, of_queues};

#[tokio::test]
async fn a_message_that_cannot_be_read_is_parked_and_its_neighbours_count() {
    let mut given = given().await;
    let good = serde_json::to_vec(&given.event(1, 1)).unwrap();
    let mut unheard = given.event(1, 2);
    unheard["event_type"] = json!("MenuSold");
    let mut storeless = given.event(1, 2);
    storeless["store_id"] = json!("the one at the corner");
    let not_base64 = json!({"basicProperties": {"priority": null}, "data": "이것은 base64가 아닙니다"});
    let cases = [
        (not_base64, "its data is no base64"),
        (json!({"basicProperties": {}, "data": "QUJD*"}), "its data is no base64"),
        (json!({"basicProperties": {}}), "it has no data"),
        (json!({"basicProperties": {}, "data": 7}), "it has no data"),
        (json!("a text"), "it has no data"),
        (json!(null), "it has no data"),
        (message(b""), "it is no event: EOF"),
        (message(b"not JSON"), "it is no event"),
        (message(b"{}"), "it is no event: missing field"),
        (message(b"[1, 2]"), "it is no event"),
        (message(&[0xff, 0xfe]), "it is no event"),
        (message(&good[..good.len() / 2]), "it is no event: EOF"),
        (message(format!("{{\"x\":{}", "[".repeat(10_000)).as_bytes()), "it is no event: recursion limit"),
        (message(unheard.to_string().as_bytes()), "it is no event: unknown variant `MenuSold`"),
        (message(storeless.to_string().as_bytes()), "it is no event: UUID"),
    ];
    for (number, (bad, reason)) in cases.into_iter().enumerate() {
        let (before, after) = (given.change(number as i64 + 1, 1), given.change(number as i64 + 1, 2));

        let answer = given.fanout.handle(batch([before, bad.clone(), after])).await.unwrap();

        assert_eq!(answer, json!({"applied": 2, "parked": 1}), "{bad}");
        assert_eq!(given.shown().await.len(), 2, "{bad}");
        let [parked] = given.parked.take_json().await.try_into().unwrap();
        assert!(parked["reason"].as_str().unwrap().starts_with(reason), "{reason}: {}", parked["reason"]);
        assert_eq!(parked["queue"], "menu-changed-queue");
        if let Some(data) = bad["data"].as_str() {
            assert_eq!(parked["data"], data, "as it came");
        }
        assert_eq!(parked["message_id"], bad["basicProperties"]["messageId"]);
    }
}

#[tokio::test]
async fn messages_of_another_virtual_host_are_parked() {
    let mut given = given().await;
    let queues = json!({
        "menu-changed-queue::/": [given.change(1, 1)],
        "menu-changed-queue::staging": [given.change(2, 1), given.change(3, 1)],
    });

    let answer = given.fanout.handle(of_queues(queues)).await.unwrap();

    assert_eq!(answer, json!({"applied": 1, "parked": 2}));
    assert_eq!(given.shown().await, [(1, 1)]);
    for parked in given.parked.take_json().await {
        assert_eq!(parked["reason"], "it is of another virtual host: staging");
    }
}

#[tokio::test]
async fn a_payload_that_is_no_batch_is_parked_whole() {
    let given = given().await;
    let (no_event, no_queues) = ("it is no event of aws:rmq", "it has no rmqMessagesByQueue");
    let mut activemq = batch([given.change(1, 1)]);
    activemq["eventSource"] = json!("aws:mq");
    for (payload, reason) in [
        (json!({}), no_event),
        (Value::Null, no_event),
        (json!([]), no_event),
        (json!("{}"), no_event),
        (activemq, no_event),
        (json!({"Records": [{"eventSource": "aws:sqs", "body": "nudge"}]}), no_event),
        (json!({"eventSource": "aws:rmq"}), no_queues),
        (of_queues(Value::Null), no_queues),
        (of_queues(json!([])), no_queues),
        (of_queues(json!({"menu-changed-queue::/": {"data": ""}})), "menu-changed-queue::/ is no list of messages"),
    ] {
        let answer = given.fanout.handle(payload.clone()).await.unwrap();

        assert_eq!(answer, json!({"applied": 0, "parked": 1}), "{payload}");
        let [parked] = given.parked.take_json().await.try_into().unwrap();
        assert_eq!(parked["reason"], reason, "{payload}");
        let kept = STANDARD.decode(parked["data"].as_str().unwrap()).unwrap();
        assert!(!kept.is_empty(), "{payload}");
    }
}

#[tokio::test]
async fn a_batch_without_messages_is_nothing_to_do() {
    let given = given().await;
    for payload in [of_queues(json!({})), batch([])] {
        assert_eq!(given.fanout.handle(payload).await.unwrap(), json!({"applied": 0, "parked": 0}));
    }
    assert!(given.parked.take().await.is_empty());
}

#[tokio::test]
async fn of_a_message_of_6_mb_the_beginning_is_parked_and_its_neighbours_count() {
    let mut given = given().await;
    let huge = vec![b'x'; 6 * 1024 * 1024 / 4 * 3];
    let batch = batch([given.change(1, 1), message(&huge), given.change(2, 1)]);

    let answer = given.fanout.handle(batch).await.unwrap();

    assert_eq!(answer, json!({"applied": 2, "parked": 1}));
    let [parked] = given.parked.take_json().await.try_into().unwrap();
    assert_eq!(parked["cut"], true);
    assert!(STANDARD.decode(parked["data"].as_str().unwrap()).unwrap().starts_with(b"xxxx"));
    assert_eq!(given.shown().await, [(1, 1), (2, 1)]);
}

/// The reason quotes the message, which may be of what SQS refuses.
#[tokio::test]
async fn whatever_a_message_says_of_itself_can_be_parked() {
    let given = given().await;
    for event_type in ["가".repeat(300_000), "\u{ffff}\u{fffe}\u{1}".repeat(500)] {
        let mut unheard = given.event(1, 1);
        unheard["event_type"] = json!(event_type);
        let mut bad = message(unheard.to_string().as_bytes());
        bad["basicProperties"]["messageId"] = json!(event_type);
        let queue = format!("menu-changed-queue{event_type}::/");
        let queues = json!({ queue: [bad, "no message"], "menu-changed-queue::/": [given.change(1, 1)] });

        let answer = given.fanout.handle(of_queues(queues)).await.unwrap();

        assert_eq!(answer["parked"], 2);
        let parked = given.parked.take_json().await;
        assert!(parked.iter().all(|parked| parked["queue"].as_str().unwrap().starts_with("menu-changed-queue")));
    }
}

#[tokio::test]
async fn a_payload_of_6_mb_that_is_no_batch_is_parked_as_far_as_it_fits() {
    let given = given().await;

    given.fanout.handle(json!({"filling": "가".repeat(2 * 1024 * 1024)})).await.unwrap();

    let [parked] = given.parked.take_json().await.try_into().unwrap();
    assert_eq!(parked["cut"], true);
}
