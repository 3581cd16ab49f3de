//! The id of the request that is being answered, for what is made on its way: its events carry it to every screen.

use std::sync::Arc;

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// Answer under this id.
pub fn scope<F: Future>(id: Arc<str>, answer: F) -> impl Future<Output = F::Output> {
    REQUEST_ID.scope(id, answer)
}

/// The id of the request that is being answered, if one is.
pub fn current() -> Option<Arc<str>> {
    REQUEST_ID.try_with(Arc::clone).ok()
}
