//! Runs the pictures' function under AWS Lambda.

use std::sync::Arc;

use images::Handler;
use shared::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let handler = Arc::new(Handler::new(&lambda::start()?)?);
    let closing = handler.clone();
    lambda::run(async |event| handler.handle(event).await, async move { closing.close().await }).await
}
