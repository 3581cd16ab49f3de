//! The menu card: categories and menus, for guests and admins.

mod categories;
mod customer;
mod images;
mod menus;

use shared::App;
use shared::cache::Entity;
use shared::domain::StoreId;
use shared::environment;
use shared::http::Routes;
use shared::routes;

/// The variables that this function reads.
pub const VARIABLES: [&[&str]; 4] = [
    environment::EVERYWHERE,
    environment::DATABASE,
    environment::HTTP,
    &["NUDGE_QUEUE_URL", "UPLOAD_BUCKET", "IMAGE_BUCKET", "IMAGE_BASE_URL", "S3_PUBLIC_ENDPOINT"],
];

/// The routes of this function.
pub fn router() -> Routes {
    Routes::default()
        .routes(routes!(customer::categories))
        .routes(routes!(customer::menus))
        .routes(routes!(customer::menu))
        .routes(routes!(categories::list, categories::create))
        .routes(routes!(categories::rename, categories::delete))
        .routes(routes!(categories::reorder))
        .routes(routes!(menus::list, menus::create))
        .routes(routes!(menus::read, menus::update, menus::delete))
        .routes(routes!(menus::reorder))
        .routes(routes!(images::create))
        .routes(routes!(images::read))
}

/// Let guests see a change of the card that has been committed: out of the cache, and on to the screens.
async fn card_changed(app: &App, store_id: StoreId) {
    // The event makes good for a drop that fails.
    let _ = app.cache.drop_all(store_id, &[Entity::Categories, Entity::Menus]).await;
    app.bus.nudge();
}
