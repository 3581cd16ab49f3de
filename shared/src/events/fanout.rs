//! What is done with an event that arrives: it goes into the feed, and what it outdates leaves the cache.

use super::feed::Feed;
use crate::cache::{Cache, Entity};
use crate::domain::Timestamp;
use crate::domain::event::{Envelope, Event};
use crate::error::Result;

/// Apply an event. Doing so twice is as good as once.
///
/// The handler that made the change has dropped the cache already; this makes good a drop that failed. It comes first, so
/// that whoever reacts to the event finds the new state.
pub async fn apply(feed: &Feed, cache: &Cache, envelope: Envelope, now: Timestamp) -> Result<()> {
    let outdated: &[Entity] = match &envelope.event {
        // Archived orders lose the id of a menu that is deleted.
        Event::MenuChanged(change) if change.deleted => &[Entity::Categories, Entity::Menus, Entity::OrderHistory],
        Event::MenuChanged(_) => &[Entity::Categories, Entity::Menus],
        Event::SessionCompleted(_) => &[Entity::OrderHistory],
        Event::OrderCreated { .. } | Event::OrderStatusChanged { .. } | Event::OrderDeleted(_) => &[],
    };
    cache.drop_all(envelope.store_id, outdated).await?;
    feed.append(&[envelope], now).await?;
    Ok(())
}
