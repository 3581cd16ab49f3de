//! Runs the `stores` routes under AWS Lambda.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve(stores::router, &stores::VARIABLES).await
}
