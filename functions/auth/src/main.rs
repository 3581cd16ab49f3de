//! Runs the `auth` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve_signing(auth::router).await
}
