//! The fan-out, on a database of Redis and a queue of its own for each test.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod applied;
mod parked;

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fanout::Handler;
use serde_json::{Value, json};
use shared::config::Config;
use shared::domain::StoreId;
use shared::events::feed::{Feed, Live, RedisFeed, Signal};
use shared::testing::{TestQueue, TestRedis, moment};
use uuid::Uuid;

/// What every test is given.
struct Given {
    redis: TestRedis,
    parked: TestQueue,
    fanout: Handler,
    store_id: StoreId,
    feed: Feed,
    /// The store's stream.
    live: Live,
}

async fn given() -> Given {
    let (redis, parked) = (TestRedis::create().await, TestQueue::create().await);
    let fanout = fanout_into(&redis.url(), parked.url());
    let store_id = StoreId(Uuid::from_bytes(shared::clock::random()));
    let feed = Feed::Redis(RedisFeed::new(redis.connect()));
    let now = moment("2026-02-09T03:00:00.000Z");
    let live = feed.subscribe(store_id, None, now).await.unwrap().live;
    Given { redis, parked, fanout, store_id, feed, live }
}

fn fanout_into(redis_url: &str, parked_queue_url: &str) -> Handler {
    let variables = [("REDIS_URL", redis_url), ("PARKED_QUEUE_URL", parked_queue_url)];
    let variables: HashMap<_, _> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Handler::new(&Config::read(&variables).unwrap()).unwrap()
}

/// A message as AWS hands it over.
fn message(data: &[u8]) -> Value {
    json!({
        "basicProperties": {
            "contentType": "application/json",
            "contentEncoding": null,
            "headers": {"x-note": {"bytes": [72, 105]}, "x-number": 10},
            "deliveryMode": 2,
            "priority": null,
            "correlationId": null,
            "replyTo": null,
            "expiration": null,
            "messageId": "018e0000-0000-7000-8000-000000000001",
            "timestamp": "Jan 1, 1970, 12:33:41 AM",
            "type": "MenuChanged",
            "userId": null,
            "appId": "table-order",
            "clusterId": null,
            "bodySize": data.len(),
        },
        "redelivered": false,
        "data": STANDARD.encode(data),
    })
}

/// A batch of one queue.
fn batch(messages: impl Into<Vec<Value>>) -> Value {
    of_queues(json!({"menu-changed-queue::/": messages.into()}))
}

fn of_queues(queues: Value) -> Value {
    json!({
        "eventSource": "aws:rmq",
        "eventSourceArn": "arn:aws:mq:ap-northeast-2:000000000000:broker:table-order:b-1",
        "rmqMessagesByQueue": queues,
    })
}

impl Given {
    /// A change of a menu's price to as many won as its version.
    fn change(&self, menu_id: i64, version: i32) -> Value {
        message(&serde_json::to_vec(&self.event(menu_id, version)).unwrap())
    }

    fn event(&self, menu_id: i64, version: i32) -> Value {
        json!({
            "event_id": Uuid::from_bytes(shared::clock::random()),
            "store_id": self.store_id,
            "timestamp": "2026-02-09T03:00:00.000Z",
            "event_type": "MenuChanged",
            "menu_id": menu_id,
            "category_id": 1,
            "version": version,
            "is_available": true,
            "price": version,
        })
    }

    /// The menus and versions that the store's stream shows next, up to a change of the whole card, which is sent for it.
    async fn shown(&mut self) -> Vec<(i64, i64)> {
        let mut card = self.event(1, 1);
        card["menu_id"] = Value::Null;
        let card = message(&serde_json::to_vec(&card).unwrap());
        self.fanout.handle(batch([card])).await.unwrap();
        let mut shown = Vec::new();
        loop {
            let Signal::Event(entry) = self.live.next().await.unwrap() else { panic!("the feed begins anew") };
            let frame = String::from_utf8(entry.frame.to_vec()).unwrap();
            let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            let Some(menu_id) = data["menu_id"].as_i64() else { return shown };
            shown.push((menu_id, data["version"].as_i64().unwrap()));
        }
    }
}
