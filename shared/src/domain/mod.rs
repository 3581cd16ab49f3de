//! The rules of the service as pure types and functions: no I/O, no HTTP, no clock of its own.
//!
//! Everything else in `shared` may use this module; it uses nothing of theirs.

pub mod account;
pub mod business_day;
pub mod event;
pub mod ids;
pub mod image;
pub mod menu;
pub mod order;
pub mod page;
pub mod placing;
pub mod store;
pub mod table;
pub mod text;
pub mod timestamp;

pub use ids::{
    AdminId, ArchivedItemId, CategoryId, EventId, ImageId, MenuId, OrderId, OrderItemId, SessionId, StoreId, TableId,
};
pub use timestamp::Timestamp;
