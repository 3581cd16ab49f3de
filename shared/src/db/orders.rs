//! Orders of open sessions.

use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::domain::order::{Order, OrderItem, OrderStatus, StatusChange, StatusChangeAdmin};
use crate::domain::page::{Page, PageRequest};
use crate::domain::{AdminId, EventId, OrderId, SessionId, StoreId, TableId, Timestamp};
use crate::error::{Code, Result};

use super::outbox::NewRow;
use crate::telemetry::queries::Named;

/// Selects whole orders with their items; the tail gives the rest of the statement after `from`.
macro_rules! select_orders {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query!(
            r#"select o.id as "id: OrderId", o.order_number, o.business_date, o.table_id as "table_id: TableId",
                      t.table_number, o.session_id as "session_id: SessionId", o.status as "status: OrderStatus",
                      o.total_price, o.note, o.version, o.created_at as "created_at: Timestamp",
                      o.updated_at as "updated_at: Timestamp",
                      (
                          select json_agg(i order by i.id)
                          from (
                              select i.id, i.menu_id, i.menu_name, i.quantity, i.unit_price, i.subtotal, i.note
                              from order_items i
                              where i.order_id = o.id
                          ) as i
                      ) as "items!: Json<Vec<OrderItem>>"
               from orders o
               join tables t on t.id = o.table_id "# + $tail
            $(, $argument)*
        )
        .map(|row| Order {
            id: row.id,
            order_number: row.order_number,
            business_date: row.business_date,
            table_id: row.table_id,
            table_number: row.table_number,
            session_id: row.session_id,
            status: row.status,
            items: row.items.0,
            total_price: row.total_price,
            note: row.note,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    };
}

/// The orders of a table's open session, newest first.
pub async fn list_for_table(
    db: &PgPool,
    store_id: StoreId,
    table_id: TableId,
    page: PageRequest,
) -> Result<Page<Order>> {
    let orders = select_orders!(
        "where o.store_id = $1 and o.table_id = $2 order by o.id desc limit $3 offset $4",
        store_id as StoreId,
        table_id as TableId,
        page.size,
        page.offset(),
    )
    .fetch_all(db)
    .named("orders.list_for_table")
    .await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from orders where store_id = $1 and table_id = $2"#,
        store_id as StoreId,
        table_id as TableId,
    )
    .fetch_one(db)
    .named("orders.list_for_table_count");
    super::page_of(orders, page, count).await
}

/// One order of a table's open session.
pub async fn find_for_table(db: &PgPool, store_id: StoreId, table_id: TableId, id: OrderId) -> Result<Order> {
    let order = select_orders!(
        "where o.store_id = $1 and o.table_id = $2 and o.id = $3",
        store_id as StoreId,
        table_id as TableId,
        id as OrderId,
    )
    .fetch_optional(db)
    .named("orders.find_for_table")
    .await?;
    order.ok_or(Code::OrderNotFound.into())
}

/// The orders of the store's open sessions, newest first, of one table or status if asked for.
pub async fn list(
    db: &PgPool,
    store_id: StoreId,
    table_id: Option<TableId>,
    status: Option<OrderStatus>,
) -> Result<Vec<Order>> {
    let orders = select_orders!(
        "where o.store_id = $1
           and ($2::bigint is null or o.table_id = $2)
           and ($3::text is null or o.status = $3)
         order by o.id desc",
        store_id as StoreId,
        table_id as Option<TableId>,
        status as Option<OrderStatus>,
    )
    .fetch_all(db)
    .named("orders.list")
    .await?;
    Ok(orders)
}

/// One order of the store's open sessions.
pub async fn find(db: impl PgExecutor<'_>, store_id: StoreId, id: OrderId) -> Result<Order> {
    let order = select_orders!("where o.store_id = $1 and o.id = $2", store_id as StoreId, id as OrderId)
        .fetch_optional(db)
        .named("orders.find")
        .await?;
    order.ok_or(Code::OrderNotFound.into())
}

/// One order, held until the transaction ends.
pub async fn lock(db: &mut PgConnection, store_id: StoreId, id: OrderId) -> Result<Order> {
    let order = select_orders!(
        "where o.store_id = $1 and o.id = $2 for no key update of o",
        store_id as StoreId,
        id as OrderId,
    )
    .fetch_optional(db)
    .named("orders.lock")
    .await?;
    order.ok_or(Code::OrderNotFound.into())
}

/// Store a new status with who and when, and its event: one statement. The order must be locked.
pub async fn record_status_change(
    db: &mut PgConnection,
    store_id: StoreId,
    order: &Order,
    from: OrderStatus,
    admin_id: AdminId,
    event: NewRow,
) -> Result<()> {
    sqlx::query!(
        "with changed as (
             update orders
             set status = $3, version = $4, updated_at = $5
             where store_id = $1 and id = $2
         ),
         recorded as (
             insert into order_status_changes (store_id, order_id, from_status, to_status, admin_id, changed_at)
             values ($1, $2, $6, $3, $7, $5)
         )
         insert into outbox (id, store_id, event_type, payload, created_at, next_attempt_at)
         values ($8, $1, $9, $10, $5, $5)",
        store_id as StoreId,
        order.id as OrderId,
        order.status as OrderStatus,
        order.version,
        order.updated_at as Timestamp,
        from as OrderStatus,
        admin_id as AdminId,
        event.id as EventId,
        event.event_type,
        event.payload,
    )
    .execute(db)
    .named("orders.record_status_change")
    .await?;
    Ok(())
}

/// An order's changes of status, oldest first.
pub async fn status_changes(db: &PgPool, store_id: StoreId, id: OrderId) -> Result<Vec<StatusChange>> {
    let changes = sqlx::query!(
        r#"select c.from_status as "from: OrderStatus", c.to_status as "to: OrderStatus",
                  c.admin_id as "admin_id: AdminId", a.username, c.changed_at as "at: Timestamp"
           from order_status_changes c
           join admins a on a.id = c.admin_id
           where c.store_id = $1 and c.order_id = $2
           order by c.id"#,
        store_id as StoreId,
        id as OrderId,
    )
    .map(|row| StatusChange {
        from: row.from,
        to: row.to,
        admin: StatusChangeAdmin { id: row.admin_id, username: row.username },
        at: row.at,
    })
    .fetch_all(db)
    .named("orders.status_changes")
    .await?;
    Ok(changes)
}

/// Delete an order. Returns what its session comes to without it, in won, cancelled orders left out.
pub async fn delete(db: &mut PgConnection, store_id: StoreId, order: &Order) -> Result<i64> {
    let table_total = sqlx::query_scalar!(
        r#"with deleted as (
               delete from orders where store_id = $1 and id = $2
           )
           select coalesce(sum(total_price), 0)::bigint as "total!"
           from orders
           where store_id = $1 and session_id = $3 and id <> $2 and status <> 'cancelled'"#,
        store_id as StoreId,
        order.id as OrderId,
        order.session_id as SessionId,
    )
    .fetch_one(db)
    .named("orders.delete")
    .await?;
    Ok(table_total)
}
