//! What RabbitMQ has not confirmed has not been published.

use std::path::Path;

use private_services::rabbitmq::Server;
use serde_json::json;
use shared::testing::TestApp;

use crate::{nudge, record_in, relay_between, waiting_in};

/// The broker takes what is sent, into its sockets' buffers, and confirms nothing.
#[tokio::test]
async fn an_event_waits_while_the_broker_stands_still() {
    let app = TestApp::start(orders::router()).await;
    let store = app.store().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broker-stands-still");
    let mut broker = Server::start(&folder).await.unwrap();
    let relay = relay_between(&app, &broker.url());
    record_in(&app, &store, 1).await;
    assert_eq!(relay.handle(&nudge()).await.unwrap(), json!({"published": 1}));

    broker.pause().unwrap();
    record_in(&app, &store, 2).await;
    let error = relay.handle(&nudge()).await.unwrap_err();

    assert_eq!(error.code, shared::Code::ServiceUnavailable);
    assert_eq!(waiting_in(&app).await, 1);
    broker.resume().unwrap();
    assert_eq!(relay.handle(&nudge()).await.unwrap(), json!({"published": 1}));
    assert_eq!(waiting_in(&app).await, 0);
    broker.stop().unwrap();
}
