//! Runs the `auth` routes under AWS Lambda.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::serve(auth::router, &auth::VARIABLES).await
}
