//! Tables and the staff's board.

use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

use crate::domain::order::Order;
use crate::domain::table::{DashboardEntry, OpenSession, Table};
use crate::domain::{SessionId, StoreId, TableId, Timestamp};
use crate::error::{Code, Result};
use crate::telemetry::queries::Named;

/// Selects whole tables; the tail gives the rest of the statement after `from`.
macro_rules! select_tables {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query!(
            r#"select t.id as "id: TableId", t.table_number, t.created_at as "created_at: Timestamp",
                      t.updated_at as "updated_at: Timestamp", s.id as "session_id?: SessionId",
                      s.started_at as "started_at?: Timestamp"
               from tables t
               left join table_sessions s on s.table_id = t.id and s.ended_at is null "# + $tail
            $(, $argument)*
        )
        .map(|row| Table {
            id: row.id,
            table_number: row.table_number,
            session: open_session(row.session_id, row.started_at),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    };
}

fn open_session(id: Option<SessionId>, started_at: Option<Timestamp>) -> Option<OpenSession> {
    Some(OpenSession { id: id?, started_at: started_at? })
}

/// The store's tables: numbers in numerical order first, then names.
pub async fn list(db: &PgPool, store_id: StoreId) -> Result<Vec<Table>> {
    let tables = select_tables!(
        r#"where t.store_id = $1
           order by case when t.table_number ~ '^[0-9]{1,18}$' then t.table_number::bigint end nulls last,
                    t.table_number"#,
        store_id as StoreId,
    )
    .fetch_all(db)
    .named("tables.list")
    .await?;
    Ok(tables)
}

/// One of the store's tables.
pub async fn find(db: &mut PgConnection, store_id: StoreId, id: TableId) -> Result<Table> {
    let table = select_tables!("where t.store_id = $1 and t.id = $2", store_id as StoreId, id as TableId)
        .fetch_optional(db)
        .named("tables.find")
        .await?;
    table.ok_or(Code::TableNotFound.into())
}

/// Check that the store has this table.
pub async fn check_exists(db: &PgPool, store_id: StoreId, id: TableId) -> Result<()> {
    let exists = sqlx::query_scalar!(
        r#"select exists (select from tables where store_id = $1 and id = $2) as "exists!""#,
        store_id as StoreId,
        id as TableId,
    )
    .fetch_one(db)
    .named("tables.check_exists")
    .await?;
    if exists { Ok(()) } else { Err(Code::TableNotFound.into()) }
}

/// Add a table.
pub async fn create(
    db: &mut PgConnection,
    store_id: StoreId,
    table_number: &str,
    password_hash: &str,
    now: Timestamp,
) -> Result<Table> {
    let id = sqlx::query_scalar!(
        r#"insert into tables (store_id, table_number, password_hash, created_at, updated_at)
           values ($1, $2, $3, $4, $4)
           returning id as "id: TableId""#,
        store_id as StoreId,
        table_number,
        password_hash,
        now as Timestamp,
    )
    .fetch_one(db)
    .named("tables.create")
    .await?;
    Ok(Table { id, table_number: table_number.to_owned(), session: None, created_at: now, updated_at: now })
}

/// Change a table's number, its password, or both. A new password ends the table's tokens.
pub async fn update(
    db: &mut PgConnection,
    store_id: StoreId,
    id: TableId,
    table_number: Option<&str>,
    password_hash: Option<&str>,
    now: Timestamp,
) -> Result<Table> {
    sqlx::query!(
        "update tables
         set table_number = coalesce($3, table_number),
             password_hash = coalesce($4, password_hash),
             token_version = token_version + case when $4::text is null then 0 else 1 end,
             updated_at = case when $3::text is null and $4::text is null then updated_at else $5 end
         where store_id = $1 and id = $2",
        store_id as StoreId,
        id as TableId,
        table_number,
        password_hash,
        now as Timestamp,
    )
    .execute(&mut *db)
    .named("tables.update")
    .await?;
    find(db, store_id, id).await
}

/// Delete a table. With an open session it is a `TABLE_HAS_ACTIVE_SESSION`, by constraint; its history stays.
pub async fn delete(db: &mut PgConnection, store_id: StoreId, id: TableId) -> Result<()> {
    let deleted =
        sqlx::query!("delete from tables where store_id = $1 and id = $2", store_id as StoreId, id as TableId)
            .execute(db)
            .named("tables.delete")
            .await?;
    if deleted.rows_affected() == 0 { Err(Code::TableNotFound.into()) } else { Ok(()) }
}

/// Hold a table's row until the transaction ends: its sessions open and close one after the other. Returns the table's number.
pub async fn lock(db: &mut PgConnection, store_id: StoreId, id: TableId) -> Result<String> {
    let table_number = sqlx::query_scalar!(
        "select table_number from tables where store_id = $1 and id = $2 for no key update",
        store_id as StoreId,
        id as TableId,
    )
    .fetch_optional(db)
    .named("tables.lock")
    .await?;
    table_number.ok_or(Code::TableNotFound.into())
}

/// What a table's login needs.
#[derive(Debug)]
pub struct TableAccount {
    /// The table.
    pub id: TableId,
    /// Its number.
    pub table_number: String,
    /// bcrypt.
    pub password_hash: String,
    /// Tokens of another version are no longer good.
    pub token_version: i32,
    /// The store's name.
    pub store_name: String,
    /// Whether the store is switched on.
    pub store_active: bool,
    /// The open session.
    pub session_id: Option<SessionId>,
}

/// Selects what a login needs; the tail gives the rest of the statement after `from`.
macro_rules! select_accounts {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            TableAccount,
            r#"select t.id as "id: TableId", t.table_number, t.password_hash, t.token_version, s.name as store_name,
                      s.is_active as store_active, o.id as "session_id?: SessionId"
               from tables t
               join stores s on s.id = t.store_id
               left join table_sessions o on o.table_id = t.id and o.ended_at is null "# + $tail
            $(, $argument)*
        )
    };
}

/// The account behind a table's login, looked up by what the tablet sends.
pub async fn account(db: &PgPool, store_id: StoreId, table_number: &str) -> Result<Option<TableAccount>> {
    let account = select_accounts!("where t.store_id = $1 and t.table_number = $2", store_id as StoreId, table_number)
        .fetch_optional(db)
        .named("tables.account")
        .await?;
    Ok(account)
}

/// The table, its store's name and its open session, for `/me`.
pub async fn account_by_id(db: &PgPool, store_id: StoreId, id: TableId) -> Result<TableAccount> {
    let account = select_accounts!("where t.store_id = $1 and t.id = $2", store_id as StoreId, id as TableId)
        .fetch_optional(db)
        .named("tables.account_by_id")
        .await?;
    account.ok_or(Code::TableNotFound.into())
}

/// The staff's board: every table with its latest three orders and the sum of its open session, in one query.
pub async fn dashboard(db: &PgPool, store_id: StoreId) -> Result<Vec<DashboardEntry>> {
    let entries = sqlx::query!(
        r#"select t.id as "id: TableId", t.table_number, t.created_at as "created_at: Timestamp",
                  t.updated_at as "updated_at: Timestamp", s.id as "session_id?: SessionId",
                  s.started_at as "started_at?: Timestamp", sums.order_count as "order_count!",
                  sums.total_amount as "total_amount!", latest.orders as "orders!: Json<Vec<Order>>"
           from tables t
           left join table_sessions s on s.table_id = t.id and s.ended_at is null
           cross join lateral (
               select count(*) as order_count,
                      coalesce(sum(o.total_price) filter (where o.status <> 'cancelled'), 0)::bigint as total_amount
               from orders o
               where o.session_id = s.id
           ) as sums
           cross join lateral (
               select coalesce(json_agg(o order by o.id desc), '[]') as orders
               from (
                   select o.id, o.order_number, o.business_date, o.table_id, t.table_number, o.session_id, o.status,
                          o.total_price, o.note, o.version, o.created_at, o.updated_at,
                          (
                              select json_agg(i order by i.id)
                              from (
                                  select i.id, i.menu_id, i.menu_name, i.quantity, i.unit_price, i.subtotal, i.note
                                  from order_items i
                                  where i.order_id = o.id
                              ) as i
                          ) as items
                   from orders o
                   where o.session_id = s.id
                   order by o.id desc
                   limit 3
               ) as o
           ) as latest
           where t.store_id = $1
           order by case when t.table_number ~ '^[0-9]{1,18}$' then t.table_number::bigint end nulls last,
                    t.table_number"#,
        store_id as StoreId,
    )
    .map(|row| DashboardEntry {
        table: Table {
            id: row.id,
            table_number: row.table_number,
            session: open_session(row.session_id, row.started_at),
            created_at: row.created_at,
            updated_at: row.updated_at,
        },
        orders: row.orders.0,
        order_count: row.order_count,
        total_amount: row.total_amount,
    })
    .fetch_all(db)
    .named("tables.dashboard")
    .await?;
    Ok(entries)
}
