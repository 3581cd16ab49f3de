//! `GET /demo`: a table's tablet beside the staff's board, for front-end engineers to read and restaurant owners to try.
//!
//! The page and its files stand outside the API: they are in no OpenAPI document, since no client is written against them,
//! and outside the service's layers, since they need no token and no caller's requests are counted for them. They hold the
//! demo logins, which are public, and so are not there in production.

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::routing::get;
use serde_json::json;

use crate::demo::{STORES, TABLE_PASSWORD};

/// Nothing but this origin's own files and calls; no script or style in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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

/// The routes of the page, its path and below.
pub fn router() -> Router {
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
        "/demo/placing.js" "placing.js" JAVASCRIPT;
        "/demo/tablet.js" "tablet.js" JAVASCRIPT;
        "/demo/wait.js" "wait.js" JAVASCRIPT;
    };
    let router = Router::new().route("/demo/stores.json", get(async || (headers(JSON), stores())));
    files
        .into_iter()
        .fold(router, |router, (path, kind, text)| router.route(path, get(async move || (headers(kind), text))))
}

fn headers(kind: &'static str) -> [(HeaderName, &'static str); 5] {
    [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // Rebuilt a moment ago, perhaps.
        (CACHE_CONTROL, "no-cache"),
    ]
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
