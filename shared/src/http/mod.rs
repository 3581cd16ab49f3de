//! HTTP: how requests are read, answers and errors written, and what wraps every route.

pub mod address;
pub mod connection;
pub mod error;
pub mod layers;
pub mod live;
pub mod openapi;
pub mod request;
pub mod response;
mod routes;
pub mod server;

pub use routes::{PathRoutes, Routes, methods};
/// For [`routes!`](crate::routes).
#[doc(hidden)]
pub use utoipa_axum;
