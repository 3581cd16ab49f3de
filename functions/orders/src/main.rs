//! Runs the `orders` routes under AWS Lambda.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve(orders::router, &orders::VARIABLES).await
}
