//! RabbitMQ.

use private_services::rabbitmq::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Folder, PATIENCE, assert_gone, processes};

const START: [u8; 4] = [0, 10, 0, 10];
const TUNE: [u8; 4] = [0, 10, 0, 30];
const OPEN_OK: [u8; 4] = [0, 10, 0, 41];
const CHANNEL_OPEN_OK: [u8; 4] = [0, 20, 0, 11];
const QUEUE_DECLARE_OK: [u8; 4] = [0, 50, 0, 11];

/// As much of AMQP 0-9-1 as it takes to declare a queue, on channel 1.
struct Connection(TcpStream);

impl Connection {
    async fn open(url: &str) -> std::io::Result<Self> {
        let (login, address) = url.strip_prefix("amqp://").unwrap().split_once('@').unwrap();
        let (user, password) = login.split_once(':').unwrap();
        let mut connection = Self(TcpStream::connect(address.strip_suffix("/%2f").unwrap()).await?);
        connection.0.write_all(b"AMQP\0\0\x09\x01").await?;
        connection.expect(START).await;
        let secret = format!("\0{user}\0{password}");
        // No properties, PLAIN, the secret, a locale.
        let length = u32::try_from(secret.len()).unwrap().to_be_bytes();
        let start_ok = [&[0; 4], b"\x05PLAIN".as_slice(), &length, secret.as_bytes(), b"\x05en_US"].concat();
        connection.write(0, [0, 10, 0, 11], &start_ok).await;
        connection.expect(TUNE).await;
        // No heartbeat.
        connection.write(0, [0, 10, 0, 31], &[0, 10, 0, 1, 0, 0, 0, 0]).await;
        connection.write(0, [0, 10, 0, 40], b"\x01/\0\0").await;
        connection.expect(OPEN_OK).await;
        connection.write(1, [0, 20, 0, 10], b"\0").await;
        connection.expect(CHANNEL_OPEN_OK).await;
        Ok(connection)
    }

    async fn write(&mut self, channel: u8, method: [u8; 4], arguments: &[u8]) {
        let length = u32::try_from(method.len() + arguments.len()).unwrap().to_be_bytes();
        let frame = [&[1, 0, channel], length.as_slice(), &method, arguments, &[0xce]].concat();
        self.0.write_all(&frame).await.unwrap();
    }

    /// Check that the next frame is of this class and method.
    async fn expect(&mut self, method: [u8; 4]) {
        let reading = async {
            let mut head = [0; 7];
            self.0.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
            let mut frame = vec![0; usize::try_from(length).unwrap() + 1];
            self.0.read_exact(&mut frame).await.unwrap();
            // What RabbitMQ complains of is plain text.
            assert!(frame.starts_with(&method), "{}", String::from_utf8_lossy(&frame));
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("no answer");
    }

    /// Declare the durable queue `orders`.
    async fn declare(&mut self) {
        let durable = 0b10;
        self.write(1, [0, 50, 0, 10], &[b"\0\0\x06orders".as_slice(), &[durable], &[0; 4]].concat()).await;
        self.expect(QUEUE_DECLARE_OK).await;
    }
}

#[tokio::test]
async fn it_is_used_again_after_a_crash_and_nothing_is_left_once_stopped() {
    let folder = Folder::new();
    let path = folder.0.join("rabbitmq");
    let mut server = Server::start(&path).await.unwrap();
    let url = server.url();
    let mut connection = Connection::open(&url).await.unwrap();
    connection.declare().await;

    server.kill().unwrap();
    assert!(Connection::open(&url).await.is_err());

    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    let mut connection = Connection::open(&url).await.unwrap();
    // What was declared a moment before the crash may not have reached the disk: whoever connects declares again.
    connection.declare().await;

    if cfg!(target_os = "linux") {
        let running = processes(&path);
        // The node with its helpers, and the port mapper.
        for name in ["beam", "erl_child_setup", "epmd"] {
            assert!(running.iter().any(|command| command.contains(name)), "no {name} in {running:?}");
        }
    }
    server.stop().unwrap();
    assert_gone(&path).await;
}

#[tokio::test]
async fn paused_it_answers_nothing_until_it_is_resumed_and_it_can_be_controlled() {
    let folder = Folder::new();
    let mut server = Server::start(&folder.0.join("rabbitmq")).await.unwrap();
    let mut connection = Connection::open(&server.url()).await.unwrap();

    server.pause().unwrap();
    let answer = tokio::time::timeout(std::time::Duration::from_millis(100), connection.declare()).await;
    assert!(answer.is_err(), "it answers");
    server.resume().unwrap();
    connection.expect(QUEUE_DECLARE_OK).await;

    server.control(&["delete_queue", "orders"]).await.unwrap();
    let trouble = server.control(&["delete_queue", "orders"]).await.unwrap_err().to_string();
    assert!(trouble.contains("delete_queue orders"), "{trouble}");
}
