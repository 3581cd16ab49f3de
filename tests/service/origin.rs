//! In production a request comes through CloudFront, or is refused: past it there is no firewall.

use axum::http::Method;
use shared::testing::Options;

use crate::routes::routes;
use crate::service_with;

#[tokio::test]
async fn in_production_every_route_but_health_wants_the_origins_secret() {
    let behind_cloudfront = Options::default().set("APP_ENV", "production").set("ORIGIN_SECRET", "s3cret");
    let app = service_with(behind_cloudfront).await;
    for (method, path) in routes() {
        for secret in [None, Some("guess"), Some("s3cret")] {
            let mut request = app.request(method.clone(), path.replace("{id}", "1"));
            if let Some(secret) = secret {
                request = request.header("x-origin-secret", secret);
            }
            let status = request.send().await.status.as_u16();
            // What monitors ask for, they ask for from within.
            let open = secret == Some("s3cret") || path == "/metrics" || path.starts_with("/health");
            assert_eq!(status != 403, open, "{method} {path} with {secret:?} is answered {status}");
        }
    }
}

#[tokio::test]
async fn elsewhere_nobody_needs_it() {
    let app = service_with(Options::default().set("ORIGIN_SECRET", "s3cret")).await;
    let answer = app.request(Method::GET, "/openapi.json").send().await;
    assert_eq!(answer.status.as_u16(), 200);
}
