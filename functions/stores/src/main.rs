//! Runs the `stores` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve(stores::router).await
}
