//! SQS and the timer reach the relay.

use serde_json::json;

use crate::{PATIENCE, given};

#[tokio::test]
async fn the_schedule_calls_at_once() {
    let mut given = given().await;

    let _running = given.run();

    let payload = given.invoked("relay").await;
    assert_eq!(payload["source"], "aws.scheduler");
    assert!(payload.get("Records").is_none(), "it must not be taken for a nudge");
}

#[tokio::test]
async fn a_nudge_arrives_as_aws_shows_it_and_is_gone_when_it_was_handled() {
    let mut given = given().await;
    let _running = given.run();
    given.invoked("relay").await;

    given.nudges.send("nudge").await;

    let payload = given.invoked("relay").await;
    let [record] = payload["Records"].as_array().unwrap().as_slice() else { panic!("{payload}") };
    assert_eq!(record["body"], "nudge");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert!(record["messageId"].is_string() && record["receiptHandle"].is_string(), "{record}");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], json!("1"));
    given.nudges.until_empty(PATIENCE).await;
}

#[tokio::test]
async fn a_nudge_that_the_relay_fails_on_is_kept() {
    let mut given = given().await;
    let running = given.run();
    given.invoked("relay").await;
    given.fail("relay", 2);

    // Before the second is read, the first is done with, one way or the other.
    for nudge in ["first", "second"] {
        given.nudges.send(nudge).await;
        assert_eq!(given.invoked("relay").await["Records"][0]["body"], nudge);
    }
    drop(running);

    assert_eq!(given.nudges.hidden().await, 2, "SQS gives them out again after their visibility time-out");
}
