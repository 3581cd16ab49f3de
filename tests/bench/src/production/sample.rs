//! Events to be sent about: those of orders that were placed before, with other ids.

use measure::Trouble;
use shared::clock::{Clock, new_uuid};
use shared::domain::event::{Envelope, Event};
use shared::domain::{EventId, OrderId, StoreId};
use sqlx::PgConnection;

/// Ids of orders that nobody has placed begin above this.
const UNUSED_ORDERS: i64 = 1_000_000_000;

/// The event of an order of two items or so, as the service wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    envelope: Envelope,
    copies: i64,
}

impl Sample {
    /// The last such event.
    pub(crate) async fn read(db: &mut PgConnection) -> Result<Self, Trouble> {
        let sql = "select payload from outbox where event_type = 'OrderCreated' order by sequence desc limit 1";
        let payload: String = sqlx::query_scalar(sql).fetch_one(db).await?;
        Ok(Self { envelope: serde_json::from_str(&payload)?, copies: 0 })
    }

    /// A new event of the same length: another order of this store.
    pub(crate) fn copy(&mut self, store_id: StoreId) -> Result<Envelope, Trouble> {
        self.copies += 1;
        let now = Clock::system().now();
        let mut copy = Envelope { event_id: EventId(new_uuid(now)), store_id, ..self.envelope.clone() };
        if let Event::OrderCreated { order } = &mut copy.event {
            order.id = OrderId::new(UNUSED_ORDERS + self.copies).ok_or("no order has such an id")?;
        }
        Ok(copy)
    }
}

/// Have so many events wait in the outbox: those of orders placed before, once more.
///
/// Which ones does not matter, and there may be hundreds of thousands: it takes the first that it comes upon. They may be
/// published in this millisecond already, as the service's clock tells it.
pub(crate) async fn wait_in_outbox(db: &mut PgConnection, events: i64) -> Result<(), Trouble> {
    let sql = "with known as (
                   select store_id, event_type, payload, row_number() over () as number
                   from (
                       select store_id, event_type, payload
                       from outbox
                       where event_type = 'OrderCreated' and published_at is not null
                       limit least($1, 5000)
                   ) as first_found
               )
               insert into outbox (id, store_id, event_type, payload, created_at, next_attempt_at)
               select gen_random_uuid(), store_id, event_type, payload, now, now
               from generate_series(1, $1) as wanted (number)
               cross join date_trunc('milliseconds', now()) as now
               join known on known.number = 1 + wanted.number % (select count(*) from known)";
    let added = sqlx::query(sql).bind(events).execute(db).await?.rows_affected();
    if i64::try_from(added)? == events { Ok(()) } else { Err("the outbox knows no events of orders".into()) }
}
