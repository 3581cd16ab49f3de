//! `POST /api/customer/orders`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use garde::Validate;
use metrics::counter;
use serde::{Deserialize, Serialize};
use shared::auth::callers::Guest;
use shared::db::outbox::NewRow;
use shared::db::placing::{KeptAnswer, NewOrder};
use shared::db::tables;
use shared::domain::MenuId;
use shared::domain::event::Event;
use shared::domain::order::Order;
use shared::domain::placing::{self, Line, MOST_ITEMS, Quantity};
use shared::domain::text::{Trimmed, lines};
use shared::http::request::{Valid, objects};
use shared::http::response::WrittenJson;
use shared::telemetry::metrics::{ORDER_AMOUNT_WON_TOTAL, ORDERS_PLACED_TOTAL};
use shared::{App, Code, Result, db};
use utoipa::ToSchema;

use crate::idempotency_key::IdempotencyKey;

/// What a table orders.
#[derive(Clone, Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    /// 1–50 items; the same menu twice is two items.
    #[garde(length(max = MOST_ITEMS), dive)]
    #[serde(deserialize_with = "objects")]
    #[schema(min_items = 1, max_items = 50)]
    items: Vec<PlaceOrderItem>,
    /// For the kitchen, on the whole order.
    #[garde(inner(custom(lines::<200>)))]
    #[schema(value_type = Option<String>, max_length = 200, format = "lines", examples("아이가 있어요."))]
    note: Option<Trimmed>,
}

/// One item of an order.
#[derive(Clone, Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrderItem {
    /// The menu.
    #[garde(skip)]
    menu_id: MenuId,
    /// 1 to 100.
    #[garde(skip)]
    quantity: Quantity,
    /// For the kitchen, on this item.
    #[garde(inner(custom(lines::<200>)))]
    #[schema(value_type = Option<String>, max_length = 200, format = "lines", examples("덜 맵게 해주세요."))]
    note: Option<Trimmed>,
}

impl PlaceOrder {
    /// What two sendings of one request have in common, however they were written.
    fn hash(&self) -> Result<Vec<u8>> {
        Ok(shared::sha256(&serde_json::to_vec(self)?))
    }

    fn into_lines(self) -> Vec<Line> {
        let line = |item: PlaceOrderItem| Line {
            menu_id: item.menu_id,
            quantity: item.quantity,
            note: item.note.and_then(Trimmed::non_empty),
        };
        self.items.into_iter().map(line).collect()
    }
}

/// Place an order for the caller's table.
///
/// Opens the table's session if none is open. Sent again with the same `Idempotency-Key`, it gives the first answer.
#[utoipa::path(
    post,
    path = "/api/customer/orders",
    tag = "orders",
    operation_id = "orders_place",
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "Chosen by the client, new for each order, like a UUID. Sent again with it, the order is not placed twice.",
        min_length = 1, max_length = 255, pattern = "^[!-~]+$",
    )),
    request_body = PlaceOrder,
    responses((status = 201, body = Order)),
    extensions((
        "x-errors" = json!([
            Code::EmptyOrder,
            Code::InvalidQuantity,
            Code::MenuNotFound,
            Code::TableNotFound,
            Code::MenuNotAvailable,
            Code::IdempotencyKeyReused,
        ])
    )),
)]
pub(crate) async fn place(
    State(app): State<App>,
    guest: Guest,
    IdempotencyKey(key): IdempotencyKey,
    Valid(body): Valid<PlaceOrder>,
) -> Result<impl IntoResponse> {
    let request_hash = body.hash()?;
    let note = body.note.clone().and_then(Trimmed::non_empty);
    let lines = body.into_lines();
    placing::check_lines(&lines)?;

    let mut tx = app.db.begin().await?;
    let table_number = tables::lock(&mut tx, guest.store_id, guest.table_id).await?;
    let now = app.clock.now();
    let menu_ids = placing::menu_ids(&lines);
    let basis = db::placing::basis(&mut tx, guest.store_id, guest.table_id, key.as_deref(), &menu_ids, now).await?;
    if let Some(first) = basis.first_answer {
        if first.request_hash != request_hash {
            return Err(Code::IdempotencyKeyReused.into());
        }
        return Ok(placed(first.response));
    }

    let (lines, total_price) = placing::price(lines, &basis.offers)?;
    let new = NewOrder {
        table_id: guest.table_id,
        table_number,
        session_id: basis.session_id,
        business_date: basis.business_date,
        lines,
        total_price,
        note,
    };
    let order = db::placing::insert(&mut tx, guest.store_id, new, now).await?;
    let response = serde_json::to_string(&order)?;
    let event = NewRow::new(guest.store_id, Event::OrderCreated { order }, now)?;
    let answer = key.as_deref().map(|key| KeptAnswer { key, request_hash: &request_hash, response: &response });
    db::placing::record(&mut tx, guest.store_id, guest.table_id, event, answer, now).await?;
    tx.commit().await?;

    counter!(ORDERS_PLACED_TOTAL).increment(1);
    counter!(ORDER_AMOUNT_WON_TOTAL).increment(total_price.unsigned_abs());
    app.bus.nudge();
    Ok(placed(response))
}

fn placed(response: String) -> impl IntoResponse {
    (StatusCode::CREATED, WrittenJson(response.into()))
}
