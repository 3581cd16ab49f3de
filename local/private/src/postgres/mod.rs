//! PostgreSQL.

mod programs;
mod server;

pub use programs::Programs;
pub use server::{Durability, Server};
