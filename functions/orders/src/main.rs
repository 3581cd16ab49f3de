//! Runs the `orders` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve(orders::router).await
}
