//! What is done with an event that arrives: it goes into the feed, and what it outdates leaves the cache.

use super::feed::Feed;
use crate::cache::{Cache, Entity};
use crate::domain::Timestamp;
use crate::domain::event::{Envelope, EventType};
use crate::error::Result;

/// Apply an event. Doing so twice is as good as once.
///
/// The handler that made the change has dropped the cache already; this makes good a drop that failed. It comes first, so
/// that whoever reacts to the event finds the new state.
pub async fn apply(feed: &Feed, cache: &Cache, envelope: &Envelope, now: Timestamp) -> Result<()> {
    let outdated: &[Entity] = match envelope.event.event_type() {
        EventType::MenuChanged => &[Entity::Categories, Entity::Menus],
        EventType::SessionCompleted => &[Entity::OrderHistory],
        EventType::OrderCreated | EventType::OrderStatusChanged | EventType::OrderDeleted => &[],
    };
    for &entity in outdated {
        cache.drop_all(envelope.store_id, entity).await;
    }
    feed.append(envelope, now).await?;
    Ok(())
}
