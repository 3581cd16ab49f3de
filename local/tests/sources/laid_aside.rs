//! What the fan-out parked and what RabbitMQ's queues gave up: to be seen and sent again in one place.

use lapin::BasicProperties;
use lapin::options::BasicNackOptions;
use local::laid_aside::LaidAside;
use secrecy::SecretString;
use serde_json::json;
use shared::events::parked::Parked;
use shared::testing::{TestQueue, TestRabbitMq};

use crate::{PATIENCE, given};

async fn find(rabbitmq: &TestRabbitMq, parked: &TestQueue) -> LaidAside {
    LaidAside::find(&SecretString::from(rabbitmq.url()), parked.url()).await.unwrap()
}

fn seen(laid_aside: &LaidAside) -> Vec<(&'static str, Option<&str>, Option<&str>, String)> {
    let messages = laid_aside.messages.iter();
    let mut seen: Vec<_> = messages
        .map(|message| {
            let data = String::from_utf8(message.data.clone()).unwrap();
            (message.place(), message.queue.as_deref(), message.message_id.as_deref(), data)
        })
        .collect();
    seen.sort();
    seen
}

fn parked(id: &str, data: &str) -> String {
    use base64::Engine;
    let data = base64::engine::general_purpose::STANDARD.encode(data);
    let queue = Some("order-created-queue".to_owned());
    serde_json::to_string(&Parked::new(queue, Some(id.to_owned()), "it is no event".to_owned(), data)).unwrap()
}

#[tokio::test]
async fn both_places_are_shown_in_one_list_and_left_as_they_are() {
    let given = given().await;
    let aside = TestQueue::create().await;
    aside.send(&parked("1", "bad")).await;
    let properties = BasicProperties::default().with_message_id("2".into());
    given.publish("menu-changed-queue", b"dead", properties).await;
    let delivery = given.rabbitmq.next("menu-changed-queue", PATIENCE).await;
    delivery.nack(BasicNackOptions { requeue: false, ..BasicNackOptions::default() }).await.unwrap();
    given.rabbitmq.until_there("menu-changed-queue.dead", PATIENCE).await;

    for _ in 0..2 {
        let laid_aside = find(&given.rabbitmq, &aside).await;
        assert_eq!(
            seen(&laid_aside),
            [
                ("dead", Some("menu-changed-queue"), Some("2"), "dead".to_owned()),
                ("parked", Some("order-created-queue"), Some("1"), "bad".to_owned()),
            ]
        );
        laid_aside.put_back().await.unwrap();
    }
}

#[tokio::test]
async fn a_message_is_sent_to_its_queue_again_and_gone_from_where_it_lay() {
    let given = given().await;
    let aside = TestQueue::create().await;
    aside.send(&parked("1", "mended")).await;
    aside.send(&parked("2", "not yet")).await;

    let laid_aside = find(&given.rabbitmq, &aside).await;
    let first = laid_aside.messages.iter().find(|message| message.message_id.as_deref() == Some("1")).unwrap();
    laid_aside.replay(first).await.unwrap();
    laid_aside.put_back().await.unwrap();

    let delivery = given.rabbitmq.next("order-created-queue", PATIENCE).await;
    assert_eq!(delivery.data, b"mended");
    assert_eq!(delivery.properties.message_id().as_ref().unwrap().as_str(), "1");
    let left = find(&given.rabbitmq, &aside).await;
    assert_eq!(seen(&left), [("parked", Some("order-created-queue"), Some("2"), "not yet".to_owned())]);
}

#[tokio::test]
async fn what_cannot_be_sent_again_stays() {
    let given = given().await;
    let aside = TestQueue::create().await;
    let cut = Parked::new(Some("order-created-queue".to_owned()), None, "too large".to_owned(), "eA==".repeat(100_000));
    aside.send(&serde_json::to_string(&cut).unwrap()).await;
    aside.send(&json!({"queue": null, "message_id": null, "reason": "no batch", "data": "e30="}).to_string()).await;
    aside.send(&parked("3", "x").replace("order-created-queue", "no-such-queue")).await;
    aside.send("not of the fan-out").await;

    let laid_aside = find(&given.rabbitmq, &aside).await;
    assert_eq!(laid_aside.messages.len(), 4);
    for message in &laid_aside.messages {
        laid_aside.replay(message).await.unwrap_err();
    }
    laid_aside.put_back().await.unwrap();

    assert_eq!(find(&given.rabbitmq, &aside).await.messages.len(), 4);
}
