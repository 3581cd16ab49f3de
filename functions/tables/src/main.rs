//! Runs the `tables` routes under AWS Lambda.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve(tables::router, &tables::VARIABLES).await
}
