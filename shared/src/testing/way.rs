//! A way to a server on which it can be lost.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A way to a server on which it can be lost without a word, as when the power of its machine fails.
#[derive(Debug)]
pub struct Way {
    /// The server's URL that takes it.
    pub url: String,
    lost: Arc<Mutex<CancellationToken>>,
}

impl Way {
    /// The way to the server of this URL, which names a database.
    pub async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (server, url) = detour(url, listener.local_addr().unwrap());
        let lost = Arc::new(Mutex::new(CancellationToken::new()));
        let losing = lost.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, lost) = (server.clone(), losing.lock().unwrap().clone());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    if lost.run_until_cancelled(copy_bidirectional(&mut client, &mut server)).await.is_none() {
                        // Both stay open, so that nobody is told.
                        pending().await
                    }
                });
            }
        });
        Self { url, lost }
    }

    /// From now on nothing goes through on the connections that are open. New ones are as good as ever.
    pub fn lose_connections(&self) {
        std::mem::take(&mut *self.lost.lock().unwrap()).cancel();
    }
}

/// The server that a URL with a database names, and the URL that leads to another address instead.
pub fn detour(url: &str, through: SocketAddr) -> (String, String) {
    let server = url.rsplit(['@', '/']).nth(1).unwrap();
    (server.to_owned(), url.replace(server, &through.to_string()))
}
