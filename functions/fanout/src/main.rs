//! Runs the fan-out under AWS Lambda.

use fanout::{Handler, VARIABLES};
use shared::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = lambda::start(&VARIABLES).await?;
    let handler = Handler::new(&config)?;
    lambda::run(&config, async |event| handler.handle(event).await, async {}).await
}
