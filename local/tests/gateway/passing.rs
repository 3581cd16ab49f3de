//! What is passed on, and to whom.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::{Gateway, assert_error, options, serve, soon};

/// Says who it is and what it was asked.
fn named(name: &'static str) -> Router {
    Router::new().fallback(async move |request: Request| format!("{name} {} {}", request.method(), request.uri()))
}

/// Says with which headers it was asked; values of the same name in a list.
fn headers() -> Router {
    Router::new().fallback(async |request: Request| {
        let mut seen = json!({});
        for name in request.headers().keys() {
            let values = request.headers().get_all(name).iter().map(|value| value.to_str().unwrap());
            seen[name.as_str()] = values.collect();
        }
        axum::Json(seen)
    })
}

#[tokio::test]
async fn each_path_is_asked_of_whoever_it_belongs_to() {
    let (api, stream, pictures) =
        (serve(named("api")).await, serve(named("stream")).await, serve(named("pictures")).await);
    let bucket = format!("{pictures}/bucket");
    let gateway = Gateway::before(Some(&api), Some(&stream), Some(&bucket), options()).await;
    for (asked, answered) in [
        ("/api/customer/menus?category_id=%31&q=a+b", "api GET /api/customer/menus?category_id=%31&q=a+b"),
        ("/api/admin/orders/7", "api GET /api/admin/orders/7"),
        ("/api/admin/orders/stream?ticket=t%2B", "stream GET /api/admin/orders/stream?ticket=t%2B"),
        ("/api/customer/orders/stream", "stream GET /api/customer/orders/stream"),
        ("/images/11111111/a%20b.jpg", "pictures GET /bucket/images/11111111/a%20b.jpg"),
        ("/docs", "api GET /docs"),
        ("/metrics/", "api GET /metrics/"),
        ("/", "api GET /"),
    ] {
        assert_eq!(gateway.get(asked).await.text().await.unwrap(), answered);
    }
    for method in ["POST", "PATCH", "DELETE", "OPTIONS", "QUERY"] {
        let request = gateway.client.request(method.parse().unwrap(), gateway.url("/api/customer/orders"));
        let answer = soon(request.send()).await.unwrap().text().await.unwrap();
        assert_eq!(answer, format!("api {method} /api/customer/orders"));
    }
    let demo = gateway.get("/demo").await.text().await.unwrap();
    assert!(demo.contains("<html"), "{demo}");
    assert!(!gateway.get("/metrics").await.text().await.unwrap().contains("api"));
}

#[tokio::test]
async fn without_pictures_there_are_none_and_in_production_no_demo_page() {
    let api = serve(named("api")).await;
    let gateway = Gateway::before(Some(&api), None, None, crate::Options { demo_page: None, ..options() }).await;
    assert_error(gateway.get("/images/1.jpg").await, 404, "NOT_FOUND").await;
    assert_eq!(gateway.get("/demo").await.text().await.unwrap(), "api GET /demo");
}

#[tokio::test]
async fn the_viewer_is_named_and_nothing_is_believed_that_a_client_says_of_it() {
    let secret = Some("s3cret".to_owned().into());
    let api = serve(headers()).await;
    let gateway = Gateway::before(Some(&api), None, None, crate::Options { origin_secret: secret, ..options() }).await;
    let open = Gateway::before(Some(&api), None, None, options()).await;
    for (gateway, secret) in [(&gateway, json!(["s3cret"])), (&open, Value::Null)] {
        let forged = gateway.client.get(gateway.url("/api/customer/menus"));
        let forged = forged.header("CloudFront-Viewer-Address", "192.0.2.1:1");
        let forged = forged.header("cloudfront-viewer-address", "192.0.2.2:2");
        let forged = forged.header("X-Origin-Secret", "s3cret").header("x-origin-secret", "guess");
        let seen: Value = soon(forged.send()).await.unwrap().json().await.unwrap();
        let address = seen["cloudfront-viewer-address"].as_array().unwrap();
        let [address] = address.as_slice() else { panic!("{address:?}") };
        let port = address.as_str().unwrap().strip_prefix("127.0.0.1:").unwrap();
        assert!(port.parse::<u16>().unwrap() > 0 && !["1", "2"].contains(&port), "{port}");
        assert_eq!(seen["x-origin-secret"], secret);
    }
}

#[tokio::test]
async fn what_concerns_one_connection_goes_no_further() {
    let gateway = Gateway::before_api(headers()).await;
    let request = gateway.client.post(gateway.url("/api/customer/orders")).body("{}");
    let request = request.header("connection", "close, X-Mine").header("x-mine", "1").header("keep-alive", "1");
    let request = request.header("te", "trailers").header("upgrade", "websocket").header("proxy-authorization", "x");
    let request = request.header("expect", "100-continue").header("host", "table-order.example");
    let request = request.header("authorization", "Bearer t").header("idempotency-key", "tap-1");
    let request = request.header("x-kept", "a").header("x-kept", "b");
    let seen: Value = soon(request.send()).await.unwrap().json().await.unwrap();
    for name in ["connection", "x-mine", "keep-alive", "te", "upgrade", "proxy-authorization", "expect"] {
        assert_eq!(seen[name], Value::Null, "{name}");
    }
    assert_eq!(seen["authorization"], json!(["Bearer t"]));
    assert_eq!(seen["idempotency-key"], json!(["tap-1"]));
    assert_eq!(seen["x-kept"], json!(["a", "b"]));
    assert_eq!(seen["content-length"], json!(["2"]));
    assert_ne!(seen["host"], json!(["table-order.example"]));

    let answering = Router::new().fallback(async || {
        let headers = [("connection", "x-mine"), ("x-mine", "1"), ("keep-alive", "timeout=9"), ("x-kept", "a")];
        (StatusCode::IM_A_TEAPOT, headers, [("set-cookie", "b")], "short and stout")
    });
    let answer = Gateway::before_api(answering).await.get("/api/customer/menus").await;
    assert_eq!(answer.status(), 418);
    assert_eq!(answer.headers()["x-kept"], "a");
    assert!(!answer.headers().contains_key("x-mine") && !answer.headers().contains_key("keep-alive"));
    assert_eq!(answer.text().await.unwrap(), "short and stout");
}

#[tokio::test]
async fn bytes_arrive_as_they_were_sent() {
    async fn echo(request: Request) -> Response {
        Body::new(request.into_body()).into_response()
    }
    let gateway = Gateway::before_api(Router::new().fallback(echo)).await;
    let bytes: Vec<u8> = (0..1_000_000u32).map(|number| (number.wrapping_mul(number) >> 3) as u8).collect();
    let request = gateway.client.put(gateway.url("/api/admin/images")).body(bytes.clone());
    assert!(soon(request.send()).await.unwrap().bytes().await.unwrap() == bytes);

    let head = soon(gateway.client.head(gateway.url("/api/customer/menus")).send()).await.unwrap();
    assert_eq!((head.status().as_u16(), head.bytes().await.unwrap().len()), (200, 0));
}
