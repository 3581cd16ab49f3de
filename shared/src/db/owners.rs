//! Whoever tokens were issued to, tables and admins alike, and how they stand now.

use sqlx::PgPool;

use crate::domain::StoreId;
use crate::domain::account::Role;
use crate::error::Result;
use crate::telemetry::queries::Named;

/// Whoever a token was issued to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Whether `id` is a table's or an admin's, and which.
    pub role: Role,
    /// The table's or the admin's id.
    pub id: i64,
    /// The store the token names.
    pub store_id: Option<StoreId>,
}

/// How an owner stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The only token version that is good.
    pub token_version: i32,
    /// Whether the account is switched on. Tables always are.
    pub is_active: bool,
    /// Whether its store is switched on. Super admins have none, and none to be switched off.
    pub store_active: bool,
}

/// How tokens' owners stand, in the order asked; `None` for one that is gone. One query, however many.
pub async fn standings(db: &PgPool, owners: &[Owner]) -> Result<Vec<Option<Standing>>> {
    let roles: Vec<_> = owners.iter().map(|owner| owner.role.to_string()).collect();
    let ids: Vec<_> = owners.iter().map(|owner| owner.id).collect();
    let stores: Vec<_> = owners.iter().map(|owner| owner.store_id).collect();
    let rows = sqlx::query!(
        r#"select coalesce(a.token_version, t.token_version) as token_version, coalesce(a.is_active, true) as "is_active!",
                  coalesce(s.is_active, true) as "store_active!"
           from unnest($1::text[], $2::bigint[], $3::uuid[]) with ordinality as o (role, id, store_id, position)
           left join admins a
               on o.role <> 'table' and a.id = o.id and a.role = o.role and a.store_id is not distinct from o.store_id
           left join tables t on o.role = 'table' and t.id = o.id and t.store_id = o.store_id
           left join stores s on s.id = o.store_id
           order by o.position"#,
        &roles,
        &ids,
        &stores as &[Option<StoreId>],
    )
    .fetch_all(db).named("owners.standings")
    .await?;
    let standings = rows.into_iter().map(|row| {
        Some(Standing { token_version: row.token_version?, is_active: row.is_active, store_active: row.store_active })
    });
    Ok(standings.collect())
}
