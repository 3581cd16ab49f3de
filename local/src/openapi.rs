//! The description of the whole API, as it is committed and published.

use shared::Result;
use shared::events::feed::Feed;
use shared::http::openapi;
use stream::Streams;
use tokio_util::sync::CancellationToken;

/// The document, generated from every route.
pub fn document() -> Result<String> {
    let routes = crate::routes(Streams::new(Feed::local("nobody"), CancellationToken::new()));
    let document = openapi::document(&routes.openapi())?;
    Ok(format!("{}\n", serde_json::to_string_pretty(&document)?))
}
