//! One test for both implementations of what processes share.

/// Runs each test twice: given `in_process()` of its type, and given `on_redis()`.
#[macro_export]
macro_rules! in_both_worlds {
    ($($(#[doc = $doc:literal])* async fn $name:ident($given:ident: $Given:ty) $body:block)*) => {$(
        mod $name {
            use super::*;

            $(#[doc = $doc])*
            async fn check(#[allow(unused_mut)] mut $given: $Given) $body

            #[tokio::test]
            async fn in_process() {
                check(<$Given>::in_process().await).await;
            }

            #[tokio::test]
            async fn on_redis() {
                check(<$Given>::on_redis().await).await;
            }
        }
    )*};
}
