//! The callers a handler may ask for: [`Guest`], [`StoreAdmin`], [`SuperAdmin`].
//!
//! [`authenticate`] checks the token once for every request, before any limit; the extractor then checks the role and the
//! owner.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::tokens::Claims;
use crate::app::App;
use crate::domain::account::Role;
use crate::domain::{AdminId, StoreId, TableId};
use crate::error::{Code, Error, Result};

/// A table's tablet.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its store.
    pub store_id: StoreId,
    /// Its table.
    pub table_id: TableId,
    /// Its token.
    pub claims: Arc<Claims>,
}

/// Staff of a store.
#[derive(Clone, Debug)]
pub struct StoreAdmin {
    /// Its store.
    pub store_id: StoreId,
    /// Its account.
    pub id: AdminId,
    /// Its token.
    pub claims: Arc<Claims>,
}

/// The keeper of stores and accounts.
#[derive(Clone, Debug)]
pub struct SuperAdmin {
    /// Its account.
    pub id: AdminId,
    /// Its token.
    pub claims: Arc<Claims>,
}

/// What the request's `Authorization` header turned out to be, kept in the request's extensions.
#[derive(Clone, Debug)]
pub struct Authentication(pub Result<Arc<Claims>, Code>);

/// Check the token, if there is one, and keep the answer for the limiter and the extractors. Gives the claims of a good one.
pub fn authenticate(app: &App, request: &mut Request) -> Option<Arc<Claims>> {
    let checked = check_header(app, request.headers());
    let claims = checked.as_ref().ok().cloned();
    request.extensions_mut().insert(Authentication(checked));
    claims
}

/// The claims of the token in the `Authorization` header.
pub fn check_header(app: &App, headers: &HeaderMap) -> Result<Arc<Claims>, Code> {
    let header = headers.get(AUTHORIZATION).ok_or(Code::TokenMissing)?;
    let (scheme, token) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Code::InvalidToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Code::InvalidToken);
    }
    app.tokens.check(token.trim(), app.clock.now())
}

async fn caller(parts: &Parts, app: &App, role: Role) -> Result<(i64, Arc<Claims>)> {
    let Authentication(checked) = parts.extensions.get().cloned().unwrap_or(Authentication(Err(Code::TokenMissing)));
    let claims = checked?;
    if claims.role != role {
        return Err(Code::InsufficientPermissions.into());
    }
    let owner = app.owners.check(&app.db, &claims, app.clock.now()).await?;
    Ok((owner.id, claims))
}

impl FromRequestParts<App> for Guest {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let (_, claims) = caller(parts, app, Role::Table).await?;
        Self::try_from(claims)
    }
}

impl TryFrom<Arc<Claims>> for Guest {
    type Error = Error;

    fn try_from(claims: Arc<Claims>) -> Result<Self> {
        let (Some(store_id), Some(table_id)) = (claims.store_id, claims.table_id) else {
            return Err(Code::InvalidToken.into());
        };
        Ok(Self { store_id, table_id, claims })
    }
}

impl FromRequestParts<App> for StoreAdmin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let (id, claims) = caller(parts, app, Role::StoreAdmin).await?;
        let (Some(id), Some(store_id)) = (AdminId::new(id), claims.store_id) else {
            return Err(Code::InvalidToken.into());
        };
        Ok(Self { store_id, id, claims })
    }
}

impl FromRequestParts<App> for SuperAdmin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let (id, claims) = caller(parts, app, Role::SuperAdmin).await?;
        let id = AdminId::new(id).ok_or(Code::InvalidToken)?;
        Ok(Self { id, claims })
    }
}
