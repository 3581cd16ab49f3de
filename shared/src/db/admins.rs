//! Admin accounts.

use std::collections::HashSet;

use sqlx::{PgConnection, PgPool};

use crate::domain::account::{Admin, AdminRole};
use crate::domain::page::{Page, PageRequest};
use crate::domain::{AdminId, StoreId, Timestamp};
use crate::error::{Code, Result};
use crate::telemetry::queries::Named;

/// Selects whole admins; the tail gives the rest of the statement after `from`.
macro_rules! select_admins {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Admin,
            r#"select a.id as "id: AdminId", a.store_id as "store_id: StoreId", s.name as "store_name?", a.username,
                      a.role as "role: AdminRole", a.is_active, a.created_at as "created_at: Timestamp"
               from admins a
               left join stores s on s.id = a.store_id "# + $tail
            $(, $argument)*
        )
    };
}

/// Which admins to list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Those of one store.
    pub store_id: Option<StoreId>,
    /// Active or inactive ones.
    pub is_active: Option<bool>,
    /// Those whose username contains this.
    pub search: Option<&'a str>,
}

/// Admins by username.
pub async fn list(db: &PgPool, filter: Filter<'_>, page: PageRequest) -> Result<Page<Admin>> {
    let admins = select_admins!(
        "where ($1::uuid is null or a.store_id = $1)
           and ($2::boolean is null or a.is_active = $2)
           and ($3::text is null or strpos(lower(a.username), lower($3)) > 0)
         order by a.username
         limit $4 offset $5",
        filter.store_id as Option<StoreId>,
        filter.is_active,
        filter.search,
        page.size,
        page.offset(),
    )
    .fetch_all(db)
    .named("admins.list")
    .await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from admins
           where ($1::uuid is null or store_id = $1)
             and ($2::boolean is null or is_active = $2)
             and ($3::text is null or strpos(lower(username), lower($3)) > 0)"#,
        filter.store_id as Option<StoreId>,
        filter.is_active,
        filter.search,
    )
    .fetch_one(db)
    .named("admins.list_count");
    super::page_of(admins, page, count).await
}

/// One admin.
pub async fn find(db: &mut PgConnection, id: AdminId) -> Result<Admin> {
    let admin = select_admins!("where a.id = $1", id as AdminId).fetch_optional(db).named("admins.find").await?;
    admin.ok_or(Code::AdminNotFound.into())
}

/// An account to add.
#[derive(Debug)]
pub struct NewAdmin<'a> {
    /// Its store; `None` for a super admin.
    pub store_id: Option<StoreId>,
    /// The name to log in with.
    pub username: &'a str,
    /// bcrypt.
    pub password_hash: &'a str,
    /// What it may do.
    pub role: AdminRole,
}

/// Add an account. Returns its id.
pub async fn create(db: &mut PgConnection, new: NewAdmin<'_>, now: Timestamp) -> Result<AdminId> {
    let id = sqlx::query_scalar!(
        r#"insert into admins (store_id, username, password_hash, role, created_at, updated_at)
           values ($1, $2, $3, $4, $5, $5)
           returning id as "id: AdminId""#,
        new.store_id as Option<StoreId>,
        new.username,
        new.password_hash,
        new.role as AdminRole,
        now as Timestamp,
    )
    .fetch_one(db)
    .named("admins.create")
    .await?;
    Ok(id)
}

/// Switch an account on or off. Switched off, its tokens are dead for good.
pub async fn set_active(db: &mut PgConnection, id: AdminId, is_active: bool, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "update admins
         set is_active = $2,
             token_version = token_version + case when is_active and not $2 then 1 else 0 end,
             updated_at = $3
         where id = $1",
        id as AdminId,
        is_active,
        now as Timestamp,
    )
    .execute(db)
    .named("admins.set_active")
    .await?;
    Ok(())
}

/// Hold every active super admin's row, so that two of them cannot switch each other off. Returns their ids.
pub async fn lock_active_super_admins(db: &mut PgConnection) -> Result<HashSet<AdminId>> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id: AdminId"
           from admins
           where role = 'super_admin' and is_active
           order by id
           for no key update"#
    )
    .fetch_all(db)
    .named("admins.lock_active_super_admins")
    .await?;
    Ok(ids.into_iter().collect())
}

/// Give an account another password. Its older tokens stop working. Returns the new token version.
///
/// `seen` is the token version the decision rests on: `None` is returned if the account has changed since.
pub async fn set_password(
    db: &mut PgConnection,
    id: AdminId,
    seen: Option<i32>,
    password_hash: &str,
    now: Timestamp,
) -> Result<Option<i32>> {
    let version = sqlx::query_scalar!(
        "update admins
         set password_hash = $3, token_version = token_version + 1, updated_at = $4
         where id = $1 and ($2::integer is null or token_version = $2)
         returning token_version",
        id as AdminId,
        seen,
        password_hash,
        now as Timestamp,
    )
    .fetch_optional(db)
    .named("admins.set_password")
    .await?;
    Ok(version)
}

/// What an admin's login needs.
#[derive(Debug)]
pub struct AdminAccount {
    /// The account.
    pub id: AdminId,
    /// The name to log in with.
    pub username: String,
    /// bcrypt.
    pub password_hash: String,
    /// Tokens of another version are no longer good.
    pub token_version: i32,
    /// What it may do.
    pub role: AdminRole,
    /// Whether it is switched on.
    pub is_active: bool,
    /// Its store.
    pub store_id: Option<StoreId>,
    /// That store's name.
    pub store_name: Option<String>,
    /// Whether that store is switched on.
    pub store_active: Option<bool>,
}

/// Selects what a login needs; the tail gives the rest of the statement after `from`.
macro_rules! select_accounts {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            AdminAccount,
            r#"select a.id as "id: AdminId", a.username, a.password_hash, a.token_version, a.role as "role: AdminRole",
                      a.is_active, a.store_id as "store_id: StoreId", s.name as "store_name?",
                      s.is_active as "store_active?"
               from admins a
               left join stores s on s.id = a.store_id "# + $tail
            $(, $argument)*
        )
    };
}

/// The account with this username in this store; `None` for the store means a super admin's.
pub async fn account(db: &PgPool, store_id: Option<StoreId>, username: &str) -> Result<Option<AdminAccount>> {
    let account = select_accounts!(
        "where a.username = $2 and a.store_id is not distinct from $1",
        store_id as Option<StoreId>,
        username,
    )
    .fetch_optional(db)
    .named("admins.account")
    .await?;
    Ok(account)
}

/// The account with this id.
pub async fn account_by_id(db: &PgPool, id: AdminId) -> Result<AdminAccount> {
    let account =
        select_accounts!("where a.id = $1", id as AdminId).fetch_optional(db).named("admins.account_by_id").await?;
    account.ok_or(Code::AdminNotFound.into())
}
