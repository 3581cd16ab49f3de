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
