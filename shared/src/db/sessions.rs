//! Table sessions. Callers hold the table's row (`tables::lock`), so that one table's sessions follow one another.

use sqlx::PgConnection;

use crate::domain::table::OpenSession;
use crate::domain::{SessionId, StoreId, TableId, Timestamp};
use crate::error::Result;
use crate::telemetry::queries::Named;

/// The table's open session.
pub async fn find_open(db: &mut PgConnection, store_id: StoreId, table_id: TableId) -> Result<Option<OpenSession>> {
    let session = sqlx::query_as!(
        OpenSession,
        r#"select id as "id: SessionId", started_at as "started_at: Timestamp"
           from table_sessions
           where store_id = $1 and table_id = $2 and ended_at is null"#,
        store_id as StoreId,
        table_id as TableId,
    )
    .fetch_optional(db)
    .named("sessions.find_open")
    .await?;
    Ok(session)
}

/// What became of a session's orders when it was closed.
#[derive(Debug)]
pub struct Archived {
    /// Orders moved to the history.
    pub orders_count: i64,
    /// How many of them were neither served nor cancelled.
    pub unfinished_count: i64,
    /// Their sum in won, cancelled ones left out.
    pub total_amount: i64,
}

/// Hold the session's orders still and sum them up, before [`close`] moves them.
pub async fn lock_orders(db: &mut PgConnection, store_id: StoreId, id: SessionId) -> Result<Archived> {
    let archived = sqlx::query_as!(
        Archived,
        r#"select count(*) as "orders_count!",
                  count(*) filter (where status not in ('served', 'cancelled')) as "unfinished_count!",
                  coalesce(sum(total_price) filter (where status <> 'cancelled'), 0)::bigint as "total_amount!"
           from (
               select status, total_price
               from orders
               where store_id = $1 and session_id = $2
               for update
           ) as held"#,
        store_id as StoreId,
        id as SessionId,
    )
    .fetch_one(db)
    .named("sessions.lock_orders")
    .await?;
    Ok(archived)
}

/// Close a session: its orders with their items move to the history, whatever their status.
pub async fn close(db: &mut PgConnection, store_id: StoreId, id: SessionId, now: Timestamp) -> Result<()> {
    // The menus first, as whoever deletes one does: the history refers to them, the orders then no longer do.
    sqlx::query!(
        "select id
         from menus
         where store_id = $1
           and id in (select i.menu_id from order_items i join orders o on o.id = i.order_id where o.session_id = $2)
         order by id
         for key share",
        store_id as StoreId,
        id as SessionId,
    )
    .fetch_all(&mut *db)
    .named("sessions.close_menus")
    .await?;
    sqlx::query!(
        "with closed as (
             update table_sessions
             set ended_at = $3
             where store_id = $1 and id = $2
         ),
         archived as (
             insert into order_history (
                 store_id, table_id, table_number, session_id, original_order_id, order_number, business_date, status,
                 note, total_price, order_created_at, archived_at
             )
             select o.store_id, o.table_id, t.table_number, o.session_id, o.id, o.order_number, o.business_date,
                    o.status, o.note, o.total_price, o.created_at, $3
             from orders o
             join tables t on t.id = o.table_id
             where o.store_id = $1 and o.session_id = $2
             order by o.id
             returning id, original_order_id
         ),
         archived_items as (
             insert into order_history_items (
                 order_history_id, menu_id, menu_name, quantity, unit_price, subtotal, note
             )
             select a.id, i.menu_id, i.menu_name, i.quantity, i.unit_price, i.subtotal, i.note
             from archived a
             join order_items i on i.order_id = a.original_order_id
             order by i.id
         )
         delete from orders where store_id = $1 and session_id = $2",
        store_id as StoreId,
        id as SessionId,
        now as Timestamp,
    )
    .execute(db)
    .named("sessions.close")
    .await?;
    Ok(())
}
