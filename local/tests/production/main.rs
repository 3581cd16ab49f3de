//! The shape of production, as `watch` starts it: real Lambda binaries under `cargo lambda watch`, RabbitMQ, SQS, Redis,
//! the stream container and the gateway. One start for all journeys: it takes longer than any of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod journeys;
mod running;
mod samples;

use futures_util::future::join_all;
use futures_util::{FutureExt, future::BoxFuture};

use crate::running::Running;

#[tokio::test]
async fn the_service_in_the_shape_of_production() {
    let running = Running::start().await;
    let journeys: [(&str, BoxFuture<'_, ()>); 7] = [
        ("an order's way", journeys::an_orders_way(&running).boxed()),
        ("an order sent again", journeys::an_order_sent_again(&running).boxed()),
        ("a change of the menu", journeys::a_change_of_the_menu(&running).boxed()),
        ("a picture", journeys::a_picture(&running).boxed()),
        ("an unreadable message", journeys::an_unreadable_message(&running).boxed()),
        ("health", journeys::health(&running).boxed()),
        ("samples", samples::every_function_answers_its_samples(&running).boxed()),
    ];
    let journeys = journeys.map(|(name, journey)| async move {
        let done = std::panic::AssertUnwindSafe(journey).catch_unwind().await;
        (name, done.is_ok())
    });
    let failed: Vec<_> = join_all(journeys).await.into_iter().filter(|(_, done)| !done).map(|(name, _)| name).collect();
    running.stop().await;
    assert!(failed.is_empty(), "failed, with what is said above: {failed:?}");
}
