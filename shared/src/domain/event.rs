//! What has happened, as it is told to screens.
//!
//! The event types are declared here once; streams, queues and documents are derived from this list.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::order::{Order, OrderStatus};
use super::{CategoryId, EventId, MenuId, OrderId, SessionId, StoreId, TableId, Timestamp};

macro_rules! event_types {
    ($(#[doc = $doc:literal] $name:ident => $routing_key:literal, $queue:literal);* $(;)?) => {
        /// The kinds of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventType {
            $(#[doc = $doc] $name,)*
        }

        impl EventType {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The kind with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|event_type| event_type.name() == name)
            }

            /// What has happened, in a sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => $doc.trim_ascii(),)*
                }
            }

            /// The kind's name, as in `event_type`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The routing key in the broker, and the event's name in a stream.
            pub fn routing_key(self) -> &'static str {
                match self {
                    $(Self::$name => $routing_key,)*
                }
            }

            /// The queue in the broker that takes events of this kind.
            pub fn queue(self) -> &'static str {
                match self {
                    $(Self::$name => $queue,)*
                }
            }
        }
    };
}

event_types! {
    /// A table placed an order.
    OrderCreated => "order.created", "order-created-queue";
    /// Staff moved an order on.
    OrderStatusChanged => "order.status_changed", "order-status-changed-queue";
    /// Staff deleted an order.
    OrderDeleted => "order.deleted", "order-deleted-queue";
    /// Staff closed a table's session.
    SessionCompleted => "session.completed", "session-completed-queue";
    /// A menu, a category or their order of display changed.
    MenuChanged => "menu.changed", "menu-changed-queue";
}

/// What happened, with everything a screen needs to show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event_type")]
pub enum Event {
    /// A table placed an order.
    OrderCreated {
        /// The whole order.
        order: Order,
    },
    /// Staff moved an order on.
    OrderStatusChanged {
        /// The whole order after the change.
        order: Order,
        /// The status before.
        old_status: OrderStatus,
        /// The status after.
        new_status: OrderStatus,
    },
    /// Staff deleted an order.
    OrderDeleted(OrderDeleted),
    /// Staff closed a table's session.
    SessionCompleted(SessionCompleted),
    /// A menu, a category or their order of display changed.
    MenuChanged(MenuChanged),
}

/// An order that is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderDeleted {
    /// The order.
    pub order_id: OrderId,
    /// Its table.
    pub table_id: TableId,
    /// That table's number.
    #[schema(examples("3"))]
    pub table_number: String,
    /// Above every version the order had.
    #[schema(minimum = 1, examples(2))]
    pub version: i32,
    /// Why, if staff said so.
    #[schema(required, examples("손님이 주문을 취소했습니다."))]
    pub reason: Option<String>,
    /// What the table's session comes to without it, in won.
    #[schema(minimum = 0, examples(16000))]
    pub table_total: i64,
}

/// A session that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionCompleted {
    /// The session.
    pub session_id: SessionId,
    /// Its table.
    pub table_id: TableId,
    /// That table's number.
    #[schema(examples("3"))]
    pub table_number: String,
    /// Orders moved to the history.
    #[schema(minimum = 0, examples(3))]
    pub archived_orders_count: i64,
    /// How many of them were neither served nor cancelled.
    #[schema(minimum = 0, examples(0))]
    pub unfinished_count: i64,
}

/// A change on the menu card: of one menu, its deletion, or (without a menu) of categories or the order of display.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples(
    json!({"menu_id": 1, "category_id": 1, "version": 2, "is_available": false, "price": 9000}),
    json!({"menu_id": 1, "deleted": true}),
    json!({"menu_id": null}),
))]
pub struct MenuChanged {
    /// The menu, or null: then load the whole card again.
    #[schema(required)]
    pub menu_id: Option<MenuId>,
    /// Its category.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub category_id: Option<CategoryId>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, examples(2))]
    pub version: Option<i32>,
    /// False while it is sold out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples(false))]
    pub is_available: Option<bool>,
    /// In won.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, examples(9000))]
    pub price: Option<i64>,
    /// True when the menu is gone; absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl MenuChanged {
    /// This menu is new or has changed.
    pub fn menu(menu: &super::menu::Menu) -> Self {
        Self {
            menu_id: Some(menu.id),
            category_id: Some(menu.category_id),
            version: Some(menu.version),
            is_available: Some(menu.is_available),
            price: Some(menu.price),
            deleted: false,
        }
    }

    /// This menu is gone.
    pub fn deleted(menu_id: MenuId) -> Self {
        Self { menu_id: Some(menu_id), deleted: true, ..Self::default() }
    }

    /// Categories or the order of display changed.
    pub fn card() -> Self {
        Self::default()
    }
}

impl Event {
    /// The event's kind.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::OrderCreated { .. } => EventType::OrderCreated,
            Self::OrderStatusChanged { .. } => EventType::OrderStatusChanged,
            Self::OrderDeleted(_) => EventType::OrderDeleted,
            Self::SessionCompleted(_) => EventType::SessionCompleted,
            Self::MenuChanged(_) => EventType::MenuChanged,
        }
    }

    /// The table whose guests may see the event; `None` for what every table of the store may see.
    pub fn table_id(&self) -> Option<TableId> {
        match self {
            Self::OrderCreated { order } | Self::OrderStatusChanged { order, .. } => Some(order.table_id),
            Self::OrderDeleted(deleted) => Some(deleted.table_id),
            Self::SessionCompleted(completed) => Some(completed.table_id),
            Self::MenuChanged(_) => None,
        }
    }

    /// What the event tells a newer or older version of, and which.
    ///
    /// `None` when there is nothing to compare: such an event always counts. The end of a thing is above every version.
    pub fn subject(&self) -> Option<(Subject, Version)> {
        match self {
            Self::OrderCreated { order } | Self::OrderStatusChanged { order, .. } => {
                Some((Subject::Order(order.id), Version::At(order.version)))
            }
            Self::OrderDeleted(deleted) => Some((Subject::Order(deleted.order_id), Version::End)),
            Self::SessionCompleted(completed) => Some((Subject::Session(completed.session_id), Version::End)),
            Self::MenuChanged(MenuChanged { menu_id: Some(menu_id), deleted: true, .. }) => {
                Some((Subject::Menu(*menu_id), Version::End))
            }
            Self::MenuChanged(change) => Some((Subject::Menu(change.menu_id?), Version::At(change.version?))),
        }
    }

    /// The session that an order event belongs to: once that is over, the event no longer counts.
    pub fn session_id(&self) -> Option<SessionId> {
        match self {
            Self::OrderCreated { order } | Self::OrderStatusChanged { order, .. } => Some(order.session_id),
            Self::OrderDeleted(_) | Self::SessionCompleted(_) | Self::MenuChanged(_) => None,
        }
    }
}

/// What an event tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An order.
    Order(OrderId),
    /// A table session.
    Session(SessionId),
    /// A menu.
    Menu(MenuId),
}

/// How new an event's news is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// The state with this version.
    At(i32),
    /// It is over; nothing comes after.
    End,
}

/// An event with where and when it happened, as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Envelope {
    /// Counted once by every consumer.
    pub event_id: EventId,
    /// The store it happened in.
    pub store_id: StoreId,
    /// When.
    pub timestamp: Timestamp,
    /// The request that it came of, as in its answer's `x-request-id`; absent where no request was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "01a1fd29-677f-7388-9c3e-4a1b2c3d4e5f")]
    pub request_id: Option<String>,
    /// What, with `event_type` and its fields beside the envelope's.
    #[serde(flatten)]
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_back_as_it_was_written() {
        let envelope = Envelope {
            event_id: EventId(uuid::Uuid::nil()),
            store_id: StoreId(uuid::Uuid::max()),
            timestamp: Timestamp::from_millis(0).unwrap(),
            request_id: None,
            event: Event::MenuChanged(MenuChanged::deleted(MenuId::new(7).unwrap())),
        };
        let text = serde_json::to_string(&envelope).unwrap();
        assert_eq!(
            text,
            "{\"event_id\":\"00000000-0000-0000-0000-000000000000\",\
             \"store_id\":\"ffffffff-ffff-ffff-ffff-ffffffffffff\",\"timestamp\":\"1970-01-01T00:00:00.000Z\",\
             \"event_type\":\"MenuChanged\",\"menu_id\":7,\"deleted\":true}"
        );
        assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), envelope);
    }

    #[test]
    fn a_change_of_the_card_has_a_null_menu_and_always_counts() {
        let event = Event::MenuChanged(MenuChanged::card());
        assert_eq!(serde_json::to_string(&event).unwrap(), "{\"event_type\":\"MenuChanged\",\"menu_id\":null}");
        assert_eq!(event.subject(), None);
    }

    #[test]
    fn the_end_is_above_every_version() {
        assert!(Version::End > Version::At(i32::MAX));
        assert!(Version::At(2) > Version::At(1));
    }
}
