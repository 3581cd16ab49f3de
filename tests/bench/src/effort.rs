//! How much a run measures.

use std::time::Duration;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Rounds of orders for each side.
    pub(crate) order_rounds: usize,
    /// Rounds of menu lists for each side: many and short, because the price of a request that wakes an idle machine
    /// changes from one second to the next.
    pub(crate) menu_rounds: usize,
    /// Requests at once in the comparison with `pgbench`.
    pub(crate) clients: &'static [usize],
    /// Cold starts of each function.
    pub(crate) cold_rounds: usize,
    /// Rounds of draining the outbox for each side.
    pub(crate) drain_rounds: usize,
    /// Events that wait in the outbox when it is drained.
    pub(crate) drained: i64,
    /// Orders of a round that are followed to the board.
    pub(crate) boarded: usize,
    /// How often a round measures the steps of that way alone.
    pub(crate) floors: usize,
    /// Streams open at once.
    pub(crate) streams: &'static [usize],
    /// Deliveries of a round to these streams, at least.
    pub(crate) deliveries: usize,
    /// Questions of a round to Redis, and events of a round with many stores.
    pub(crate) asked: usize,
    /// Rounds of pictures for each side.
    pub(crate) picture_rounds: usize,
    /// How often a round makes a picture.
    pub(crate) pictures: usize,
    /// How much shorter everything is.
    scale: f64,
}

impl Effort {
    /// What the results in `docs/PERFORMANCE.md` come from: about fifteen minutes.
    pub(crate) const FULL: Self = Self {
        order_rounds: 5,
        menu_rounds: 15,
        clients: &[8, 16],
        cold_rounds: 15,
        drain_rounds: 5,
        drained: 5_000,
        boarded: 150,
        floors: 100,
        streams: &[1_000, 5_000],
        deliveries: 50_000,
        asked: 2_000,
        picture_rounds: 5,
        pictures: 20,
        scale: 1.0,
    };
    /// Less than three minutes.
    pub(crate) const QUICK: Self = Self {
        order_rounds: 3,
        menu_rounds: 5,
        clients: &[8],
        cold_rounds: 3,
        drain_rounds: 3,
        drained: 2_000,
        boarded: 20,
        floors: 10,
        streams: &[1_000, 5_000],
        deliveries: 10_000,
        asked: 300,
        picture_rounds: 3,
        pictures: 5,
        scale: 0.25,
    };

    /// The time of a round of orders, in whole seconds because `pgbench` knows no others.
    pub(crate) fn order_round(&self) -> Duration {
        Duration::from_secs(self.seconds(6.0).as_secs_f64().ceil() as u64)
    }

    /// A time of a full run, for this one.
    pub(crate) fn seconds(&self, full: f64) -> Duration {
        Duration::from_secs_f64(full * self.scale)
    }
}
