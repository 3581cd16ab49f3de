//! What guests and staff do, through the gateway.

use std::env;

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use reqwest::Method;
use serde_json::{Value, json};
use shared::rabbitmq;

use crate::running::Running;

/// From the tablet through the functions, the outbox, RabbitMQ, the fan-out, Redis and the stream to the board and back.
pub(crate) async fn an_orders_way(running: &Running) {
    let (admin, table) = (running.admin().await, running.table("1").await);
    let (mut board, mut tablet) = (running.stream("admin", &admin).await, running.stream("customer", &table).await);
    let body = json!({"items": [{"menu_id": 1, "quantity": 2}]});

    let order = running.ask(Method::POST, "/api/customer/orders", &table, Some(body)).await;

    let ours = |data: &Value| data["order"]["id"] == order["id"];
    assert_eq!(board.until("order.created", ours).await["order"], order);
    assert_eq!(tablet.until("order.created", ours).await["order"], order);
    let path = format!("/api/admin/orders/{}/status", order["id"]);
    running.ask(Method::PATCH, &path, &admin, Some(json!({"status": "preparing"}))).await;
    assert_eq!(board.until("order.status_changed", ours).await["new_status"], "preparing");
    assert_eq!(tablet.until("order.status_changed", ours).await["order"]["version"], 2);
    let path = format!("/api/admin/tables/{}/complete-session", order["table_id"]);
    running.ask(Method::POST, &path, &admin, None).await;
    let closed = |data: &Value| data["session_id"] == order["session_id"];
    assert_eq!(board.until("session.completed", closed).await["archived_orders_count"], 1);
    tablet.until("session.completed", closed).await;
}

/// The tablet lost the answer.
pub(crate) async fn an_order_sent_again(running: &Running) {
    let (admin, table) = (running.admin().await, running.table("2").await);
    let mut board = running.stream("admin", &admin).await;
    let place = async |key: &str| {
        let client = reqwest::Client::new();
        let request = client.post(running.at("/api/customer/orders")).bearer_auth(&table);
        let body = json!({"items": [{"menu_id": 1, "quantity": 1}]});
        request.header("idempotency-key", key).json(&body).send().await.unwrap().text().await.unwrap()
    };

    let (first, again, other) = (place("tap-1").await, place("tap-1").await, place("tap-2").await);

    assert_eq!(first, again);
    let (first, other): (Value, Value) = (serde_json::from_str(&first).unwrap(), serde_json::from_str(&other).unwrap());
    let of_table = |data: &Value| data["order"]["table_id"] == first["table_id"];
    assert_eq!(board.until("order.created", of_table).await["order"]["id"], first["id"]);
    assert_eq!(board.until("order.created", of_table).await["order"]["id"], other["id"], "the first came twice");
}

/// Sold out: guests see it at once.
pub(crate) async fn a_change_of_the_menu(running: &Running) {
    let (admin, table) = (running.admin().await, running.table("3").await);
    let mut tablet = running.stream("customer", &table).await;
    let menu = running.ask(Method::GET, "/api/customer/menus/2", &table, None).await;

    running.ask(Method::PATCH, "/api/admin/menus/2", &admin, Some(json!({"is_available": false}))).await;

    let change = tablet.until("menu.changed", |data| data["menu_id"] == 2).await;
    assert_eq!(change["is_available"], false);
    let menus = running.ask(Method::GET, "/api/customer/menus", &table, None).await;
    let changed = menus.as_array().unwrap().iter().find(|other| other["id"] == menu["id"]).unwrap();
    assert_eq!(changed["is_available"], false, "the cache has an old menu");
}

/// From an admin's browser through S3, its notification in SQS and the function to the guests' menu card.
pub(crate) async fn a_picture(running: &Running) {
    let (admin, table) = (running.admin().await, running.table("5").await);
    let mut tablet = running.stream("customer", &table).await;
    let file = include_bytes!("../../../functions/images/picture/tests/originals/progressive.jpg").as_slice();
    let sha256 = shared::hex(&shared::sha256(file));
    let body = json!({"content_type": "image/jpeg", "size": file.len(), "sha256": sha256});

    let announced = running.ask(Method::POST, "/api/admin/images", &admin, Some(body)).await;
    let image = json!({"image_id": announced["image_id"]});
    let menu = running.ask(Method::PATCH, "/api/admin/menus/3", &admin, Some(image)).await;
    let mut put = reqwest::Client::new().put(announced["upload"]["url"].as_str().unwrap()).body(file);
    let headers = announced["upload"]["headers"].as_object().unwrap();
    assert_eq!(
        headers.keys().collect::<Vec<_>>(),
        ["content-type", "x-amz-checksum-sha256"],
        "what is signed, and no more"
    );
    for (name, value) in headers {
        put = put.header(name, value.as_str().unwrap());
    }
    assert!(put.send().await.unwrap().status().is_success());

    let version = menu["version"].as_i64().unwrap();
    tablet.until("menu.changed", |data| data["menu_id"] == 3 && data["version"] == version + 1).await;
    let menu = running.ask(Method::GET, "/api/customer/menus/3", &table, None).await;
    let thumbnail = menu["thumbnail_url"].as_str().unwrap();
    assert!(thumbnail.starts_with(&running.at("/images/")), "{thumbnail} is not at the gateway");
    let picture = reqwest::get(thumbnail).await.unwrap();
    assert_eq!(picture.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(&picture.bytes().await.unwrap()[..3], b"\xff\xd8\xff");
}

/// A message that nobody can read stands in nobody's way.
pub(crate) async fn an_unreadable_message(running: &Running) {
    let (admin, table) = (running.admin().await, running.table("4").await);
    let mut board = running.stream("admin", &admin).await;
    let connection = rabbitmq::connect(&env::var("RABBITMQ_URL").unwrap().into(), "test").await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let (exchange, key) = ("table-order-events".into(), "order.created".into());
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish(exchange, key, options, b"not an event", properties).await.unwrap().await.unwrap();

    let body = json!({"items": [{"menu_id": 1, "quantity": 1}]});
    let order = running.ask(Method::POST, "/api/customer/orders", &table, Some(body)).await;

    board.until("order.created", |data| data["order"]["id"] == order["id"]).await;
    assert!(events(&["list"]).await.contains("parked  order-created-queue"));
    assert!(events(&["replay"]).await.contains("Sent 1 again, left 0."));
}

/// What `events` prints with these arguments.
async fn events(arguments: &[&str]) -> String {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_table-order-local"));
    let parked = format!("{}/123456789012/fanout-parked", env::var("AWS_ENDPOINT_URL").unwrap());
    let output = command.arg("events").args(arguments).env("PARKED_QUEUE_URL", parked).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The relay has reached the broker.
pub(crate) async fn health(running: &Running) {
    let health = running.ask(Method::GET, "/health", "", None).await;
    assert_eq!(health, json!({"status": "ok", "checks": {"database": "ok", "redis": "ok", "rabbitmq": "ok"}}));
    let metrics = reqwest::get(running.at("/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("http_requests_total{"), "{metrics}");
    assert_eq!(reqwest::get(running.at("/nowhere")).await.unwrap().status(), 404);
}
