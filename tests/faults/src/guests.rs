//! Load: guests order at a steady rate, staff move orders on, delete some and close tables, and the menu card changes.
//! Every acknowledged order is written into the journal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lambda_emulator::Lambda;
use serde_json::{Value, json};
use shared::domain::StoreId;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gateway::{Request, Response};

/// Pause before an order is sent again, with the same key.
const AGAIN: Duration = Duration::from_millis(200);
/// How many orders of the journal staff choose from: the newest.
const AT_HAND: usize = 60;

/// A restaurant: who orders, who works, and what there is.
pub struct Store {
    /// Its id.
    pub id: StoreId,
    /// A token of its staff.
    pub admin: String,
    /// A token of each table, with the table's id.
    pub tables: Vec<(i64, String)>,
    /// Menus that can be ordered, with their prices. The first one is changed all the time, but for its price.
    pub menus: Vec<(i64, i64)>,
}

/// An order that was acknowledged.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The table.
    pub table_id: i64,
    /// The key it was sent under.
    pub key: String,
    /// What was answered.
    pub order_id: i64,
    /// What it comes to by the prices of the card, in won.
    pub expected: i64,
    /// What was answered that it comes to, in won.
    pub total: i64,
    store: usize,
}

/// How a request to place an order went, the first time it was sent.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// When it was sent.
    pub at: Instant,
    /// How long the answer took.
    pub took: Duration,
    /// Why it was not placed, if it was not.
    pub failure: Option<String>,
}

/// Guests and staff at work.
pub struct Load {
    lambda: Lambda,
    stores: Vec<Store>,
    journal: Mutex<Vec<Placed>>,
    outcomes: Mutex<Vec<Outcome>>,
    /// Requests of staff that were answered with a fault of ours.
    pub staff_failures: AtomicU64,
    sending: CancellationToken,
    tasks: TaskTracker,
}

impl Load {
    /// Nobody there yet.
    pub fn new(lambda: Lambda, stores: Vec<Store>) -> Arc<Self> {
        Arc::new(Self {
            lambda,
            stores,
            journal: Mutex::default(),
            outcomes: Mutex::default(),
            staff_failures: AtomicU64::new(0),
            sending: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// Begin: so many orders a second, and half as many deeds of staff.
    pub fn begin(self: &Arc<Self>, orders_a_second: f64) {
        let each = Duration::from_secs_f64(1.0 / orders_a_second);
        self.every(each, |this| async move { this.order(None).await });
        self.every(each * 2, |this| async move { this.work().await });
        self.every(Duration::from_secs(1), |this| async move { this.change_the_card().await });
    }

    /// Do something at a steady rate, however long it takes each time.
    fn every<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        period: Duration,
        deed: impl Fn(Arc<Self>) -> F + Send + 'static,
    ) {
        let this = self.clone();
        self.tasks.spawn(self.sending.clone().run_until_cancelled_owned(async move {
            let mut due = interval(period);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            loop {
                due.tick().await;
                this.tasks.spawn(deed(this.clone()));
            }
        }));
    }

    /// Send no new orders, and wait until all that were sent are acknowledged.
    pub async fn end(&self) {
        self.sending.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Place an order at some table and send it until it is acknowledged. With a note, every line has it, and there are as
    /// many lines as an order may have.
    pub async fn order(self: Arc<Self>, note: Option<&str>) {
        let store_number = fastrand::usize(..self.stores.len());
        let store = &self.stores[store_number];
        let (table_id, token) = &store.tables[fastrand::usize(..store.tables.len())];
        let lines = if note.is_some() { 50 } else { fastrand::usize(1..=3) };
        let mut expected = 0;
        let items: Vec<Value> = (0..lines)
            .map(|_| {
                let (menu_id, price) = store.menus[fastrand::usize(..store.menus.len())];
                let quantity = fastrand::i64(1..=3);
                expected += price * quantity;
                json!({ "menu_id": menu_id, "quantity": quantity, "note": note })
            })
            .collect();
        let (body, key) = (json!({ "items": items }), random());
        let path = "/api/customer/orders";
        let request = Request { function: "orders", method: "POST", path, token, key: Some(&key), body: Some(&body) };
        let at = Instant::now();
        let mut answer = request.send(&self.lambda).await;
        let failure = (answer.status != 201).then(|| describe(&answer));
        lock(&self.outcomes).push(Outcome { at, took: at.elapsed(), failure });
        while answer.status != 201 {
            sleep(AGAIN).await;
            answer = request.send(&self.lambda).await;
        }
        let number = |field: &str| answer.body[field].as_i64().unwrap_or_default();
        let (order_id, total) = (number("id"), number("total_price"));
        lock(&self.journal).push(Placed { table_id: *table_id, key, order_id, expected, total, store: store_number });
    }

    /// Staff do something with one of the newest orders.
    async fn work(&self) {
        let Some(order) = self.at_hand() else { return };
        let (id, admin) = (order.order_id, &self.stores[order.store].admin);
        let dice = fastrand::u32(..100);
        let (function, method, path, body) = match dice {
            0..5 => ("orders", "DELETE", format!("/api/admin/orders/{id}"), None),
            5..8 => ("tables", "POST", format!("/api/admin/tables/{}/complete-session", order.table_id), None),
            _ => {
                let status = ["preparing", "ready", "served", "cancelled"][fastrand::usize(..4)];
                let body = Some(json!({ "status": status }));
                ("orders", "PATCH", format!("/api/admin/orders/{id}/status"), body)
            }
        };
        self.ask_as_staff(function, method, &path, admin, body.as_ref()).await;
    }

    /// An order among the newest. They are refused what is too late for them, as is right.
    fn at_hand(&self) -> Option<Placed> {
        let journal = lock(&self.journal);
        let newest = &journal[journal.len().saturating_sub(AT_HAND)..];
        (!newest.is_empty()).then(|| newest[fastrand::usize(..newest.len())].clone())
    }

    async fn change_the_card(&self) {
        let store = &self.stores[fastrand::usize(..self.stores.len())];
        let path = format!("/api/admin/menus/{}", store.menus[0].0);
        let body = json!({ "description": random() });
        self.ask_as_staff("menus", "PATCH", &path, &store.admin, Some(&body)).await;
    }

    async fn ask_as_staff(&self, function: &str, method: &str, path: &str, token: &str, body: Option<&Value>) {
        let answer = Request { function, method, path, token, key: None, body }.send(&self.lambda).await;
        if answer.status >= 500 {
            self.staff_failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The orders that were acknowledged.
    pub fn journal(&self) -> Vec<Placed> {
        lock(&self.journal).clone()
    }

    /// How many orders were acknowledged.
    pub fn acknowledged(&self) -> usize {
        lock(&self.journal).len()
    }

    /// How requests to place an order went that were sent between two moments.
    pub fn outcomes(&self, from: Instant, until: Instant) -> Vec<Outcome> {
        let outcomes = lock(&self.outcomes);
        outcomes.iter().filter(|outcome| from <= outcome.at && outcome.at < until).cloned().collect()
    }

    /// The stores.
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }
}

/// A percentile of how long answers took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Percentile {
    /// What so many in a hundred do not exceed.
    pub value: f64,
    /// Where it lies with 95 % confidence, as far as chance goes.
    pub between: [f64; 2],
}

impl Percentile {
    /// The `percent`th. All is 0 without any answer.
    ///
    /// The bounds are answers, too: how many of `n` independent ones are faster than the true percentile is binomially
    /// distributed, here by its normal approximation.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>, percent: f64) -> Self {
        let mut took: Vec<_> = outcomes.into_iter().map(|outcome| outcome.took).collect();
        took.sort_unstable();
        let (number, share) = (took.len() as f64, percent / 100.0);
        let at = |rank: f64| {
            let index = (rank as usize).clamp(1, took.len().max(1)) - 1;
            took.get(index).map_or(0.0, |took| took.as_secs_f64() * 1000.0)
        };
        let rank = number * share;
        let away = 1.96 * (number * share * (1.0 - share)).sqrt();
        Self { value: at(rank.ceil()), between: [at((rank - away).floor()), at((rank + away).ceil() + 1.0)] }
    }
}

fn random() -> String {
    format!("{:032x}", fastrand::u128(..))
}

fn describe(answer: &Response) -> String {
    format!("{} {}", answer.status, answer.body)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_value_that_so_many_do_not_exceed() {
        let outcome = |took| Outcome { at: Instant::now(), took: Duration::from_millis(took), failure: None };
        let outcomes: Vec<_> = (1..=200).rev().map(outcome).collect();
        assert_eq!(Percentile::of(&outcomes, 50.0).value, 100.0);
        assert_eq!(Percentile::of(&outcomes, 99.0), Percentile { value: 198.0, between: [195.0, 200.0] });
        assert_eq!(Percentile::of(&outcomes, 100.0).value, 200.0);
        assert_eq!(Percentile::of(&[], 99.0).value, 0.0);
    }
}
