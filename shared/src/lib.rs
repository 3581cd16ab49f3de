//! Everything that two pieces of the table-order service share.
//!
//! From the ground up: [`domain`] holds the pure rules, [`db`] the data access, [`redis`] what all processes share besides,
//! [`auth`] who is calling, [`events`] how news travels, [`http`] how requests are read and answered, and [`app`] ties them
//! together. `domain` knows nothing above it, and nothing here knows a function.

pub mod app;
pub mod auth;
pub mod aws;
mod bounded;
pub mod cache;
pub mod clock;
pub mod config;
pub mod db;
pub mod domain;
pub mod environment;
pub mod error;
pub mod events;
pub mod health;
pub mod http;
pub mod lambda;
pub mod limiter;
pub mod rabbitmq;
pub mod redis;
pub mod rest;
pub mod storage;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod window;

pub use app::App;
pub use error::{Code, Error, Result};

/// SHA-256, by the one cryptography provider.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

/// Bytes in hexadecimal, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
