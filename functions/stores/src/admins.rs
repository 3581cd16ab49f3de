//! `/api/superadmin/admins`.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use shared::auth::callers::SuperAdmin;
use shared::db::admins::{Filter, NewAdmin};
use shared::db::owners::Owner;
use shared::db::{admins, audit, stores};
use shared::domain::account::{Admin, AdminRole};
use shared::domain::page::{Page, PageRequest};
use shared::domain::text::{Trimmed, password_bytes, trimmed_lookup};
use shared::domain::{AdminId, StoreId};
use shared::http::request::{self, Id, Params, Valid};
use shared::http::response::{Created, Json, NoContent};
use shared::{App, Code, Error, Result};
use utoipa::{IntoParams, ToSchema};

/// Which admins.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListAdmins {
    /// Those of one store.
    #[garde(skip)]
    store_id: Option<StoreId>,
    /// Active or inactive ones.
    #[garde(skip)]
    is_active: Option<bool>,
    /// Those whose username contains this.
    #[garde(inner(custom(trimmed_lookup)))]
    #[param(value_type = Option<String>, max_length = 255, format = "plain")]
    q: Option<Trimmed>,
    /// From 1.
    #[garde(custom(request::page_number))]
    #[param(minimum = 1, maximum = 2147483647, default = 1)]
    page: Option<i64>,
    /// 1 to 100; 50 by default.
    #[garde(custom(request::page_size))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<i64>,
}

/// An account to add.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateAdmin {
    /// 3–50 characters of `A-Za-z0-9_.-`, unique in the service.
    #[garde(custom(username_format))]
    #[schema(min_length = 3, max_length = 50, pattern = "^[A-Za-z0-9_.-]+$", examples("hanbit.manager"))]
    username: String,
    /// 8–71 bytes of UTF-8: fewer characters, where they take several.
    #[garde(custom(password_bytes::<8>))]
    #[schema(min_length = 2, max_length = 71, format = "plain", examples("manager-1234"))]
    password: String,
    /// What it may do.
    #[garde(skip)]
    role: AdminRole,
    /// Its store: required for a store admin, absent for a super admin.
    #[garde(skip)]
    store_id: Option<StoreId>,
}

fn username_format(name: &str, _: &()) -> garde::Result {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if (3..=50).contains(&name.len()) && name.bytes().all(known) {
        return Ok(());
    }
    Err(garde::Error::new("must have 3 to 50 characters of A-Z a-z 0-9 _ . -"))
}

/// A new password for an account.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetPassword {
    /// 8–71 bytes of UTF-8: fewer characters, where they take several.
    #[garde(custom(password_bytes::<8>))]
    #[schema(min_length = 2, max_length = 71, format = "plain", examples("manager-1234"))]
    password: String,
}

/// Admins by username.
#[utoipa::path(
    get,
    path = "/api/superadmin/admins",
    tag = "stores",
    operation_id = "admins_list",
    params(ListAdmins),
    responses((status = 200, body = Page<Admin>)),
    extensions(("x-errors" = json!([Code::StoreNotFound]))),
)]
pub(crate) async fn list(
    State(app): State<App>,
    _: SuperAdmin,
    Params(params): Params<ListAdmins>,
) -> Result<Json<Page<Admin>>> {
    if let Some(store_id) = params.store_id {
        stores::find(&app.db, store_id).await?;
    }
    let search = params.q.as_ref().map(Trimmed::as_str);
    let filter = Filter { store_id: params.store_id, is_active: params.is_active, search };
    let page = PageRequest::new(params.page, params.page_size);
    Ok(Json(admins::list(&app.db, filter, page).await?))
}

/// Add an account.
#[utoipa::path(
    post,
    path = "/api/superadmin/admins",
    tag = "stores",
    operation_id = "admins_create",
    request_body = CreateAdmin,
    responses((status = 201, body = Admin)),
    extensions(("x-errors" = json!([Code::StoreIdRequired, Code::StoreNotFound, Code::UsernameAlreadyExists]))),
)]
pub(crate) async fn create(
    State(app): State<App>,
    _: SuperAdmin,
    Valid(body): Valid<CreateAdmin>,
) -> Result<Created<Admin>> {
    match (body.role, body.store_id) {
        (AdminRole::StoreAdmin, Some(_)) | (AdminRole::SuperAdmin, None) => {}
        (AdminRole::StoreAdmin, None) => return Err(Code::StoreIdRequired.into()),
        (AdminRole::SuperAdmin, Some(_)) => return Err(Error::field("store_id", "must be absent for a super admin")),
    }
    let password_hash = app.passwords.hash(body.password).await?;
    let new =
        NewAdmin { store_id: body.store_id, username: &body.username, password_hash: &password_hash, role: body.role };
    let mut tx = app.db.begin().await?;
    if let Some(store_id) = body.store_id {
        stores::keep(&mut tx, store_id).await?;
    }
    let id = admins::create(&mut tx, new, app.clock.now()).await?;
    let admin = admins::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Created(admin))
}

/// Switch an account on.
#[utoipa::path(
    patch,
    path = "/api/superadmin/admins/{id}/activate",
    tag = "stores",
    operation_id = "admins_activate",
    params(("id" = AdminId, Path, description = "The account.")),
    responses((status = 200, body = Admin)),
    extensions(("x-errors" = json!([Code::AdminNotFound]))),
)]
pub(crate) async fn activate(State(app): State<App>, caller: SuperAdmin, Id(id): Id<AdminId>) -> Result<Json<Admin>> {
    set_active(&app, &caller, id, true).await
}

/// Switch an account off: its tokens stop working.
#[utoipa::path(
    patch,
    path = "/api/superadmin/admins/{id}/deactivate",
    tag = "stores",
    operation_id = "admins_deactivate",
    params(("id" = AdminId, Path, description = "The account.")),
    responses((status = 200, body = Admin)),
    extensions(("x-errors" = json!([Code::AdminNotFound, Code::CannotDeactivateSelf, Code::LastSuperAdmin]))),
)]
pub(crate) async fn deactivate(State(app): State<App>, caller: SuperAdmin, Id(id): Id<AdminId>) -> Result<Json<Admin>> {
    set_active(&app, &caller, id, false).await
}

async fn set_active(app: &App, caller: &SuperAdmin, id: AdminId, is_active: bool) -> Result<Json<Admin>> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let admin = admins::find(&mut tx, id).await?;
    if !is_active {
        if id == caller.id {
            return Err(Code::CannotDeactivateSelf.into());
        }
        // Only when two of them switch each other off at the same time can the last one come up.
        if admin.role == AdminRole::SuperAdmin {
            let active = admins::lock_active_super_admins(&mut tx).await?;
            if active.len() == 1 && active.contains(&id) {
                return Err(Code::LastSuperAdmin.into());
            }
        }
    }
    admins::set_active(&mut tx, id, is_active, now).await?;
    let entry = audit::Entry {
        store_id: admin.store_id,
        admin_id: caller.id,
        action: if is_active { "admin.activate" } else { "admin.deactivate" },
        entity_id: id.to_string(),
        details: json!({"username": admin.username}),
    };
    audit::record(&mut tx, entry, now).await?;
    tx.commit().await?;

    app.owners.forget(owner(&admin));
    Ok(Json(Admin { is_active, ..admin }))
}

/// Give an account another password: its older tokens stop working.
#[utoipa::path(
    post,
    path = "/api/superadmin/admins/{id}/reset-password",
    tag = "stores",
    operation_id = "admins_reset_password",
    params(("id" = AdminId, Path, description = "The account.")),
    request_body = ResetPassword,
    responses((status = 204)),
    extensions(("x-errors" = json!([Code::AdminNotFound]))),
)]
pub(crate) async fn reset_password(
    State(app): State<App>,
    caller: SuperAdmin,
    Id(id): Id<AdminId>,
    Valid(body): Valid<ResetPassword>,
) -> Result<NoContent> {
    let password_hash = app.passwords.hash(body.password).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let admin = admins::find(&mut tx, id).await?;
    admins::set_password(&mut tx, id, None, &password_hash, now).await?;
    let entry = audit::Entry {
        store_id: admin.store_id,
        admin_id: caller.id,
        action: "admin.reset_password",
        entity_id: id.to_string(),
        details: json!({"username": admin.username}),
    };
    audit::record(&mut tx, entry, now).await?;
    tx.commit().await?;

    app.owners.forget(owner(&admin));
    Ok(NoContent)
}

fn owner(admin: &Admin) -> Owner {
    Owner { role: admin.role.into(), id: admin.id.get(), store_id: admin.store_id }
}
