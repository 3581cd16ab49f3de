//! Runs the migrations under AWS Lambda, inside the network that the database and the broker are in.

use migrate::VARIABLES;
use shared::environment;
use shared::lambda::{self, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = lambda::start(&VARIABLES).await?;
    let handle = async |event| {
        // Read again: RDS changes its owner's password every week, and an environment may be older.
        let config = environment::read(&VARIABLES).await.map_err(shared::Error::internal)?;
        migrate::handle(&config, &event).await
    };
    lambda::run(&config, handle, async {}).await
}
