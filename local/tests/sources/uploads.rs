//! S3's notifications and the timer reach the pictures' function.

use tokio::time::timeout;

use crate::{PATIENCE, given};

#[tokio::test]
async fn the_schedule_calls_at_once() {
    let mut given = given().await;
    let _running = given.run();
    assert_eq!(given.invoked("images").await["source"], "aws.scheduler");
}

#[tokio::test]
async fn of_a_batch_what_failed_is_kept() {
    let mut given = given().await;
    for body in ["good", "bad", "better"] {
        given.uploads.send(body).await;
    }
    let _running = given.run();
    let mut seen = 0;
    while seen < 3 {
        seen += given.invoked("images").await["Records"].as_array().map_or(0, Vec::len);
    }

    // SQS gives it out again after its visibility time-out.
    let one_is_left = async { while given.uploads.hidden().await != 1 {} };
    timeout(PATIENCE, one_is_left).await.expect("another number than one is left");
    given.uploads.send("last").await;
    given.invoked("images").await;
    assert!(given.uploads.hidden().await >= 1);
}

#[tokio::test]
async fn what_was_handled_is_gone() {
    let mut given = given().await;
    given.uploads.send("good").await;
    let _running = given.run();
    while given.invoked("images").await.get("Records").is_none() {}
    given.uploads.until_empty(PATIENCE).await;
}
