//! The whole service in one process.

pub mod changes;
pub mod demo;
pub mod demo_page;
pub mod gateway;
pub mod laid_aside;
pub mod openapi;
pub mod pictures;
pub mod serve;
pub mod sources;

use shared::http::Routes;
use stream::Streams;

/// Every route of the service.
pub fn routes(streams: Streams) -> Routes {
    Routes::default()
        .merge(auth::router())
        .merge(menus::router())
        .merge(orders::router())
        .merge(tables::router())
        .merge(stores::router())
        .merge(system::router())
        .merge(stream::router(streams))
}
