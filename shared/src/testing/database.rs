//! A database for one test, copied from the migrated one that `with-services` made.

use std::env;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::db;

/// A database that lives as long as this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
}

impl TestDatabase {
    /// A copy of the migrated database.
    pub async fn create() -> Self {
        let url = env::var("DATABASE_URL")
            .expect("tests need PostgreSQL: run `make test`, or `target/debug/with-services cargo test …`");
        let template = PgConnectOptions::from_str(&url).unwrap().get_database().unwrap().to_owned();
        let database = Self { name: format!("test_{}", Uuid::from_bytes(crate::clock::random()).simple()), url };
        database.administer(&format!("create database {} template {template}", database.name)).await;
        database
    }

    /// A copy of this one, to which nobody may be connected.
    pub async fn copy(&self) -> Self {
        let copy =
            Self { name: format!("test_{}", Uuid::from_bytes(crate::clock::random()).simple()), url: self.url.clone() };
        self.administer(&format!("create database {} template {}", copy.name, self.name)).await;
        copy
    }

    /// An empty database, for tests of the migrations themselves.
    pub async fn create_empty() -> Self {
        let url = env::var("DATABASE_URL").expect("tests need PostgreSQL: run `make test`");
        let database = Self { name: format!("test_{}", Uuid::from_bytes(crate::clock::random()).simple()), url };
        database.administer(&format!("create database {}", database.name)).await;
        database
    }

    /// How to connect to it.
    pub fn options(&self) -> PgConnectOptions {
        db::connect_options(&self.url).unwrap().database(&self.name)
    }

    /// Its URL, for another process.
    pub fn url(&self) -> String {
        let (server, _) = self.url.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    /// End all its connections and let nobody connect.
    pub async fn cut_off(&self) {
        self.administer(&format!("alter database {} allow_connections false", self.name)).await;
        let name = &self.name;
        self.administer(&format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"))
            .await;
    }

    /// Let everybody connect again.
    pub async fn restore(&self) {
        self.administer(&format!("alter database {} allow_connections true", self.name)).await;
    }

    async fn administer(&self, sql: &str) {
        administer(&self.url, sql).await.unwrap();
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (url, sql) = (self.url.clone(), format!("drop database {} with (force)", self.name));
        // A runtime of its own: the test's may be the one that is dropping us.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(administer(&url, &sql))
        });
        // A database that stays goes with its server.
        let _ = dropped.join();
    }
}

async fn administer(url: &str, sql: &str) -> sqlx::Result<()> {
    let options = PgConnectOptions::from_str(url)?.database("postgres");
    let mut connection = PgConnection::connect_with(&options).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
    connection.close().await
}
