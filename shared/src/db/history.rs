//! Orders of closed sessions.

use chrono::NaiveDate;
use sqlx::PgPool;
use sqlx::types::Json;

use crate::domain::business_day::DateRange;
use crate::domain::order::{ArchivedItem, ArchivedOrder, OrderStatus};
use crate::domain::page::{Page, PageRequest};
use crate::domain::{OrderId, SessionId, StoreId, TableId, Timestamp};
use crate::error::{Code, Result};
use crate::telemetry::queries::Named;

/// The calendar day where a table is.
#[derive(Debug)]
pub struct Today {
    /// The day.
    pub date: NaiveDate,
    /// The store's time zone, by its IANA name.
    pub timezone: String,
}

/// The calendar day where a table of the store is.
pub async fn today(db: &PgPool, store_id: StoreId, table_id: TableId, now: Timestamp) -> Result<Today> {
    let today = sqlx::query_as!(
        Today,
        r#"select ($3 at time zone s.timezone)::date as "date!", s.timezone
           from tables t
           join stores s on s.id = t.store_id
           where t.store_id = $1 and t.id = $2"#,
        store_id as StoreId,
        table_id as TableId,
        now as Timestamp,
    )
    .fetch_optional(db)
    .named("history.today")
    .await?;
    today.ok_or(Code::TableNotFound.into())
}

/// A table's orders archived on these days of a time zone, newest first.
pub async fn list(
    db: &PgPool,
    store_id: StoreId,
    table_id: TableId,
    days: DateRange,
    timezone: &str,
    page: PageRequest,
) -> Result<Page<ArchivedOrder>> {
    let orders = sqlx::query!(
        r#"select h.original_order_id as "original_order_id: OrderId", h.order_number, h.business_date,
                  h.session_id as "session_id: SessionId", h.status as "status: OrderStatus", h.total_price,
                  h.order_created_at as "order_created_at: Timestamp", h.archived_at as "archived_at: Timestamp",
                  (
                      select json_agg(i order by i.id)
                      from (
                          select i.id, i.menu_id, i.menu_name, i.quantity, i.unit_price, i.subtotal, i.note
                          from order_history_items i
                          where i.order_history_id = h.id
                      ) as i
                  ) as "items!: Json<Vec<ArchivedItem>>"
           from order_history h
           where h.store_id = $1 and h.table_id = $2
             -- No zone is a day from UTC: what the index finds.
             and h.archived_at >= ($3::date - 1)::timestamp at time zone 'UTC'
             and h.archived_at < ($4::date + 2)::timestamp at time zone 'UTC'
             and (h.archived_at at time zone $5)::date between $3 and $4
           order by h.archived_at desc, h.id desc
           limit $6 offset $7"#,
        store_id as StoreId,
        table_id as TableId,
        days.from,
        days.to,
        timezone,
        page.size,
        page.offset(),
    )
    .map(|row| ArchivedOrder {
        original_order_id: row.original_order_id,
        order_number: row.order_number,
        business_date: row.business_date,
        session_id: row.session_id,
        status: row.status,
        items: row.items.0,
        total_price: row.total_price,
        order_created_at: row.order_created_at,
        archived_at: row.archived_at,
    })
    .fetch_all(db)
    .named("history.list")
    .await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from order_history
           where store_id = $1 and table_id = $2
             and archived_at >= ($3::date - 1)::timestamp at time zone 'UTC'
             and archived_at < ($4::date + 2)::timestamp at time zone 'UTC'
             and (archived_at at time zone $5)::date between $3 and $4"#,
        store_id as StoreId,
        table_id as TableId,
        days.from,
        days.to,
        timezone,
    )
    .fetch_one(db)
    .named("history.list_count");
    super::page_of(orders, page, count).await
}
