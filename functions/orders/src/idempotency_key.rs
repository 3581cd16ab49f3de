//! The `Idempotency-Key` header.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use shared::error::{Error, Result};
use shared::http::layers::IDEMPOTENCY_KEY;

/// The key a client sends the same order again with: 1–255 visible ASCII characters, or none.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let mut sent = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(key) = sent.next() else { return Ok(Self(None)) };
        let visible = |key: &&str| (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        match key.to_str().ok().filter(visible) {
            Some(key) if sent.next().is_none() => Ok(Self(Some(key.to_owned()))),
            _ => Err(Error::field("Idempotency-Key", "must be one key of 1 to 255 visible ASCII characters")),
        }
    }
}
