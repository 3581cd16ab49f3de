//! What plays AWS.

use private_services::aws::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Folder, PATIENCE, assert_gone, processes};

/// Ask SQS to do something, as the SDK would, but for the signature. The answer's head and body.
async fn sqs(url: &str, action: &str, body: &str) -> std::io::Result<String> {
    let address = url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).await?;
    let head = [
        "POST / HTTP/1.1".to_owned(),
        format!("host: {address}"),
        "authorization: AWS4-HMAC-SHA256 Credential=me/20260101/ap-northeast-2/sqs/aws4_request, \
         SignedHeaders=host, Signature=0"
            .to_owned(),
        format!("x-amz-target: AmazonSQS.{action}"),
        "content-type: application/x-amz-json-1.0".to_owned(),
        format!("content-length: {}", body.len()),
        "connection: close\r\n\r\n".to_owned(),
    ];
    connection.write_all(head.join("\r\n").as_bytes()).await?;
    connection.write_all(body.as_bytes()).await?;
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, connection.read_to_string(&mut answer)).await.expect("no answer")?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Ok(answer)
}

#[tokio::test]
async fn a_queue_hands_out_what_it_was_sent_until_the_server_is_killed_and_is_gone_after_a_restart() {
    let folder = Folder::new();
    let mut server = Server::start(&folder.0.join("aws")).await.unwrap();
    let url = server.url();
    sqs(&url, "CreateQueue", r#"{"QueueName": "nudges"}"#).await.unwrap();
    let queue = format!(r#""QueueUrl": "{url}/123456789012/nudges""#);
    sqs(&url, "SendMessage", &format!(r#"{{{queue}, "MessageBody": "an order waits"}}"#)).await.unwrap();
    let received = sqs(&url, "ReceiveMessage", &format!("{{{queue}}}")).await.unwrap();
    assert!(received.contains(r#""Body": "an order waits""#), "{received}");

    server.kill().unwrap();
    assert!(sqs(&url, "ListQueues", "{}").await.is_err());

    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    let left = sqs(&url, "ListQueues", "{}").await.unwrap();
    assert!(!left.contains("nudges"), "{left}");
}

#[tokio::test]
async fn paused_it_answers_nothing_until_it_is_resumed() {
    let folder = Folder::new();
    let mut server = Server::start(&folder.0.join("aws")).await.unwrap();
    let url = server.url();
    server.pause().unwrap();
    let mut answer = std::pin::pin!(sqs(&url, "ListQueues", "{}"));
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), &mut answer).await.is_err());
    server.resume().unwrap();
    answer.await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_of_it_once_stopped_or_dropped_and_a_folder_has_one() {
    let folder = Folder::new();
    let path = folder.0.join("aws");
    let server = Server::start(&path).await.unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(processes(&path).len(), 1);
    }
    let trouble = Server::start(&path).await.unwrap_err().to_string();
    assert!(trouble.contains("in use"), "{trouble}");
    server.stop().unwrap();
    assert_gone(&path).await;

    let mut server = Server::start(&path).await.unwrap();
    server.pause().unwrap();
    drop(server);
    assert_gone(&path).await;
}
