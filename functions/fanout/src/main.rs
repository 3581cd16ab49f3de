//! Runs the fan-out under AWS Lambda.

use fanout::Handler;
use shared::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let handler = Handler::new(&lambda::start()?)?;
    lambda::run(async |event| handler.handle(event).await, async {}).await
}
