//! The nudge, in this process and through SQS: it arrives, and what goes wrong with it is nobody's concern.

use std::sync::Arc;
use std::time::Duration;

use shared::events::bus::Bus;
use shared::testing::TestQueue;
use tokio::sync::Notify;
use tokio::time::timeout;

#[tokio::test]
async fn a_nudge_reaches_the_relay_of_this_process() {
    let nudged = Arc::new(Notify::new());
    Bus::Local(nudged.clone()).nudge();
    timeout(Duration::from_secs(30), nudged.notified()).await.unwrap();
}

#[tokio::test]
async fn a_nudge_reaches_the_queue() {
    let queue = TestQueue::create().await;
    let bus = Bus::sqs(queue.url().to_owned());
    assert_eq!(nudge_until_it_arrives(&bus, &queue).await, ["nudge"]);
}

#[tokio::test]
async fn a_queue_that_fails_is_left_alone_for_5_s_and_nobody_is_told() {
    let missing = TestQueue::not_there_yet();
    let bus = Bus::sqs(missing.url().to_owned());
    nudge(&bus).await;
    missing.make().await;

    nudge(&bus).await;
    pass(Duration::from_secs(3)).await;
    nudge(&bus).await;
    assert!(missing.take().await.is_empty());

    pass(Duration::from_secs(3)).await;
    assert_eq!(nudge_until_it_arrives(&bus, &missing).await, ["nudge"]);
}

/// A nudge that has arrived, or been given up.
async fn nudge(bus: &Bus) {
    bus.nudge();
    bus.settled().await;
}

/// A nudge gives up after 500 ms, which a busy machine may need to make the client: try until one arrives.
async fn nudge_until_it_arrives(bus: &Bus, queue: &TestQueue) -> Vec<String> {
    let arrived = async {
        loop {
            nudge(bus).await;
            let bodies = queue.take().await;
            if !bodies.is_empty() {
                return bodies;
            }
            pass(Duration::from_secs(5)).await;
        }
    };
    timeout(Duration::from_secs(600), arrived).await.expect("no nudge arrives")
}

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
