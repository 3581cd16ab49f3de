//! Placing an order: what decides it, in one query, and what it stores, in two statements.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::order::{Order, OrderItem, OrderStatus};
use crate::domain::placing::{Offer, PricedLine};
use crate::domain::{EventId, MenuId, OrderId, OrderItemId, SessionId, StoreId, TableId, Timestamp};
use crate::error::Result;

use super::housekeeping::IDEMPOTENCY_LIFE;
use super::outbox::NewRow;
use crate::telemetry::queries::Named;

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
    /// The store's calendar day.
    pub business_date: NaiveDate,
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
                  m.offers as "offers!: Json<Vec<OfferRow>>",
                  (select ($6 at time zone timezone)::date from stores where id = $1) as "business_date!"
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
        now as Timestamp,
    )
    .fetch_one(db)
    .named("placing.basis")
    .await?;
    let first_answer = match (row.request_hash, row.response) {
        (Some(request_hash), Some(response)) => Some(FirstAnswer { request_hash, response }),
        _ => None,
    };
    let offers = row.offers.0.into_iter();
    let offers = offers.map(|row| (row.id, Offer { name: row.name, price: row.price, is_available: row.is_available }));
    Ok(Basis { session_id: row.session_id, first_answer, offers: offers.collect(), business_date: row.business_date })
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
    .named("placing.insert")
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
pub async fn record(
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
    .named("placing.record")
    .await?;
    Ok(())
}
