//! How events travel: from the outbox through the relay and RabbitMQ to the fan-out, which fills the feed that the streams
//! read. In one process the relay hands them to the fan-out itself.

pub mod bus;
pub mod fanout;
pub mod feed;
pub mod parked;
pub mod publisher;
pub mod relay;
pub mod rmq;
pub mod topology;
