//! How events travel: from the outbox through the relay to the feed that the streams read.

pub mod fanout;
pub mod feed;
pub mod relay;
