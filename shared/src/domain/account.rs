//! Who may log in: roles, and admin accounts.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AdminId, StoreId, Timestamp};

/// What a token's holder may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A table's tablet: guests.
    Table,
    /// Staff of one store.
    StoreAdmin,
    /// Keeps stores and accounts.
    SuperAdmin,
}

impl Role {
    /// As in tokens, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::StoreAdmin => "store_admin",
            Self::SuperAdmin => "super_admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The role of an admin account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum AdminRole {
    /// Staff of one store.
    StoreAdmin,
    /// Keeps stores and accounts.
    SuperAdmin,
}

impl From<AdminRole> for Role {
    fn from(role: AdminRole) -> Self {
        match role {
            AdminRole::StoreAdmin => Self::StoreAdmin,
            AdminRole::SuperAdmin => Self::SuperAdmin,
        }
    }
}

/// An admin account, as the super admin sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Admin {
    /// The account's id.
    pub id: AdminId,
    /// Its store; null for super admins.
    #[schema(required)]
    pub store_id: Option<StoreId>,
    /// That store's name.
    #[schema(required, examples("한빛식당"))]
    pub store_name: Option<String>,
    /// The name to log in with, unique in the service.
    #[schema(examples("admin"))]
    pub username: String,
    /// What it may do.
    pub role: AdminRole,
    /// While false, it cannot log in.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}
