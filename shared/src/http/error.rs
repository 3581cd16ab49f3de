//! Errors as responses: `{"error": {"code", "message", "details"}}`.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::error::{Code, Error};

impl IntoResponse for Error {
    /// The status alone; [`render`], which knows the client's language, writes the body.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl IntoResponse for Code {
    fn into_response(self) -> Response {
        Error::from(self).into_response()
    }
}

/// The body of every error.
#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorOut<'a>,
}

#[derive(Serialize)]
struct ErrorOut<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Value>,
}

/// Write the body of an error in one of the languages the client accepts, and log the ones that are ours, whole and once.
pub fn render(response: &mut Response, languages: Option<&HeaderValue>) {
    let Some(error) = response.extensions_mut().remove::<Arc<Error>>() else { return };
    match error.code.status() {
        500 => tracing::error!(exception = ?error, code = error.code.as_str(), "internal error"),
        501.. => tracing::warn!(exception = ?error, code = error.code.as_str(), "cannot answer now"),
        _ => tracing::debug!(code = error.code.as_str(), "refused"),
    }
    let message = if prefers_english(languages) { error.code.english() } else { error.code.korean() };
    let body = ErrorBody { error: ErrorOut { code: error.code.as_str(), message, details: error.details.as_ref() } };
    // Strings and values that are JSON already cannot fail to be written.
    *response.body_mut() = Body::from(serde_json::to_vec(&body).unwrap_or_default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if error.code.status() == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(wait) = error.retry_after {
        // Rounded up: coming back then must succeed.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
}

/// Whether the client would rather read English than Korean, which it gets when it does not say.
fn prefers_english(languages: Option<&HeaderValue>) -> bool {
    let Some(accepted) = languages.and_then(|value| value.to_str().ok()) else { return false };
    let quality = |language: &str| {
        let ranges = accepted.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next()?;
            let primary = tag.split('-').next()?;
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
            primary.eq_ignore_ascii_case(language).then_some(quality).flatten()
        });
        ranges.fold(0.0f32, f32::max)
    };
    quality("en") > quality("ko")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_unless_english_is_preferred() {
        let english = |value| prefers_english(Some(&HeaderValue::from_static(value)));
        assert!(english("en"));
        assert!(english("en-US,en;q=0.9,ko;q=0.5"));
        assert!(!english("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7"));
        assert!(!english("*"));
        assert!(!english("fr"));
        assert!(!english("en;q=zero"));
        assert!(!prefers_english(None));
    }
}
