//! Orders of open sessions.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::domain::order::{Offer, Order, OrderItem, OrderStatus, PricedLine, StatusChange};
use crate::domain::page::{Page, PageRequest};
use crate::domain::{AdminId, EventId, MenuId, OrderId, OrderItemId, SessionId, StoreId, TableId, Timestamp};
use crate::error::{Code, Result};

use super::housekeeping::IDEMPOTENCY_LIFE;
use super::outbox::NewRow;

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

/// What was answered under an idempotency key.
#[derive(Debug)]
pub struct FirstAnswer {
    /// SHA-256 of the request, as it was understood.
    pub request_hash: Vec<u8>,
    /// The body of the 201, byte for byte.
    pub response: String,
}

/// Everything that decides whether an order can be placed.
#[derive(Debug)]
pub struct Basis {
    /// The table's open session.
    pub session_id: Option<SessionId>,
    /// What was answered under the same idempotency key.
    pub first_answer: Option<FirstAnswer>,
    /// What the store offers under the ids asked for.
    pub offers: HashMap<MenuId, Offer>,
}

/// Read what decides whether an order can be placed, in one query. The table must be locked.
pub async fn basis(
    db: &mut PgConnection,
    store_id: StoreId,
    table_id: TableId,
    idempotency_key: Option<&str>,
    menu_ids: &[MenuId],
    now: Timestamp,
) -> Result<Basis> {
    #[derive(Debug, Deserialize)]
    struct OfferRow {
        id: MenuId,
        name: String,
        price: i64,
        is_available: bool,
    }

    let row = sqlx::query!(
        r#"select s.id as "session_id?: SessionId", k.request_hash as "request_hash?", k.response as "response?",
                  m.offers as "offers!: Json<Vec<OfferRow>>"
           from (
               select coalesce(json_agg(offer), '[]') as offers
               from (
                   select id, name, price, is_available
                   from menus
                   where store_id = $1 and id = any($4)
                   -- What is ordered now cannot be deleted meanwhile.
                   for key share
               ) as offer
           ) as m
           left join table_sessions s on s.store_id = $1 and s.table_id = $2 and s.ended_at is null
           left join idempotency_keys k on k.table_id = $2 and k.key = $3 and k.created_at >= $5"#,
        store_id as StoreId,
        table_id as TableId,
        idempotency_key,
        menu_ids as &[MenuId],
        (now - IDEMPOTENCY_LIFE) as Timestamp,
    )
    .fetch_one(db)
    .await?;
    let first_answer = match (row.request_hash, row.response) {
        (Some(request_hash), Some(response)) => Some(FirstAnswer { request_hash, response }),
        _ => None,
    };
    let offers = row.offers.0.into_iter();
    let offers = offers.map(|row| (row.id, Offer { name: row.name, price: row.price, is_available: row.is_available }));
    Ok(Basis { session_id: row.session_id, first_answer, offers: offers.collect() })
}

/// An order that has been decided on.
#[derive(Debug)]
pub struct NewOrder {
    /// The table.
    pub table_id: TableId,
    /// The table's number.
    pub table_number: String,
    /// The table's open session; `None` opens one.
    pub session_id: Option<SessionId>,
    /// The store's calendar day.
    pub business_date: NaiveDate,
    /// The lines with the store's prices.
    pub lines: Vec<PricedLine>,
    /// Their sum in won.
    pub total_price: i64,
    /// What the guest asked for with the whole order.
    pub note: Option<String>,
}

/// Store an order with its items under the store's next number of the day, opening the session if need be: one statement.
///
/// The counter's row stays locked until the transaction ends, so the caller should commit soon.
pub async fn insert(db: &mut PgConnection, store_id: StoreId, new: NewOrder, now: Timestamp) -> Result<Order> {
    let menu_ids: Vec<_> = new.lines.iter().map(|line| line.menu_id).collect();
    let names: Vec<_> = new.lines.iter().map(|line| line.menu_name.as_str()).collect();
    let quantities: Vec<_> = new.lines.iter().map(|line| line.quantity).collect();
    let prices: Vec<_> = new.lines.iter().map(|line| line.unit_price).collect();
    let subtotals: Vec<_> = new.lines.iter().map(|line| line.subtotal).collect();
    let notes: Vec<_> = new.lines.iter().map(|line| line.note.as_deref()).collect();
    let placed = sqlx::query!(
        r#"with opened as (
               insert into table_sessions (store_id, table_id, started_at)
               select $1, $2, $7
               where $3::bigint is null
               returning id
           ),
           counter as (
               insert into order_counters (store_id, business_date, last_number)
               values ($1, $4, 1)
               on conflict on constraint order_counters_pkey
                   do update set last_number = order_counters.last_number + 1
               returning last_number
           ),
           placed as (
               insert into orders (
                   store_id, table_id, session_id, order_number, business_date, status, note, total_price, created_at,
                   updated_at
               )
               select $1, $2, coalesce($3, (select id from opened)), last_number, $4, 'pending', $5, $6, $7, $7
               from counter
               returning id, session_id, order_number
           ),
           items as (
               insert into order_items (order_id, menu_id, menu_name, quantity, unit_price, subtotal, note)
               select placed.id, line.menu_id, line.menu_name, line.quantity, line.unit_price, line.subtotal, line.note
               from placed
               cross join unnest($8::bigint[], $9::text[], $10::integer[], $11::bigint[], $12::bigint[], $13::text[])
                   with ordinality as line (menu_id, menu_name, quantity, unit_price, subtotal, note, position)
               order by line.position
               returning id
           )
           select placed.id as "id!: OrderId", placed.session_id as "session_id!: SessionId",
                  placed.order_number as "order_number!",
                  (select array_agg(id order by id) from items) as "item_ids!: Vec<OrderItemId>"
           from placed"#,
        store_id as StoreId,
        new.table_id as TableId,
        new.session_id as Option<SessionId>,
        new.business_date,
        new.note,
        new.total_price,
        now as Timestamp,
        &menu_ids as &[MenuId],
        &names as &[&str],
        &quantities,
        &prices,
        &subtotals,
        &notes as &[Option<&str>],
    )
    .fetch_one(db)
    .await?;
    let items = placed.item_ids.into_iter().zip(new.lines);
    Ok(Order {
        id: placed.id,
        order_number: placed.order_number,
        business_date: new.business_date,
        table_id: new.table_id,
        table_number: new.table_number,
        session_id: placed.session_id,
        status: OrderStatus::Pending,
        items: items
            .map(|(id, line)| OrderItem {
                id,
                menu_id: line.menu_id,
                menu_name: line.menu_name,
                quantity: line.quantity,
                unit_price: line.unit_price,
                subtotal: line.subtotal,
                note: line.note,
            })
            .collect(),
        total_price: new.total_price,
        note: new.note,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// The answer to keep under an idempotency key.
#[derive(Debug)]
pub struct KeptAnswer<'a> {
    /// The key.
    pub key: &'a str,
    /// SHA-256 of the request.
    pub request_hash: &'a [u8],
    /// The body of the 201.
    pub response: &'a str,
}

/// Record the event of a placed order and, if it was sent with a key, its answer: one statement.
///
/// An expired answer under the same key, which housekeeping has not yet removed, is replaced.
pub async fn record_placed(
    db: &mut PgConnection,
    store_id: StoreId,
    table_id: TableId,
    event: NewRow,
    answer: Option<KeptAnswer<'_>>,
    now: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "with kept as (
             insert into idempotency_keys (table_id, key, request_hash, response, created_at)
             select $6, $7, $8, $9, $5
             where $7::text is not null
             on conflict on constraint idempotency_keys_pkey
                 do update set request_hash = excluded.request_hash, response = excluded.response,
                               created_at = excluded.created_at
         )
         insert into outbox (id, store_id, event_type, payload, created_at, next_attempt_at)
         values ($1, $2, $3, $4, $5, $5)",
        event.id as EventId,
        store_id as StoreId,
        event.event_type,
        event.payload,
        now as Timestamp,
        table_id as TableId,
        answer.as_ref().map(|answer| answer.key),
        answer.as_ref().map(|answer| answer.request_hash),
        answer.as_ref().map(|answer| answer.response),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The orders of a table's open session, newest first.
pub async fn list_for_table(
    db: &PgPool,
    store_id: StoreId,
    table_id: TableId,
    page: PageRequest,
) -> Result<Page<Order>> {
    let total = sqlx::query_scalar!(
        r#"select count(*) as "count!" from orders where store_id = $1 and table_id = $2"#,
        store_id as StoreId,
        table_id as TableId,
    )
    .fetch_one(db)
    .await?;
    let orders = select_orders!(
        "where o.store_id = $1 and o.table_id = $2 order by o.id desc limit $3 offset $4",
        store_id as StoreId,
        table_id as TableId,
        page.size,
        page.offset(),
    )
    .fetch_all(db)
    .await?;
    Ok(Page::new(orders, page, total))
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
    .await?;
    Ok(orders)
}

/// One order of the store's open sessions.
pub async fn find(db: impl PgExecutor<'_>, store_id: StoreId, id: OrderId) -> Result<Order> {
    let order = select_orders!("where o.store_id = $1 and o.id = $2", store_id as StoreId, id as OrderId)
        .fetch_optional(db)
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
        admin: crate::domain::order::StatusChangeAdmin { id: row.admin_id, username: row.username },
        at: row.at,
    })
    .fetch_all(db)
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
    .await?;
    Ok(table_total)
}
