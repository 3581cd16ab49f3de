//! `GET /demo`: a table's tablet beside the staff's board, for front-end engineers to read and restaurant owners to try.
//!
//! The page and its files stand outside the API: they are in no OpenAPI document, since no client is written against them,
//! and outside the service's layers, since they need no token and no caller's requests are counted for them. They hold the
//! demo logins, which are public, and so are not there in production.

use axum::Router;
use axum::http::Uri;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::routing::{MethodRouter, get};
use serde_json::json;

use crate::demo::{STORES, TABLE_PASSWORD};

/// Nothing but this origin's own files and calls, and the pictures' at `others`; no script or style in the page itself.
fn policy(others: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:{others}; connect-src 'self'{others}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const SVG: &str = "image/svg+xml";

macro_rules! files {
    ($($path:literal $file:literal $kind:ident;)*) => {
        [$(($path, $kind, include_str!(concat!("../demo/", $file)))),*]
    };
}

/// The routes of the page, its path and below. Pictures are seen, and uploaded, at `others`, which are URLs.
pub fn router(others: &[impl AsRef<str>]) -> Router {
    let others: String =
        others.iter().filter_map(|url| origin(url.as_ref())).map(|origin| format!(" {origin}")).collect();
    let policy = policy(&others);
    let files = files! {
        "/demo" "index.html" HTML;
        "/demo/api.js" "api.js" JAVASCRIPT;
        "/demo/board.js" "board.js" JAVASCRIPT;
        "/demo/demo.css" "demo.css" CSS;
        "/demo/dom.js" "dom.js" JAVASCRIPT;
        "/demo/icon.svg" "icon.svg" SVG;
        "/demo/live.js" "live.js" JAVASCRIPT;
        "/demo/main.js" "main.js" JAVASCRIPT;
        "/demo/menus.js" "menus.js" JAVASCRIPT;
        "/demo/orders.js" "orders.js" JAVASCRIPT;
        "/demo/pictures.js" "pictures.js" JAVASCRIPT;
        "/demo/placing.js" "placing.js" JAVASCRIPT;
        "/demo/tablet.js" "tablet.js" JAVASCRIPT;
        "/demo/wait.js" "wait.js" JAVASCRIPT;
    };
    let router = Router::new().route("/demo/stores.json", file(&policy, JSON, stores()));
    files
        .into_iter()
        .fold(router, |router, (path, kind, text)| router.route(path, file(&policy, kind, text.to_owned())))
}

/// `scheme://host:port` of a URL, unless it has what a policy could not hold.
fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    Some(format!("{}://{}", uri.scheme()?, uri.authority()?))
}

fn file(policy: &str, kind: &str, text: String) -> MethodRouter {
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_SECURITY_POLICY, policy.to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        // Rebuilt a moment ago, perhaps.
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
    get(async move || (headers, text))
}

/// The demo stores with their logins, for the page to log in with.
fn stores() -> String {
    let store = |store: &crate::demo::DemoStore| {
        json!({
            "id": store.id,
            "name": store.name,
            "username": store.admin.0,
            "password": store.admin.1,
            "tables": (1..=store.tables).map(|number| number.to_string()).collect::<Vec<_>>(),
            "table_password": TABLE_PASSWORD,
        })
    };
    STORES.iter().map(store).collect::<serde_json::Value>().to_string()
}
