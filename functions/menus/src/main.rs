//! Runs the `menus` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve_changing(menus::router).await
}
