//! The verdict: journal, database, outbox and screens must tell the same.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use measure::Trouble;
use shared::domain::event::{Envelope, Event};
use shared::domain::order::OrderStatus;
use sqlx::PgPool;
use sqlx::Row;

use crate::guests::{Placed, Store};
use crate::screens::Screen;

/// The most examples of one kind of fault that are told.
const EXAMPLES: usize = 5;

/// Faults that were found, one sentence each.
#[derive(Clone, Debug, Default)]
pub struct Faults(pub Vec<String>);

impl Faults {
    /// Note what is wrong with these, if there are any.
    pub fn note<T: std::fmt::Debug>(&mut self, what: &str, wrong: impl IntoIterator<Item = T>) {
        let wrong: Vec<_> = wrong.into_iter().collect();
        if !wrong.is_empty() {
            let examples: Vec<_> = wrong.iter().take(EXAMPLES).collect();
            self.0.push(format!("{} {what}, such as {examples:?}", wrong.len()));
        }
    }
}

/// Hold the journal against the database: each acknowledged order is there once, with its price, and no other is.
///
/// # Errors
/// When the database cannot be asked.
pub async fn journal_and_database(db: &PgPool, journal: &[Placed], faults: &mut Faults) -> Result<(), Trouble> {
    let rows = sqlx::query(
        "select id as order_id, total_price from orders
         union all
         select original_order_id, total_price from order_history",
    )
    .fetch_all(db)
    .await?;
    let mut stored = HashMap::<i64, i64>::new();
    let mut twice = Vec::new();
    for row in rows {
        let (id, total) = (row.try_get("order_id")?, row.try_get("total_price")?);
        if stored.insert(id, total).is_some() {
            twice.push(id);
        }
    }
    let (created, deleted) = created_and_deleted(db).await?;
    let journaled: HashMap<i64, &Placed> = journal.iter().map(|placed| (placed.order_id, placed)).collect();

    faults.note("orders are both open and archived", twice);
    faults.note("keys were answered with the order of another key", repeated(journal));
    let lost = |placed: &&&Placed| !stored.contains_key(&placed.order_id) && !deleted.contains(&placed.order_id);
    faults.note("acknowledged orders are LOST", journaled.values().filter(lost));
    let unknown = stored.keys().filter(|id| !journaled.contains_key(id));
    faults.note("orders are in the database that nobody placed, or were placed TWICE", unknown);
    let wrong = |placed: &&Placed| {
        let stored = stored.get(&placed.order_id).unwrap_or(&placed.expected);
        placed.total != placed.expected || *stored != placed.expected
    };
    faults.note("orders have another price than the card's", journal.iter().filter(wrong));

    let known: HashSet<i64> = stored.keys().copied().chain(deleted.iter().copied()).collect();
    faults.note("orders have no event that they were placed", known.difference(&created));
    faults.note("events tell of orders that were not placed", created.difference(&known));
    Ok(())
}

fn repeated(journal: &[Placed]) -> Vec<i64> {
    let mut seen = HashSet::new();
    journal.iter().map(|placed| placed.order_id).filter(|id| !seen.insert(*id)).collect()
}

/// The ids of orders that events in the outbox say were placed, and deleted.
async fn created_and_deleted(db: &PgPool) -> Result<(HashSet<i64>, HashSet<i64>), Trouble> {
    let (mut created, mut deleted) = (HashSet::new(), HashSet::new());
    for envelope in outbox(db).await? {
        match envelope.event {
            Event::OrderCreated { order } => created.insert(order.id.get()),
            Event::OrderDeleted(event) => deleted.insert(event.order_id.get()),
            _ => false,
        };
    }
    Ok((created, deleted))
}

/// All events there were.
///
/// # Errors
/// When the database cannot be asked.
pub async fn outbox(db: &PgPool) -> Result<Vec<Envelope>, Trouble> {
    let rows = sqlx::query("select payload from outbox order by sequence").fetch_all(db).await?;
    let read = |row| Ok(serde_json::from_str(sqlx::Row::try_get::<&str, _>(&row, "payload")?)?);
    rows.into_iter().map(read).collect()
}

/// How many events wait to be published.
///
/// # Errors
/// When the database cannot be asked.
pub async fn waiting(db: &PgPool) -> Result<i64, Trouble> {
    Ok(sqlx::query("select count(*) from outbox where published_at is null").fetch_one(db).await?.try_get(0)?)
}

/// Hold each recording screen against the outbox and the open orders of its store.
///
/// # Errors
/// When the database cannot be asked.
pub async fn screens(
    db: &PgPool,
    stores: &[Store],
    recording: &[Arc<Screen>],
    faults: &mut Faults,
) -> Result<(), Trouble> {
    let events = outbox(db).await?;
    for store in stores {
        let rows = sqlx::query("select id, version, status from orders where store_id = $1")
            .bind(store.id.0)
            .fetch_all(db)
            .await?;
        let open = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
        let open: HashSet<(i64, i32, OrderStatus)> = open.collect::<Result<_, sqlx::Error>>()?;
        for screen in recording.iter().filter(|screen| screen.store_id == store.id) {
            let missed = events.iter().filter(|event| event.store_id == store.id && !screen.knows(event));
            faults.note("events never reached a screen", missed.map(|event| event.event_id));
            let shown = screen.orders();
            faults.note("open orders are not on a screen as they are", open.difference(&shown));
            faults.note("orders are on a screen that are not open so", shown.difference(&open));
        }
    }
    Ok(())
}
