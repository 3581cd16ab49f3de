//! The faults: the list of them, what each is called, and what may be wanted of the service meanwhile. How each is made and
//! mended is in [`crate::making`].

use std::fmt;

use crate::proxy::Moment;

/// AMQP's `basic.publish`, as it begins in a frame.
const PUBLISH: &[u8] = &[0, 60, 0, 40];

/// Where the relay is killed: what it is about to do or has done, and the moment in the conversation with its server.
pub const RELAY_STEPS: [(&str, Server, Moment); 9] = [
    ("before its transaction", Server::Postgres, Moment { sends: b"BEGIN", answers: 0 }),
    ("holding the outbox's lock", Server::Postgres, Moment { sends: b"pg_advisory_xact_lock", answers: 2 }),
    ("having read events", Server::Postgres, Moment { sends: b"next_attempt_at <=", answers: 2 }),
    ("before publishing", Server::RabbitMq, Moment { sends: PUBLISH, answers: 0 }),
    ("published, not confirmed", Server::RabbitMq, Moment { sends: PUBLISH, answers: 1 }),
    ("confirmed, not marked", Server::Postgres, Moment { sends: b"set published_at", answers: 0 }),
    ("marked, not committed", Server::Postgres, Moment { sends: b"set published_at", answers: 2 }),
    ("before its commit", Server::Postgres, Moment { sends: b"COMMIT", answers: 0 }),
    ("committed without knowing", Server::Postgres, Moment { sends: b"COMMIT", answers: 1 }),
];

/// Where the fan-out is killed, around its write into Redis.
pub const FANOUT_STEPS: [(&str, Moment); 3] = [
    ("before its write", Moment { sends: b"EVALSHA", answers: 0 }),
    ("after its write, without knowing", Moment { sends: b"EVALSHA", answers: 1 }),
    ("after two writes, without knowing", Moment { sends: b"EVALSHA", answers: 2 }),
];

/// Whom the relay talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The outbox.
    Postgres,
    /// The broker.
    RabbitMq,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: to compare with.
    Nothing,
    /// RabbitMQ is killed, and started again.
    RabbitMqKilled,
    /// RabbitMQ stands still.
    RabbitMqPaused,
    /// RabbitMQ takes no messages, because it has no memory left.
    RabbitMqBlocked,
    /// The binding of a queue is removed, while the monitoring queue's stays.
    BindingRemoved,
    /// The relay is killed at one of [`RELAY_STEPS`].
    RelayKilled(usize),
    /// The fan-out is killed at one of [`FANOUT_STEPS`].
    FanoutKilled(usize),
    /// Every event comes three times before it comes from the relay, in any order.
    EventsTripledAndShuffled,
    /// A message that nobody can read, in each queue.
    UnreadableMessages,
    /// Redis is killed, and started again, empty.
    RedisKilled,
    /// Redis loses all it holds.
    RedisFlushed,
    /// Redis stands still.
    RedisPaused,
    /// Redis is gone, as far as `fanout` and the streams can tell, without a word, and another one takes its place: a fail-over.
    RedisLost,
    /// Redis is down while messages are delivered so often.
    RedisDownFor(u32),
    /// One of two containers of streams is killed.
    StreamKilled,
    /// A client opens a stream and never reads.
    ClientNeverReads,
    /// PostgreSQL is killed, with requests in flight, and started again.
    PostgresKilled,
    /// Nobody listens where SQS should be.
    SqsGone,
    /// SQS takes connections and does not answer.
    SqsSilent,
    /// `orders` is killed again and again, with requests in flight.
    OrdersKilled,
    /// The event source mappings are killed.
    SourcesKilled,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Nothing => "no fault",
            Self::RabbitMqKilled => "RabbitMQ killed",
            Self::RabbitMqPaused => "RabbitMQ stands still",
            Self::RabbitMqBlocked => "RabbitMQ out of memory",
            Self::BindingRemoved => "a queue's binding removed",
            Self::RelayKilled(step) => return write!(f, "relay killed {}", RELAY_STEPS[*step].0),
            Self::FanoutKilled(step) => return write!(f, "fan-out killed {}", FANOUT_STEPS[*step].0),
            Self::EventsTripledAndShuffled => "events tripled and shuffled",
            Self::UnreadableMessages => "unreadable messages",
            Self::RedisKilled => "Redis killed",
            Self::RedisFlushed => "Redis flushed",
            Self::RedisPaused => "Redis stands still",
            Self::RedisLost => "Redis lost without a word",
            Self::RedisDownFor(deliveries) => return write!(f, "Redis down for {deliveries} deliveries"),
            Self::StreamKilled => "one of two stream containers killed",
            Self::ClientNeverReads => "a client that never reads",
            Self::PostgresKilled => "PostgreSQL killed",
            Self::SqsGone => "SQS gone",
            Self::SqsSilent => "SQS silent",
            Self::OrdersKilled => "orders killed",
            Self::SourcesKilled => "event source mappings killed",
        };
        f.write_str(name)
    }
}

impl Fault {
    /// Whether requests to place an order may fail meanwhile: a broken broker, queue or Redis is no excuse.
    pub fn may_fail_orders(self) -> bool {
        matches!(self, Self::PostgresKilled | Self::OrdersKilled)
    }

    /// Whether the requests meanwhile tell how guests fare: it lasts, and does not consist in other work for the machine.
    pub fn lasts(self) -> bool {
        matches!(
            self,
            Self::Nothing
                | Self::RabbitMqKilled
                | Self::RabbitMqPaused
                | Self::RabbitMqBlocked
                | Self::RedisKilled
                | Self::RedisPaused
                | Self::SqsGone
                | Self::SqsSilent
        )
    }
}
