//! Runs the streams as a container.

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    stream::container::run().await
}
