//! Runs the `menus` routes under AWS Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve(menus::router).await
}
