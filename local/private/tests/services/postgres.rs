//! PostgreSQL.

use private_services::postgres::{Durability, Server};
use sqlx::{Connection, PgConnection};

use crate::Folder;

#[tokio::test]
async fn what_it_has_acknowledged_is_there_after_a_crash() {
    let folder = Folder::new();
    let path = folder.0.join("postgres");
    let mut server = Server::start(&path, Durability::Full).await.unwrap();
    let url = server.url();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query("create table orders (id int)").execute(&mut connection).await.unwrap();
    sqlx::query("insert into orders values (1)").execute(&mut connection).await.unwrap();

    server.kill().unwrap();
    assert!(PgConnection::connect(&url).await.is_err());

    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let orders: i64 = sqlx::query_scalar("select count(*) from orders").fetch_one(&mut connection).await.unwrap();
    assert_eq!(orders, 1);
    server.stop().unwrap();
    // As root it may lie elsewhere.
    Server::reset(&path).await.unwrap();
}
