//! Runs the `auth` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve_signing(auth::router).await
}
