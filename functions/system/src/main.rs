//! Runs the `system` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve(system::router).await
}
