//! HTTP: how requests are read, answers and errors written, and what wraps every route.

pub mod address;
pub mod connection;
pub mod error;
pub mod layers;
pub mod live;
pub mod openapi;
pub mod request;
pub mod response;
pub mod server;

/// The routes of one piece: axum's router with the OpenAPI description of every route in it.
pub type Routes = utoipa_axum::router::OpenApiRouter<crate::app::App>;
