//! Runs the `tables` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve(tables::router).await
}
