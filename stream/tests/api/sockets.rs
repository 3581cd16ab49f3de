//! Streams over a real connection.

use std::time::Duration;

use shared::domain::event::{Event, OrderDeleted};
use shared::domain::{OrderId, TableId};
use shared::http::server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{GUARD, given};

/// A client that has stopped reading takes no event more than the sockets' buffers hold: it is cut off, counted, and
/// leaves nothing behind. Time is paused once its buffers are full.
#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_counted() {
    let given = given().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = server::serve(listener, given.app.router(), given.stopped.clone(), Duration::ZERO);
    let serving = tokio::spawn(serving);
    let mut client = TcpStream::connect(address).await.unwrap();
    let token = &given.store.admin.token;
    let request = format!("GET /api/admin/orders/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    client.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");

    // 100 kB each: 30 MB are more than any socket buffers.
    let reason = "가".repeat(33_000);
    for id in 1..=600 {
        let deleted = OrderDeleted {
            order_id: OrderId::new(id).unwrap(),
            table_id: TableId::new(1).unwrap(),
            table_number: "1".into(),
            version: 1,
            reason: Some(reason.clone()),
            table_total: 0,
        };
        given.append(Event::OrderDeleted(deleted)).await;
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let cut_off = async {
        while given.streams.open_count() > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(GUARD * 12, cut_off).await.expect("the connection is still open");

    assert_eq!(given.streams.slow_readers(), 1);
    given.stopped.cancel();
    serving.await.unwrap().unwrap();
}

/// Everything that a client reads of a board's stream which shows two events and is then stopped.
async fn two_events(version: &str) -> String {
    let given = given().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (streams, app) = (given.streams.clone(), given.app.app.clone());
    let serving = tokio::spawn(streams.serve(app, listener, given.app.router(), GUARD));
    let mut client = TcpStream::connect(address).await.unwrap();
    let token = &given.store.admin.token;
    let request = format!("GET /api/admin/orders/stream {version}\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let mut until = async |ends: String| {
        while !String::from_utf8_lossy(&read).contains(&ends) {
            assert!(client.read_buf(&mut read).await.unwrap() > 0, "it ends before {ends}");
        }
    };
    until("event: ready".to_owned()).await;
    given.append_cards(1).await;
    until(format!("id: {}", given.at(1))).await;
    given.append_cards(1).await;
    until(format!("id: {}", given.at(2))).await;
    given.stopped.cancel();
    client.read_to_end(&mut read).await.unwrap();
    serving.await.unwrap().unwrap();
    assert_eq!(given.streams.open_count(), 0);
    String::from_utf8(read).unwrap()
}

/// The connection is taken from the HTTP server after `ready`, which the client must not notice: the head is whole, what
/// follows are chunks, and the end is one.
#[tokio::test]
async fn a_stream_goes_on_in_chunks_past_the_server_and_ends_properly() {
    let read = two_events("HTTP/1.1").await;

    let (head, body) = read.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked") && head.contains("x-request-id: "), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    let mut rest = body;
    let mut frames = Vec::new();
    loop {
        let (length, after) = rest.split_once("\r\n").unwrap();
        let (chunk, after) = after.split_at(usize::from_str_radix(length, 16).unwrap());
        rest = after.strip_prefix("\r\n").unwrap();
        if chunk.is_empty() {
            break;
        }
        frames.push(chunk);
    }
    assert_eq!((frames.len(), rest), (3, ""), "{body}");
    assert!(frames.iter().all(|frame| frame.ends_with("\n\n")), "{body}");
}

#[tokio::test]
async fn a_client_that_knows_no_chunks_is_sent_none() {
    let read = two_events("HTTP/1.0").await;

    let (head, body) = read.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("chunked") && body.starts_with("retry: ") && body.ends_with("\n\n"), "{read}");
}
