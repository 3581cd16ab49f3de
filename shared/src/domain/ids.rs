//! Identifiers, one type for each entity, so that an id of one kind does not fit where another is wanted.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! integer_ids {
    ($($(#[$doc:meta])* $name:ident = $example:literal),* $(,)?) => {$(
        $(#[$doc])*
        ///
        /// A positive 64-bit integer; anything else is refused where it is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = i64, minimum = 1, examples($example))]
        pub struct $name(i64);

        impl $name {
            /// The id with this value, or `None` below 1.
            pub fn new(value: i64) -> Option<Self> {
                (value >= 1).then_some(Self(value))
            }

            /// The bare number.
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = i64::deserialize(deserializer)?;
                Self::new(value).ok_or_else(|| de::Error::custom("must be a positive integer"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

integer_ids! {
    /// An admin's id, of a store or of the service.
    AdminId = 1,
    /// A menu category's id.
    CategoryId = 1,
    /// The id of one line of an archived order.
    ArchivedItemId = 71,
    /// A picture's id.
    ImageId = 5,
    /// A menu's id.
    MenuId = 1,
    /// An order's id.
    OrderId = 42,
    /// The id of one line of an order.
    OrderItemId = 71,
    /// A table session's id.
    SessionId = 7,
    /// A table's id (its number, which guests know, is a text).
    TableId = 3,
}

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident = $example:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(examples($example))]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

uuid_ids! {
    /// A store's id.
    StoreId = "11111111-1111-4111-8111-111111111111",
    /// An event's id: the outbox row's key, and what consumers count once.
    EventId = "019c3f7e-5b40-7d2a-9c3e-4a1b2c3d4e5f",
}
