//! Tables, and the sessions of the parties that sit at them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::order::Order;
use super::{SessionId, TableId, Timestamp};

/// A table with its tablet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Table {
    /// The table's id.
    pub id: TableId,
    /// What guests and staff call it: 1–20 characters, unique in the store.
    #[schema(examples("3"))]
    pub table_number: String,
    /// The open session, if a party has ordered.
    #[schema(required)]
    pub session: Option<OpenSession>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its number or password last changed.
    pub updated_at: Timestamp,
}

/// A party's stay that has begun with its first order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenSession {
    /// The session's id.
    pub id: SessionId,
    /// When the first order was placed.
    pub started_at: Timestamp,
}

/// A party's stay that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClosedSession {
    /// The session's id.
    pub id: SessionId,
    /// When the first order was placed.
    pub started_at: Timestamp,
    /// When staff closed it.
    pub ended_at: Timestamp,
}

/// One table on the staff's board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DashboardEntry {
    /// The table.
    pub table: Table,
    /// The latest three orders of its open session, newest first.
    pub orders: Vec<Order>,
    /// All orders of its open session, cancelled ones included.
    #[schema(minimum = 0, examples(1))]
    pub order_count: i64,
    /// Their sum in won, cancelled ones left out.
    #[schema(minimum = 0, examples(18000))]
    pub total_amount: i64,
}
