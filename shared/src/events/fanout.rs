//! What is done with events that arrive: they go into the feed, and what they outdate leaves the cache.

use std::collections::BTreeMap;

use super::feed::Feed;
use crate::cache::{Cache, Entity};
use crate::domain::event::{Envelope, Event};
use crate::domain::{StoreId, Timestamp};
use crate::error::Result;

/// Apply events. Doing so twice is as good as once.
///
/// The handler that made the change has dropped the cache already; this makes good a drop that failed. It comes first, so
/// that whoever reacts to the event finds the new state.
pub async fn apply(feed: &Feed, cache: &Cache, events: &[Envelope], now: Timestamp) -> Result<()> {
    let mut outdated = BTreeMap::<StoreId, Vec<Entity>>::new();
    for envelope in events {
        let entities = outdated.entry(envelope.store_id).or_default();
        for entity in outdated_by(&envelope.event) {
            if !entities.contains(entity) {
                entities.push(*entity);
            }
        }
    }
    for (store_id, entities) in outdated.iter().filter(|(_, entities)| !entities.is_empty()) {
        cache.drop_all(*store_id, entities).await?;
    }
    feed.append(events, now).await?;
    Ok(())
}

fn outdated_by(event: &Event) -> &'static [Entity] {
    match event {
        // Archived orders lose the id of a menu that is deleted.
        Event::MenuChanged(change) if change.deleted => &[Entity::Categories, Entity::Menus, Entity::OrderHistory],
        Event::MenuChanged(_) => &[Entity::Categories, Entity::Menus],
        Event::SessionCompleted(_) => &[Entity::OrderHistory],
        Event::OrderCreated { .. } | Event::OrderStatusChanged { .. } | Event::OrderDeleted(_) => &[],
    }
}
