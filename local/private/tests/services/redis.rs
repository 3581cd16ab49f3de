//! Redis.

use private_services::redis::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Folder, PATIENCE, assert_gone, processes};

/// A connection that may do anything, if the password is right.
struct Connection(TcpStream);

impl Connection {
    async fn open(url: &str) -> std::io::Result<Self> {
        let (password, address) = url.strip_prefix("redis://:").unwrap().split_once('@').unwrap();
        let mut connection = Self(TcpStream::connect(address).await?);
        assert_eq!(connection.ask(&format!("AUTH {password}")).await, "+OK");
        Ok(connection)
    }

    async fn send(&mut self, command: &str) {
        self.0.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    }

    /// The first line of the answer.
    async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n") {
            answer.push(tokio::time::timeout(PATIENCE, self.0.read_u8()).await.expect("no answer").unwrap());
        }
        String::from_utf8(answer).unwrap().trim_end().to_owned()
    }

    async fn ask(&mut self, command: &str) -> String {
        self.send(command).await;
        self.answer().await
    }
}

#[tokio::test]
async fn it_answers_until_it_is_killed_and_is_empty_after_a_restart() {
    let folder = Folder::new();
    let mut server = Server::start(&folder.0.join("redis")).await.unwrap();
    let url = server.url();
    let mut connection = Connection::open(&url).await.unwrap();
    assert_eq!(connection.ask("SELECT 4095").await, "+OK");
    assert_eq!(connection.ask("SET table 1").await, "+OK");
    assert_eq!(connection.ask("EXISTS table").await, ":1");

    server.kill().unwrap();
    assert!(Connection::open(&url).await.is_err());

    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    let mut connection = Connection::open(&url).await.unwrap();
    assert_eq!(connection.ask("SELECT 4095").await, "+OK");
    assert_eq!(connection.ask("EXISTS table").await, ":0");
}

#[tokio::test]
async fn it_answers_nobody_without_the_password() {
    let folder = Folder::new();
    let server = Server::start(&folder.0.join("redis")).await.unwrap();
    let url = server.url();
    let mut connection = Connection(TcpStream::connect(url.split_once('@').unwrap().1).await.unwrap());
    assert!(connection.ask("PING").await.starts_with("-NOAUTH"));
}

#[tokio::test]
async fn paused_it_answers_nothing_until_it_is_resumed() {
    let folder = Folder::new();
    let mut server = Server::start(&folder.0.join("redis")).await.unwrap();
    let mut connection = Connection::open(&server.url()).await.unwrap();
    server.pause().unwrap();
    connection.send("PING").await;
    let answer = tokio::time::timeout(std::time::Duration::from_millis(100), connection.answer()).await;
    assert!(answer.is_err(), "{answer:?}");
    server.resume().unwrap();
    assert_eq!(connection.answer().await, "+PONG");
}

#[tokio::test]
async fn nothing_is_left_of_it_once_stopped_or_dropped_even_paused_or_killed() {
    let folder = Folder::new();
    let path = folder.0.join("redis");
    let server = Server::start(&path).await.unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(processes(&path).len(), 1);
    }
    server.stop().unwrap();
    assert_gone(&path).await;

    let mut server = Server::start(&path).await.unwrap();
    server.pause().unwrap();
    drop(server);
    assert_gone(&path).await;

    let mut server = Server::start(&path).await.unwrap();
    server.kill().unwrap();
    drop(server);
    assert_gone(&path).await;
}

#[tokio::test]
async fn a_folder_has_one_server() {
    let folder = Folder::new();
    let path = folder.0.join("redis");
    let _server = Server::start(&path).await.unwrap();
    let trouble = Server::start(&path).await.unwrap_err().to_string();
    assert!(trouble.contains("in use"), "{trouble}");
    assert!(path.exists());
}
