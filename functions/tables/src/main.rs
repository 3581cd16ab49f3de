//! Runs the `tables` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve_changing(tables::router).await
}
