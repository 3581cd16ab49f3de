//! Runs the `orders` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve_changing(orders::router).await
}
