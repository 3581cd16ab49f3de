//! The feed that streams read.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use shared::clock::new_uuid;
use shared::domain::event::{Envelope, Event, MenuChanged, OrderDeleted, SessionCompleted};
use shared::domain::{EventId, MenuId, OrderId, SessionId, StoreId, TableId};
use shared::events::feed::{Entry, Feed, KEPT, MOST_BEHIND, RedisFeed, Signal, Subscription};
use shared::redis::{Patience, Redis};
use shared::testing::{TestRedis, Way, in_both_worlds};
use tokio::time::timeout;

use crate::{World, store};

/// After which a test that waits for an event has failed.
const GUARD: Duration = Duration::from_secs(20);

fn feed(world: &World) -> Feed {
    match world.connect() {
        Some(redis) => Feed::Redis(RedisFeed::new(redis)),
        None => Feed::local("test"),
    }
}

fn envelope(world: &World, store_id: StoreId, event: Event) -> Envelope {
    Envelope { event_id: EventId(new_uuid(world.now)), store_id, timestamp: world.now, request_id: None, event }
}

/// A change of the whole card: always news.
fn card(world: &World, store_id: StoreId) -> Envelope {
    envelope(world, store_id, Event::MenuChanged(MenuChanged::card()))
}

/// A menu in this version.
fn menu(world: &World, store_id: StoreId, version: i32) -> Envelope {
    let change = MenuChanged { menu_id: MenuId::new(7), version: Some(version), ..MenuChanged::default() };
    envelope(world, store_id, Event::MenuChanged(change))
}

/// The end of a table's session, of the same number.
fn session_completed(world: &World, store_id: StoreId, table: i64) -> Envelope {
    let completed = SessionCompleted {
        session_id: SessionId::new(table).unwrap(),
        table_id: TableId::new(table).unwrap(),
        table_number: table.to_string(),
        archived_orders_count: 1,
        unfinished_count: 0,
    };
    envelope(world, store_id, Event::SessionCompleted(completed))
}

/// An order of a session in this version.
fn order(world: &World, store_id: StoreId, session: i64, version: i32) -> Envelope {
    let order = serde_json::json!({
        "id": 42, "order_number": 1, "business_date": "2026-02-09", "table_id": session, "table_number": "1",
        "session_id": session, "status": "preparing", "items": [], "total_price": 9000, "note": "두 줄\n메모",
        "version": version, "created_at": world.now, "updated_at": world.now,
    });
    let order = serde_json::from_value(order).unwrap();
    envelope(world, store_id, Event::OrderCreated { order })
}

fn order_deleted(world: &World, store_id: StoreId, version: i32) -> Envelope {
    let deleted = OrderDeleted {
        order_id: OrderId::new(42).unwrap(),
        table_id: TableId::new(1).unwrap(),
        table_number: "1".into(),
        version,
        reason: None,
        table_total: 0,
    };
    envelope(world, store_id, Event::OrderDeleted(deleted))
}

async fn append(feed: &Feed, world: &World, events: &[Envelope]) -> usize {
    feed.append(events, world.now).await.unwrap()
}

async fn subscribe(feed: &Feed, world: &World, store_id: StoreId, left_at: Option<&str>) -> Subscription {
    feed.subscribe(store_id, left_at, world.now).await.unwrap()
}

async fn next(subscription: &mut Subscription) -> Signal {
    timeout(GUARD, subscription.live.next()).await.expect("nothing came").unwrap()
}

/// The next event.
async fn next_event(subscription: &mut Subscription) -> Arc<Entry> {
    match next(subscription).await {
        Signal::Event(entry) => entry,
        Signal::Resync(position) => panic!("resync at {position}"),
    }
}

/// The id of the event that a frame shows.
fn shown(entry: &Entry) -> String {
    let frame = std::str::from_utf8(&entry.frame).unwrap();
    let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    serde_json::from_str::<serde_json::Value>(data).unwrap()["event_id"].as_str().unwrap().to_owned()
}

fn ids(events: &[Envelope]) -> Vec<String> {
    events.iter().map(|event| event.event_id.to_string()).collect()
}

in_both_worlds! {
    async fn an_event_goes_over_the_wire_as_it_is_described(world: World) {
        let (feed, store) = (feed(&world), store());
        let mut reader = subscribe(&feed, &world, store, None).await;
        let event = order(&world, store, 3, 1);
        append(&feed, &world, std::slice::from_ref(&event)).await;
        let entry = next_event(&mut reader).await;
        assert_eq!(entry.table_id, TableId::new(3));
        assert_eq!(entry.position.epoch, reader.position.epoch);
        let data = serde_json::to_string(&event).unwrap();
        let expected = format!("id: {}-1\nevent: order.created\ndata: {data}\n\n", entry.position.epoch);
        assert_eq!(std::str::from_utf8(&entry.frame).unwrap(), expected);
    }

    async fn an_event_counts_once(world: World) {
        let (feed, store) = (feed(&world), store());
        let events = [card(&world, store), menu(&world, store, 1), session_completed(&world, store, 1)];
        assert_eq!(append(&feed, &world, &events).await, 3);
        assert_eq!(append(&feed, &world, &events).await, 0);
        let twice = card(&world, store);
        assert_eq!(append(&feed, &world, &[twice.clone(), twice]).await, 1);
    }

    async fn what_is_overtaken_is_dropped(world: World) {
        let (feed, store) = (feed(&world), store());
        assert_eq!(append(&feed, &world, &[menu(&world, store, 2), menu(&world, store, 1)]).await, 1);
        assert_eq!(append(&feed, &world, &[menu(&world, store, 2)]).await, 0, "another event of the same version");
        assert_eq!(append(&feed, &world, &[menu(&world, store, 10)]).await, 1, "compared as numbers");
        let gone = envelope(&world, store, Event::MenuChanged(MenuChanged::deleted(MenuId::new(7).unwrap())));
        assert_eq!(append(&feed, &world, &[gone, menu(&world, store, i32::MAX)]).await, 1);
    }

    async fn nothing_comes_after_the_end_of_an_order_or_of_its_session(world: World) {
        let (feed, store) = (feed(&world), store());
        let events = [order(&world, store, 1, 1), order_deleted(&world, store, 2), order(&world, store, 1, 3)];
        assert_eq!(append(&feed, &world, &events).await, 2);
        let store = self::store();
        assert_eq!(append(&feed, &world, &[session_completed(&world, store, 1), order(&world, store, 1, 1)]).await, 1);
        assert_eq!(append(&feed, &world, &[order(&world, store, 2, 1)]).await, 1, "of another session");
    }

    async fn a_store_never_sees_another(world: World) {
        let (feed, store, other) = (feed(&world), store(), store());
        let mut readers = [subscribe(&feed, &world, store, None).await, subscribe(&feed, &world, other, None).await];
        // Both stores' menu 7, in one batch.
        let events = [menu(&world, store, 1), menu(&world, other, 1)];
        assert_eq!(append(&feed, &world, &events).await, 2);
        for (reader, event) in readers.iter_mut().zip(&events) {
            assert_eq!(shown(&*next_event(reader).await), event.event_id.to_string());
            assert_eq!(reader.live.behind(), 0);
        }
    }

    async fn who_comes_back_gets_what_was_missed(world: World) {
        let (feed, store) = (feed(&world), store());
        let begun = subscribe(&feed, &world, store, None).await.position.to_string();
        let events: Vec<_> = (0..5).map(|_| card(&world, store)).collect();
        append(&feed, &world, &events).await;
        let all = subscribe(&feed, &world, store, Some(&begun)).await;
        let missed = all.missed.unwrap();
        assert_eq!(missed.iter().map(|entry| shown(entry)).collect::<Vec<_>>(), ids(&events));
        let from_third = subscribe(&feed, &world, store, Some(&missed[2].position.to_string())).await;
        assert_eq!(from_third.missed.unwrap().iter().map(|entry| shown(entry)).collect::<Vec<_>>(), ids(&events[3..]));
        let up_to_date = subscribe(&feed, &world, store, Some(&all.position.to_string())).await;
        assert!(up_to_date.missed.unwrap().is_empty());
        let new = subscribe(&feed, &world, store, None).await;
        assert!(new.missed.unwrap().is_empty());
    }

    async fn what_cannot_be_told_is_an_order_to_load_again(world: World) {
        let (feed, store) = (feed(&world), store());
        append(&feed, &world, &[card(&world, store)]).await;
        let position = subscribe(&feed, &world, store, None).await.position;
        let ahead = format!("{}-2", position.epoch);
        for left_at in ["another-1", ahead.as_str(), "", "-", "1", "x-y", "x-+1", "x-01"] {
            let again = subscribe(&feed, &world, store, Some(left_at)).await;
            assert!(again.missed.is_err(), "{left_at}");
            assert_eq!(again.position, position);
        }
    }

    async fn a_thousand_events_are_kept(world: World) {
        let (feed, store) = (feed(&world), store());
        let begun = subscribe(&feed, &world, store, None).await.position;
        let events: Vec<_> = (0..=KEPT).map(|_| card(&world, store)).collect();
        for batch in events.chunks(100) {
            append(&feed, &world, batch).await;
        }
        assert!(subscribe(&feed, &world, store, Some(&begun.to_string())).await.missed.is_err());
        let first = format!("{}-1", begun.epoch);
        assert_eq!(subscribe(&feed, &world, store, Some(&first)).await.missed.unwrap().len(), KEPT);
    }

    async fn events_are_kept_for_an_hour(world: World) {
        let (feed, store) = (feed(&world), store());
        let begun = subscribe(&feed, &world, store, None).await.position;
        append(&feed, &world, &[card(&world, store)]).await;
        world.pass(TimeDelta::minutes(40)).await;
        append(&feed, &world, &[card(&world, store)]).await;
        assert_eq!(subscribe(&feed, &world, store, Some(&begun.to_string())).await.missed.unwrap().len(), 2);
        world.pass(TimeDelta::minutes(20)).await;
        assert!(subscribe(&feed, &world, store, Some(&begun.to_string())).await.missed.is_err());
        let first = format!("{}-1", begun.epoch);
        assert_eq!(subscribe(&feed, &world, store, Some(&first)).await.missed.unwrap().len(), 1);
        world.pass(TimeDelta::minutes(60)).await;
        assert!(subscribe(&feed, &world, store, Some(&first)).await.missed.is_err());
        let second = format!("{}-2", begun.epoch);
        assert!(subscribe(&feed, &world, store, Some(&second)).await.missed.unwrap().is_empty());
    }

    /// Readers that begin at any time, while events come, miss none and get none twice.
    async fn there_is_no_gap_between_what_was_missed_and_what_comes(world: World) {
        const EVENTS: usize = 200;
        let (feed, store) = (feed(&world), store());
        let begun = subscribe(&feed, &world, store, None).await.position.to_string();
        let events: Vec<_> = (0..EVENTS).map(|_| card(&world, store)).collect();
        let expected = ids(&events);
        let (now, writer) = (world.now, feed.clone());
        let writing = tokio::spawn(async move {
            for event in events {
                writer.append(&[event], now).await.unwrap();
            }
        });
        let readers: Vec<_> = (0..20).map(|_| {
            let (feed, begun) = (feed.clone(), begun.clone());
            tokio::spawn(async move {
                let mut reader = feed.subscribe(store, Some(&begun), now).await.unwrap();
                let mut got: Vec<_> = reader.missed.as_ref().unwrap().iter().map(|entry| shown(entry)).collect();
                while got.len() < EVENTS {
                    got.push(shown(&*next_event(&mut reader).await));
                }
                got
            })
        }).collect();
        for reader in readers {
            assert_eq!(reader.await.unwrap(), expected);
        }
        writing.await.unwrap();
    }
}

#[tokio::test]
async fn every_process_reads_what_any_of_them_appends() {
    let world = World::on_redis().await;
    let (one, another, store) = (feed(&world), feed(&world), store());
    let mut readers = [subscribe(&one, &world, store, None).await, subscribe(&another, &world, store, None).await];
    let event = card(&world, store);
    append(&feed(&world), &world, std::slice::from_ref(&event)).await;
    for reader in &mut readers {
        assert_eq!(shown(&*next_event(reader).await), event.event_id.to_string());
    }
    assert_eq!(append(&one, &world, std::slice::from_ref(&event)).await, 0, "another process has had it");
}

#[tokio::test]
async fn a_flushed_redis_makes_everybody_load_again() {
    let world = World::on_redis().await;
    let (feed, store) = (feed(&world), store());
    append(&feed, &world, &[card(&world, store), card(&world, store)]).await;
    let mut reader = subscribe(&feed, &world, store, None).await;
    world.redis.as_ref().unwrap().command::<()>(&["FLUSHDB"]).await;
    let event = card(&world, store);
    append(&feed, &world, std::slice::from_ref(&event)).await;
    let Signal::Resync(position) = next(&mut reader).await else { panic!("no resync") };
    assert_ne!(position.epoch, reader.position.epoch);
    assert!(subscribe(&feed, &world, store, Some(&reader.position.to_string())).await.missed.is_err());
    let event = card(&world, store);
    append(&feed, &world, std::slice::from_ref(&event)).await;
    assert_eq!(shown(&*next_event(&mut reader).await), event.event_id.to_string());
}

/// A replica that takes over has its data, but for the last moments, and another replication id.
#[tokio::test]
async fn another_server_with_the_same_data_makes_everybody_load_again() {
    let world = World::on_redis().await;
    let (feed, store) = (feed(&world), store());
    append(&feed, &world, &[card(&world, store)]).await;
    let mut reader = subscribe(&feed, &world, store, None).await;
    let position = format!("{{{store}}}:feed:position");
    world.redis.as_ref().unwrap().command::<i64>(&["HSET", &position, "server", "another"]).await;
    append(&feed, &world, &[card(&world, store)]).await;
    assert!(matches!(next(&mut reader).await, Signal::Resync(_)));
    assert!(subscribe(&feed, &world, store, Some(&reader.position.to_string())).await.missed.is_err());
}

#[tokio::test]
async fn streams_go_on_after_redis_was_down() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("streams-go-on");
    let mut server = private_services::redis::Server::start(&folder).await.unwrap();
    let world = World { redis: Some(TestRedis::at(&server.url())), ..World::local() };
    let (feed, store) = (feed(&world), store());
    append(&feed, &world, &[card(&world, store)]).await;
    let mut reader = subscribe(&feed, &world, store, None).await;
    server.kill().unwrap();
    feed.append(&[card(&world, store)], world.now).await.unwrap_err();
    server.restart().await.unwrap();
    // As the broker does: again until it is taken.
    let event = card(&world, store);
    while feed.append(std::slice::from_ref(&event), world.now).await.is_err() {}
    assert!(matches!(next(&mut reader).await, Signal::Resync(_)));
    let event = card(&world, store);
    append(&feed, &world, std::slice::from_ref(&event)).await;
    assert_eq!(shown(&*next_event(&mut reader).await), event.event_id.to_string());
    server.stop().unwrap();
}

#[tokio::test]
async fn what_was_published_while_a_connection_was_down_is_read_afterwards() {
    let world = World::on_redis().await;
    let (feed, store) = (feed(&world), store());
    let mut reader = subscribe(&feed, &world, store, None).await;
    for _ in 0..3 {
        cut_off(&world).await;
        let events = [card(&world, store), card(&world, store)];
        append(&feed, &world, &events).await;
        for event in &events {
            assert_eq!(shown(&*next_event(&mut reader).await), event.event_id.to_string());
        }
    }
}

/// The connection that the list is read on is as silent as the one that events come on, and need not be waited for.
#[tokio::test]
async fn what_was_published_since_redis_was_lost_without_a_word_is_read_afterwards() {
    let world = World::on_redis().await;
    let (appending, store) = (feed(&world), store());
    let way = Way::to(&world.redis.as_ref().unwrap().url()).await;
    let patience = Patience { answer: Duration::from_secs(60), ..Patience::WORK };
    let reading = Feed::Redis(RedisFeed::new(Redis::open(&way.url.as_str().into(), patience).unwrap()));
    let mut reader = subscribe(&reading, &world, store, None).await;

    way.lose_connections();

    let event = card(&world, store);
    append(&appending, &world, std::slice::from_ref(&event)).await;
    assert_eq!(shown(&*next_event(&mut reader).await), event.event_id.to_string());
}

#[tokio::test]
async fn more_than_a_reader_may_be_behind_is_an_order_to_load_again() {
    let world = World::on_redis().await;
    let (feed, store) = (feed(&world), store());
    let mut reader = subscribe(&feed, &world, store, None).await;
    let events: Vec<_> = (0..=MOST_BEHIND).map(|_| card(&world, store)).collect();
    cut_off(&world).await;
    append(&feed, &world, &events).await;
    let Signal::Resync(position) = next(&mut reader).await else { panic!("no resync") };
    assert_eq!(position.sequence, events.len() as u64);
}

/// Cut off whoever listens to this test's database.
async fn cut_off(world: &World) {
    let redis = world.redis.as_ref().unwrap();
    let clients: String = redis.command(&["CLIENT", "LIST", "TYPE", "pubsub"]).await;
    let own: String = redis.command(&["CLIENT", "INFO"]).await;
    for client in clients.lines().filter(|client| field(client, "db") == field(&own, "db")) {
        redis.command::<i64>(&["CLIENT", "KILL", "ID", field(client, "id")]).await;
    }
}

/// A field of what `CLIENT LIST` tells of a client.
fn field<'a>(client: &'a str, name: &str) -> &'a str {
    client.split_whitespace().find_map(|field| field.strip_prefix(&format!("{name}="))).unwrap()
}
