//! Orders of closed sessions.

use sqlx::PgPool;
use sqlx::types::Json;

use crate::domain::order::{ArchivedItem, ArchivedOrder, OrderStatus};
use crate::domain::page::{Page, PageRequest};
use crate::domain::{OrderId, SessionId, StoreId, TableId, Timestamp};
use crate::error::Result;
use crate::telemetry::queries::Named;

/// A table's orders archived from one moment up to but without another, newest first.
pub async fn list(
    db: &PgPool,
    store_id: StoreId,
    table_id: TableId,
    (from, until): (Timestamp, Timestamp),
    page: PageRequest,
) -> Result<Page<ArchivedOrder>> {
    let total = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from order_history
           where store_id = $1 and table_id = $2 and archived_at >= $3 and archived_at < $4"#,
        store_id as StoreId,
        table_id as TableId,
        from as Timestamp,
        until as Timestamp,
    )
    .fetch_one(db)
    .named("history.list_count")
    .await?;
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
           where h.store_id = $1 and h.table_id = $2 and h.archived_at >= $3 and h.archived_at < $4
           order by h.archived_at desc, h.id desc
           limit $5 offset $6"#,
        store_id as StoreId,
        table_id as TableId,
        from as Timestamp,
        until as Timestamp,
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
    Ok(Page::new(orders, page, total))
}
