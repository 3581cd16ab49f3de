//! The plans: what is made to go wrong in a long run, a quick one, and within the tests.

use std::time::Duration;

use crate::faults::{FANOUT_STEPS, Fault, RELAY_STEPS};

/// What is done in a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Orders a second.
    pub orders_a_second: f64,
    /// Screens that see to it that nothing is missing, besides two in each store that are held against the database.
    pub screens: usize,
    /// Screens more than that, half of them at each container, while one of the containers is killed.
    pub crowd: usize,
    /// How long what the last fault left behind may take to pass, before the calm.
    pub settling: Duration,
    /// How long nothing happens before a fault that lasts: what the requests meanwhile are held beside.
    pub calm: Duration,
    /// How long a fault lasts that lasts.
    pub lasts: Duration,
    /// The faults, in this order.
    pub faults: Vec<Fault>,
    /// Over and over again, until so many processes were killed and so many orders placed.
    pub until: Option<(u64, usize)>,
}

impl Plan {
    /// Everything, until 300 processes were killed and 40,000 orders placed.
    pub fn long() -> Self {
        Self {
            orders_a_second: 40.0,
            screens: 24,
            crowd: 1_000,
            settling: Duration::from_secs(2),
            calm: Duration::from_secs(4),
            lasts: Duration::from_secs(5),
            faults: every(500),
            until: Some((300, 40_000)),
        }
    }

    /// Everything once, in some three minutes.
    pub fn quick() -> Self {
        Self {
            settling: Duration::from_secs(1),
            calm: Duration::from_secs(2),
            lasts: Duration::from_secs(3),
            faults: every(100),
            until: None,
            ..Self::long()
        }
    }

    /// One of a kind, for the tests, whose binaries are not optimised.
    pub fn short() -> Self {
        let relay_steps = [1, 4, 5, 8].map(Fault::RelayKilled);
        let others = [
            Fault::RabbitMqKilled,
            Fault::BindingRemoved,
            Fault::FanoutKilled(1),
            Fault::EventsTripledAndShuffled,
            Fault::UnreadableMessages,
            Fault::RedisFlushed,
            Fault::RedisLost,
            Fault::RedisDownFor(30),
            Fault::StreamKilled,
            Fault::PostgresKilled,
            Fault::SqsGone,
            Fault::OrdersKilled,
        ];
        Self {
            orders_a_second: 10.0,
            screens: 20,
            crowd: 100,
            settling: Duration::ZERO,
            calm: Duration::from_millis(200),
            lasts: Duration::from_secs(1),
            faults: relay_steps.into_iter().chain(others).collect(),
            until: None,
        }
    }
}

/// Every fault there is, those that kill at a step once for each.
fn every(deliveries: u32) -> Vec<Fault> {
    let lasting = [
        Fault::Nothing,
        Fault::RabbitMqKilled,
        Fault::RabbitMqPaused,
        Fault::RabbitMqBlocked,
        Fault::RedisKilled,
        Fault::RedisPaused,
        Fault::SqsGone,
        Fault::SqsSilent,
    ];
    let others = [
        Fault::BindingRemoved,
        Fault::EventsTripledAndShuffled,
        Fault::UnreadableMessages,
        Fault::RedisFlushed,
        Fault::RedisLost,
        Fault::RedisDownFor(deliveries),
        Fault::StreamKilled,
        Fault::ClientNeverReads,
        Fault::PostgresKilled,
        Fault::OrdersKilled,
        Fault::SourcesKilled,
    ];
    let relay = (0..RELAY_STEPS.len()).map(Fault::RelayKilled);
    let fanout = (0..FANOUT_STEPS.len()).map(Fault::FanoutKilled);
    lasting.into_iter().chain(relay).chain(fanout).chain(others).collect()
}
