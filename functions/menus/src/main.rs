//! Runs the `menus` routes under AWS Lambda.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve(menus::router, &menus::VARIABLES).await
}
