//! What the function is woken by.

use serde_json::json;
use shared::testing::TestBuckets;

use crate::{PICTURE, given, handler, notification};

#[tokio::test]
async fn a_message_that_fails_stands_in_nobodys_way() {
    let given = given().await;
    let (image_id, key) = given.upload(PICTURE, PICTURE).await;
    let unreadable = [json!("no json"), json!({"Records": [{"s3": {}}]}), json!({"Event": "s3:Other"}), json!("")];
    let [first, second, third, fourth] = unreadable;

    let failed = given.tell_bodies(&[first, second, notification(&key), third, fourth]).await;

    assert_eq!(failed, [0, 1, 3, 4]);
    assert_eq!(given.image(image_id).await["status"], "ready");
}

/// S3 sends it when it is told where to send notifications.
#[tokio::test]
async fn the_test_event_is_done_with() {
    let given = given().await;
    let event =
        json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "uploads", "RequestId": "5582815E1AEA5ADF"});
    assert_eq!(given.tell_bodies(&[event]).await, Vec::<usize>::new());
}

#[tokio::test]
async fn keys_are_decoded() {
    let given = given().await;
    for (key, told) in [("a b+c", "a+b%2Bc"), ("그림", "%EA%B7%B8%EB%A6%BC")] {
        given.buckets.upload(key, PICTURE).await;
        given.tell(&[told]).await;
        assert_eq!(given.buckets.uploads().await, Vec::<String>::new(), "{told} is another key");
    }
    let broken = given.tell(&["%ff"]).await;
    assert_eq!(broken, [0]);
}

/// It comes again, and then everything is done.
#[tokio::test]
async fn without_s3_the_message_fails_and_nothing_changes() {
    let given = given().await;
    let (image_id, key) = given.upload(PICTURE, PICTURE).await;
    let cut_off = handler(&given.app, &TestBuckets::out_of_reach());
    let event = json!({"Records": [{"messageId": "one", "body": notification(&key).to_string()}]});

    let answer = cut_off.handle(event).await.unwrap();

    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "one"}]}));
    assert_eq!(given.image(image_id).await["status"], "pending");
    given.tell(&[&key]).await;
    assert_eq!(given.image(image_id).await["status"], "ready");
}

#[tokio::test]
async fn without_the_database_the_message_fails_and_the_original_stays() {
    let given = given().await;
    let (_, key) = given.upload(PICTURE, PICTURE).await;
    given.app.cut_off_database().await;
    assert_eq!(given.tell(&[&key]).await, [0]);
    assert_eq!(given.buckets.uploads().await, [key]);
}
