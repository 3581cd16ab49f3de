//! Runs the migrations under AWS Lambda, inside the network that the database and the broker are in.

use shared::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = lambda::start()?;
    migrate::check(&config)?;
    lambda::run(async |_| migrate::migrate(&config).await, async {}).await
}
