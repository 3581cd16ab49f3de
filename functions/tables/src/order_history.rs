//! `GET /api/admin/tables/{id}/order-history`.

use axum::extract::State;
use chrono::{Datelike, NaiveDate};
use garde::Validate;
use serde::Deserialize;
use shared::auth::callers::StoreAdmin;
use shared::cache::Entity;
use shared::db::history;
use shared::domain::TableId;
use shared::domain::business_day::DateRange;
use shared::domain::order::ArchivedOrder;
use shared::domain::page::{Page, PageRequest};
use shared::http::request::{self, Id, Params};
use shared::http::response::WrittenJson;
use shared::{App, Code, Result};
use utoipa::IntoParams;

/// Which part of the history.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListHistory {
    /// The first day, in the store's zone; by default 30 days that end with the last day.
    #[garde(inner(custom(four_digit_year)))]
    from_date: Option<NaiveDate>,
    /// The last day; by default today.
    #[garde(inner(custom(four_digit_year)))]
    to_date: Option<NaiveDate>,
    /// From 1.
    #[garde(custom(request::page_number))]
    #[param(minimum = 1, maximum = 2147483647, default = 1)]
    page: Option<i64>,
    /// 1 to 100; 50 by default.
    #[garde(custom(request::page_size))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    page_size: Option<i64>,
}

/// chrono reads years that neither PostgreSQL nor `YYYY-MM-DD` know.
fn four_digit_year(date: &NaiveDate, _: &()) -> garde::Result {
    if (1..=9999).contains(&date.year()) {
        return Ok(());
    }
    Err(garde::Error::new("must be a day of the years 0001 to 9999"))
}

/// A table's archived orders by the day its sessions were closed, newest first.
#[utoipa::path(
    get,
    path = "/api/admin/tables/{id}/order-history",
    tag = "tables",
    operation_id = "tables_order_history",
    params(("id" = TableId, Path, description = "The table."), ListHistory),
    responses((status = 200, body = Page<ArchivedOrder>)),
    extensions(("x-errors" = json!([Code::InvalidDateRange, Code::TableNotFound]))),
)]
pub(crate) async fn order_history(
    State(app): State<App>,
    admin: StoreAdmin,
    Id(id): Id<TableId>,
    Params(params): Params<ListHistory>,
) -> Result<WrittenJson> {
    let now = app.clock.now();
    let history::Today { date, timezone } = history::today(&app.db, admin.store_id, id, now).await?;
    let days = DateRange::new(params.from_date, params.to_date, date)?;
    let page = PageRequest::new(params.page, params.page_size);
    let key = format!("{id}:{}:{}:{timezone}:{}:{}", days.from, days.to, page.number, page.size);
    let load = async || history::list(&app.db, admin.store_id, id, days, &timezone, page).await;
    let body = app.cache.body((admin.store_id, Entity::OrderHistory, &key), now, load).await?;
    Ok(WrittenJson(body))
}
