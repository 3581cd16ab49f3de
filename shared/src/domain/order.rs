//! Orders, and how their status moves.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AdminId, ArchivedItemId, MenuId, OrderId, OrderItemId, SessionId, TableId, Timestamp};

/// Where an order stands in the kitchen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum OrderStatus {
    /// Placed, not begun.
    Pending,
    /// In the kitchen.
    Preparing,
    /// To be carried out.
    Ready,
    /// On the table. Final.
    Served,
    /// Will not be made. Final.
    Cancelled,
}

impl OrderStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Preparing, Self::Ready, Self::Served, Self::Cancelled];

    /// Where an order may go from here.
    pub fn allowed(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Preparing, Self::Cancelled],
            Self::Preparing => &[Self::Ready, Self::Cancelled],
            Self::Ready => &[Self::Served],
            Self::Served | Self::Cancelled => &[],
        }
    }

    /// Whether the order goes no further: served or cancelled.
    pub fn is_final(self) -> bool {
        self.allowed().is_empty()
    }
}

/// One line of an order: what was ordered, at the price it had then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderItem {
    /// The line's id.
    pub id: OrderItemId,
    /// The menu.
    pub menu_id: MenuId,
    /// The menu's name when it was ordered.
    #[schema(examples("김치찌개"))]
    pub menu_name: String,
    /// 1 to 100.
    #[schema(minimum = 1, maximum = 100, examples(2))]
    pub quantity: i32,
    /// The menu's price in won when it was ordered.
    #[schema(minimum = 1, examples(9000))]
    pub unit_price: i64,
    /// Quantity times unit price, in won.
    #[schema(minimum = 1, examples(18000))]
    pub subtotal: i64,
    /// What the guest asked for with this line.
    #[schema(required, examples("덜 맵게 해주세요."))]
    pub note: Option<String>,
}

/// An order of an open session, with its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// The order's id.
    pub id: OrderId,
    /// Counted from 1 per store and calendar day.
    #[schema(minimum = 1, examples(12))]
    pub order_number: i32,
    /// The store's calendar day on which it was placed.
    #[schema(examples("2026-02-10"))]
    pub business_date: NaiveDate,
    /// The table that ordered.
    pub table_id: TableId,
    /// That table's number.
    #[schema(examples("3"))]
    pub table_number: String,
    /// The party's session.
    pub session_id: SessionId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Its lines, in the order they were sent.
    pub items: Vec<OrderItem>,
    /// The sum of the lines, in won.
    #[schema(minimum = 1, examples(18000))]
    pub total_price: i64,
    /// What the guest asked for with the whole order.
    #[schema(required, examples("아이가 있어요."))]
    pub note: Option<String>,
    /// Counts up with every change; the greater one is newer.
    #[schema(minimum = 1, examples(1))]
    pub version: i32,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The status asked for cannot follow the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAllowed {
    /// The present status.
    pub from: OrderStatus,
    /// The status asked for.
    pub to: OrderStatus,
}

/// The order was served or cancelled and cannot be deleted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotDelete;

impl Order {
    /// Move on to another status, as a new version.
    pub fn change_status(&mut self, to: OrderStatus, now: Timestamp) -> Result<(), NotAllowed> {
        if !self.status.allowed().contains(&to) {
            return Err(NotAllowed { from: self.status, to });
        }
        self.status = to;
        self.version += 1;
        self.updated_at = now;
        Ok(())
    }

    /// Check that the order may be deleted: only before it is served or cancelled.
    pub fn can_delete(&self) -> Result<(), CannotDelete> {
        if self.status.is_final() { Err(CannotDelete) } else { Ok(()) }
    }
}

/// One change of an order's status: who, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusChange {
    /// The status before.
    pub from: OrderStatus,
    /// The status after.
    pub to: OrderStatus,
    /// Who changed it.
    pub admin: StatusChangeAdmin,
    /// When.
    pub at: Timestamp,
}

/// Who changed a status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusChangeAdmin {
    /// The admin's id.
    pub id: AdminId,
    /// The admin's username.
    #[schema(examples("admin"))]
    pub username: String,
}

/// One line of an archived order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArchivedItem {
    /// The line's id.
    pub id: ArchivedItemId,
    /// The menu; null once it is deleted.
    #[schema(required)]
    pub menu_id: Option<MenuId>,
    /// The menu's name when it was ordered.
    #[schema(examples("김치찌개"))]
    pub menu_name: String,
    /// 1 to 100.
    #[schema(minimum = 1, maximum = 100, examples(2))]
    pub quantity: i32,
    /// In won.
    #[schema(minimum = 1, examples(9000))]
    pub unit_price: i64,
    /// In won.
    #[schema(minimum = 1, examples(18000))]
    pub subtotal: i64,
    /// What the guest asked for with this line.
    #[schema(required, examples("덜 맵게 해주세요."))]
    pub note: Option<String>,
}

/// An order of a closed session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArchivedOrder {
    /// The id it had while its session was open.
    pub original_order_id: OrderId,
    /// Counted from 1 per store and calendar day.
    #[schema(minimum = 1, examples(12))]
    pub order_number: i32,
    /// The store's calendar day on which it was placed.
    #[schema(examples("2026-02-10"))]
    pub business_date: NaiveDate,
    /// The party's session.
    pub session_id: SessionId,
    /// The status it had when the session was closed.
    pub status: OrderStatus,
    /// Its lines.
    pub items: Vec<ArchivedItem>,
    /// In won.
    #[schema(minimum = 1, examples(18000))]
    pub total_price: i64,
    /// When it was placed.
    pub order_created_at: Timestamp,
    /// When its session was closed.
    pub archived_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order() -> Order {
        Order {
            id: OrderId::new(1).unwrap(),
            order_number: 1,
            business_date: NaiveDate::default(),
            table_id: TableId::new(1).unwrap(),
            table_number: "1".into(),
            session_id: SessionId::new(1).unwrap(),
            status: OrderStatus::Pending,
            items: vec![],
            total_price: 1,
            note: None,
            version: 1,
            created_at: Timestamp::from_millis(0).unwrap(),
            updated_at: Timestamp::from_millis(0).unwrap(),
        }
    }

    /// How far along the way a status is; every change must increase it.
    fn rank(status: OrderStatus) -> u8 {
        match status {
            OrderStatus::Pending => 0,
            OrderStatus::Preparing => 1,
            OrderStatus::Ready => 2,
            OrderStatus::Served | OrderStatus::Cancelled => 3,
        }
    }

    fn any_status() -> impl Strategy<Value = OrderStatus> {
        (0..OrderStatus::ALL.len()).prop_map(|i| OrderStatus::ALL[i])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// 2,000 random sequences of 60 requests: 120,000 steps. The status moves one way along the allowed steps, the
        /// version counts exactly the accepted ones, and a refused one changes nothing.
        #[test]
        fn status_moves_one_way(requests in prop::collection::vec(any_status(), 60)) {
            let mut order = order();
            for (step, to) in requests.into_iter().enumerate() {
                let before = order.clone();
                let now = Timestamp::from_millis(step as i64 + 1).unwrap();
                match order.change_status(to, now) {
                    Ok(()) => {
                        let step = (before.status, order.status);
                        prop_assert!(matches!(
                            step,
                            (OrderStatus::Pending, OrderStatus::Preparing | OrderStatus::Cancelled)
                                | (OrderStatus::Preparing, OrderStatus::Ready | OrderStatus::Cancelled)
                                | (OrderStatus::Ready, OrderStatus::Served)
                        ), "{step:?}");
                        prop_assert!(rank(order.status) > rank(before.status));
                        prop_assert_eq!(order.version, before.version + 1);
                        prop_assert_eq!(order.updated_at, now);
                    }
                    Err(refusal) => {
                        prop_assert_eq!(refusal, NotAllowed { from: before.status, to });
                        prop_assert_eq!(&order, &before);
                    }
                }
                prop_assert_eq!(order.can_delete().is_err(), matches!(order.status, OrderStatus::Served | OrderStatus::Cancelled));
            }
        }
    }
}
