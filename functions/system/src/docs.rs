//! The API's description and two ways to read it: Swagger UI at `/docs`, ReDoc at `/redoc`.
//!
//! Everything comes from this program, nothing from another host. A Lambda knows its own routes alone, so that what is served
//! is the committed document (`make openapi` writes it from all routes).

use std::io::Read;

use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use shared::{Code, Error, Result};

/// A file that `build.rs` has compressed.
struct Asset {
    media_type: &'static str,
    packed: &'static [u8],
}

macro_rules! asset {
    ($media_type:literal, $name:literal) => {
        Asset { media_type: $media_type, packed: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")) }
    };
}

static DOCUMENT: Asset = asset!("application/json", "openapi.json");
static SWAGGER_UI: Asset = asset!("text/html; charset=utf-8", "docs.html");
static REDOC: Asset = asset!("text/html; charset=utf-8", "redoc.html");
/// What the pages load.
static FILES: &[(&str, Asset)] = &[
    ("docs.js", asset!("text/javascript; charset=utf-8", "docs.js")),
    ("favicon.png", asset!("image/png", "favicon-32x32.png")),
    ("redoc.js", asset!("text/javascript; charset=utf-8", "redoc.js")),
    ("redoc.standalone.js", asset!("text/javascript; charset=utf-8", "redoc.standalone.js")),
    ("swagger-ui-bundle.js", asset!("text/javascript; charset=utf-8", "swagger-ui-bundle.js")),
    ("swagger-ui.css", asset!("text/css; charset=utf-8", "swagger-ui.css")),
];

/// Swagger UI and ReDoc write styles into the page, show pictures of their own, and ReDoc searches in a worker of its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "system",
    operation_id = "system_openapi",
    security(()),
    responses(
        (status = 200, description = "The description of the API (OpenAPI 3.1).", body = Object),
        (status = 304, description = "The client has it already (`If-None-Match`)."),
    ),
)]
pub(crate) async fn openapi(headers: HeaderMap) -> Result<Response> {
    serve(&DOCUMENT, &headers)
}

/// Swagger UI: read the API, and try it out.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "system",
    operation_id = "system_docs",
    security(()),
    responses(
        (status = 200, description = "The page.", content_type = "text/html", body = String),
        (status = 304, description = "The client has it already (`If-None-Match`)."),
    ),
)]
pub(crate) async fn swagger_ui(headers: HeaderMap) -> Result<Response> {
    serve(&SWAGGER_UI, &headers)
}

/// ReDoc: read the API.
#[utoipa::path(
    get,
    path = "/redoc",
    tag = "system",
    operation_id = "system_redoc",
    security(()),
    responses(
        (status = 200, description = "The page.", content_type = "text/html", body = String),
        (status = 304, description = "The client has it already (`If-None-Match`)."),
    ),
)]
pub(crate) async fn redoc(headers: HeaderMap) -> Result<Response> {
    serve(&REDOC, &headers)
}

/// What the pages load. Not part of the API.
pub(crate) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response> {
    let (_, asset) = FILES.iter().find(|(known, _)| *known == name).ok_or(Code::NotFound)?;
    serve(asset, &headers)
}

fn serve(asset: &Asset, headers: &HeaderMap) -> Result<Response> {
    let hash = shared::hex(&shared::sha256(asset.packed)[..16]);
    // Weak: packed or not, it is the same to a reader.
    let etag = HeaderValue::try_from(format!("W/\"{hash}\"")).map_err(Error::internal)?;
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.flat_map(|value| value.split(',')).any(|tag| tag.trim() == etag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else if accepts_gzip(headers) {
        ([(CONTENT_TYPE, asset.media_type), (CONTENT_ENCODING, "gzip")], asset.packed).into_response()
    } else {
        let mut bytes = Vec::new();
        GzDecoder::new(asset.packed).read_to_end(&mut bytes).map_err(Error::internal)?;
        ([(CONTENT_TYPE, asset.media_type)], bytes).into_response()
    };
    let answer = response.headers_mut();
    answer.insert(ETAG, etag);
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    answer.insert(VARY, HeaderValue::from_static("accept-encoding"));
    answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if asset.media_type.starts_with("text/html") {
        answer.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        answer.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    Ok(response)
}

/// Whether the client unpacks gzip.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(";q=").unwrap_or((coding, "1"));
        name.trim().eq_ignore_ascii_case("gzip") && quality.trim().parse().is_ok_and(|quality: f32| quality > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_accept_it() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert!(accepts("gzip, deflate, br, zstd"));
        assert!(accepts("br;q=1.0, gzip;q=0.8"));
        assert!(!accepts("gzip;q=0"));
        assert!(!accepts("br, identity"));
        assert!(!accepts("xgzip"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
