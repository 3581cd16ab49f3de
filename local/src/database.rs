//! The database: the one that is named, or a private one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use private_services::postgres::{Durability, Server};
use secrecy::ExposeSecret;
use shared::config::Config;
use shared::db::{self, MIGRATIONS};
use sqlx::{Connection, PgConnection};

use crate::Trouble;
use crate::environment;

/// How long a database that is named may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database that answers.
pub(crate) struct Database {
    /// Its URL, with the password.
    pub(crate) url: String,
    server: Option<Server>,
}

impl Database {
    /// Open the database that `DATABASE_URL` names, or start a private one.
    pub(crate) async fn open(config: &Config) -> Result<Self, Trouble> {
        let database = match &config.database_url {
            Some(url) => Self { url: url.expose_secret().to_owned(), server: None },
            None => {
                eprintln!("Starting PostgreSQL.");
                let server = Server::start(&folder(), Durability::Full).await?;
                Self { url: server.url(), server: Some(server) }
            }
        };
        database.connect().await?.close().await?;
        Ok(database)
    }

    /// Where the data of our own server lives.
    pub(crate) fn private_folder(&self) -> Option<&Path> {
        self.server.as_ref().map(Server::folder)
    }

    /// Apply the migrations that are missing.
    pub(crate) async fn migrate(&self) -> Result<(), Trouble> {
        let mut connection = self.connect().await?;
        MIGRATIONS.run(&mut connection).await.map_err(|error| format!("the database cannot be migrated: {error}"))?;
        Ok(connection.close().await?)
    }

    /// Take back the last migration that was applied.
    pub(crate) async fn migrate_down(&self) -> Result<(), Trouble> {
        let mut connection = self.connect().await?;
        let last = db::last_migration(&mut connection).await?.ok_or("there is no migration to take back")?;
        // Undo everything above the last but one.
        let target = MIGRATIONS.iter().map(|migration| migration.version).filter(|&version| version < last).max();
        MIGRATIONS
            .undo(&mut connection, target.unwrap_or(0))
            .await
            .map_err(|error| format!("migration {last} cannot be taken back: {error}"))?;
        eprintln!("Took back migration {last}.");
        Ok(connection.close().await?)
    }

    /// Stop the server, if it is our own.
    pub(crate) fn close(self) -> Result<(), Trouble> {
        match self.server {
            Some(server) => Ok(server.stop()?),
            None => Ok(()),
        }
    }

    async fn connect(&self) -> Result<PgConnection, Trouble> {
        let options = db::connect_options(&self.url).map_err(|error| format!("DATABASE_URL is wrong: {error}"))?;
        // A migration may take longer than any request.
        let options = options.options([("statement_timeout", "0")]);
        let (host, port) = (options.get_host().to_owned(), options.get_port());
        let unreachable =
            |why: String| format!("the database at {host}:{port} cannot be reached ({why}): check DATABASE_URL");
        match tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(unreachable(error.to_string()).into()),
            Err(_) => Err(unreachable(format!("no answer within {} s", PATIENCE.as_secs())).into()),
        }
    }
}

/// Drop the private database.
pub(crate) async fn reset() -> Result<(), Trouble> {
    Server::reset(&folder()).await?;
    eprintln!("Dropped the private database.");
    Ok(())
}

fn folder() -> PathBuf {
    environment::target().join("local/postgres")
}
