//! Runs the pictures' function under AWS Lambda.

use std::sync::Arc;

use images::{Handler, VARIABLES};
use shared::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = lambda::start(&VARIABLES).await?;
    let handler = Arc::new(Handler::new(&config)?);
    let closing = handler.clone();
    lambda::run(&config, async |event| handler.handle(event).await, async move { closing.close().await }).await
}
