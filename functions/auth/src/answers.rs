//! What logins answer.

use serde::Serialize;
use shared::auth::tokens::Claims;
use shared::db::admins::AdminAccount;
use shared::db::owners::Owner;
use shared::db::tables::TableAccount;
use shared::domain::account::{AdminRole, Role};
use shared::domain::{AdminId, SessionId, StoreId, TableId};
use shared::{App, Code, Result};
use utoipa::ToSchema;

/// A token, with whom it was given to beside it.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer<T> {
    /// To be sent as `Authorization: Bearer …`.
    #[schema(examples("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IkZ…"))]
    access_token: String,
    /// Always `Bearer`.
    #[schema(value_type = String, pattern = "^Bearer$", examples("Bearer"))]
    token_type: &'static str,
    /// The token's life in seconds.
    #[schema(minimum = 1, examples(57600))]
    expires_in: i64,
    #[serde(flatten)]
    caller: T,
}

/// A table's tablet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TableCaller {
    /// Its store.
    pub(crate) store: StoreOut,
    /// The table.
    pub(crate) table: TableOut,
    /// The open session; null while nobody has ordered.
    #[schema(required)]
    pub(crate) session_id: Option<SessionId>,
}

/// A store, as a login names it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreOut {
    /// The store.
    pub(crate) id: StoreId,
    /// Its name.
    #[schema(examples("한빛식당"))]
    pub(crate) name: String,
}

/// A table, as a login names it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TableOut {
    /// The table.
    pub(crate) id: TableId,
    /// Its number.
    #[schema(examples("3"))]
    pub(crate) table_number: String,
}

/// Staff of a store, or the super admin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminCaller {
    /// The admin's store; absent for super admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) store: Option<StoreOut>,
    /// The admin.
    pub(crate) admin: AdminOut,
}

/// An admin, as a login names it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminOut {
    /// The account.
    pub(crate) id: AdminId,
    /// Its username.
    #[schema(examples("admin"))]
    pub(crate) username: String,
    /// What it may do.
    pub(crate) role: AdminRole,
}

impl TableCaller {
    pub(crate) fn new(store_id: StoreId, account: TableAccount) -> Self {
        Self {
            store: StoreOut { id: store_id, name: account.store_name },
            table: TableOut { id: account.id, table_number: account.table_number },
            session_id: account.session_id,
        }
    }
}

impl From<AdminAccount> for AdminCaller {
    fn from(account: AdminAccount) -> Self {
        let store = account.store_id.zip(account.store_name).map(|(id, name)| StoreOut { id, name });
        Self { store, admin: AdminOut { id: account.id, username: account.username, role: account.role } }
    }
}

/// Issue a token to an owner.
pub(crate) fn issue<T>(app: &App, owner: Owner, token_version: i32, caller: T) -> Result<TokenAnswer<T>> {
    let life = match owner.role {
        Role::Table => app.config.table_token_life,
        Role::StoreAdmin | Role::SuperAdmin => app.config.admin_token_life,
    };
    let claims = Claims::new(owner, token_version, app.clock.now(), life);
    let access_token = app.tokens.sign(&claims)?;
    Ok(TokenAnswer { access_token, token_type: "Bearer", expires_in: life.num_seconds(), caller })
}

/// Whether an account may log in. Only told after the right password.
pub(crate) fn check_active(account: &AdminAccount) -> Result<(), Code> {
    if !account.is_active {
        return Err(Code::AdminInactive);
    }
    if account.store_active == Some(false) {
        return Err(Code::StoreInactive);
    }
    Ok(())
}

/// The owner of an admin's tokens.
pub(crate) fn admin_owner(account: &AdminAccount) -> Owner {
    Owner { role: account.role.into(), id: account.id.get(), store_id: account.store_id }
}
