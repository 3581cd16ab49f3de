//! A client's connection, which a handler may take from the HTTP server in the middle of an answer.
//!
//! The server keeps buffers, timers and the route's futures for as long as an answer lasts. A stream that lasts for hours
//! takes its connection over once its beginning is sent, writes the rest of its chunks itself, and the server lets go of
//! all that.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a client may leave an answer unread before its connection is cut.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection as the server has it.
#[derive(Debug)]
pub struct Served(Connection);

/// A connection that can be taken from the server.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    /// Gone once it is taken.
    stream: Option<TcpStream>,
    /// Who wants it as soon as the server has written all that it was given.
    taker: Option<Waker>,
    /// The server has written all that it was given by then.
    written: bool,
}

impl Served {
    pub(super) fn new(stream: TcpStream) -> Self {
        let inner = Inner { stream: Some(stream), taker: None, written: false };
        Self(Connection(Arc::new(Mutex::new(inner))))
    }

    /// The same connection, for a handler.
    pub(super) fn connection(&self) -> Connection {
        self.0.clone()
    }
}

impl Connection {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take the connection, in the middle of an answer in chunks, as soon as everything before is written.
    ///
    /// To be asked by the answer's body instead of giving another frame, and again when it is polled next. Once taken, the
    /// body must end: what the server then writes goes nowhere, and the end of the answer is up to [`write_end`]. `None` if
    /// it was taken before.
    pub fn poll_take(&self, context: &Context<'_>) -> Poll<Option<TcpStream>> {
        let mut inner = self.lock();
        if inner.written || inner.stream.is_none() {
            return Poll::Ready(inner.stream.take());
        }
        inner.taker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Do something with the connection; if it is taken, the server is told this instead.
    fn poll<T>(&self, taken: T, poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &mut self.lock().stream {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Ok(taken)),
        }
    }
}

impl AsyncRead for Served {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // That nothing more can come has the server let go.
        self.0.poll((), |stream| stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Served {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll(bytes.len(), |stream| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.0.poll(length, |stream| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The server flushes when it has written all that it was given.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll((), |stream| stream.poll_flush(context)))?;
        let mut inner = self.0.lock();
        if let Some(taker) = inner.taker.take() {
            inner.written = true;
            taker.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll((), |stream| stream.poll_shutdown(context))
    }
}

/// Write a chunk of an answer whose connection was taken.
///
/// # Errors
/// When the connection is gone, or the client has read nothing for [`WRITE_TIMEOUT`].
pub async fn write_chunk(stream: &TcpStream, data: &[u8]) -> io::Result<()> {
    // Sixteen digits, and the end of the line.
    let mut head = [0; 18];
    let length = {
        let mut rest = &mut head[..];
        io::Write::write_fmt(&mut rest, format_args!("{:x}\r\n", data.len()))?;
        18 - rest.len()
    };
    write(stream, [&head[..length], data, b"\r\n"]).await
}

/// Write the end of an answer whose connection was taken.
///
/// # Errors
/// As [`write_chunk`].
pub async fn write_end(stream: &TcpStream) -> io::Result<()> {
    write(stream, [b"0\r\n\r\n", b"", b""]).await
}

async fn write(stream: &TcpStream, parts: [&[u8]; 3]) -> io::Result<()> {
    let mut slices = parts.map(IoSlice::new);
    let mut left = &mut slices[..];
    while left.iter().any(|slice| !slice.is_empty()) {
        match stream.try_write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                timeout(WRITE_TIMEOUT, stream.writable()).await??;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Ready when the client has gone. What it says until then is read, and means nothing.
pub async fn gone(stream: &TcpStream) {
    let mut said = [0; 64];
    loop {
        if std::future::poll_fn(|context| stream.poll_read_ready(context)).await.is_err() {
            return;
        }
        match stream.try_read(&mut said) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A connection's two ends: the server's and the client's.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, client) = tokio::join!(listener.accept(), TcpStream::connect(address));
        (accepted.unwrap().0, client.unwrap())
    }

    #[tokio::test]
    async fn it_is_taken_once_everything_before_is_written_and_the_server_writes_nowhere() {
        let (server, mut client) = pair().await;
        let mut served = Served::new(server);
        let connection = served.connection();

        served.write_all(b"before ").await.unwrap();
        let early = std::future::poll_fn(|context| Poll::Ready(connection.poll_take(context).is_pending()));
        assert!(early.await);
        served.flush().await.unwrap();
        let taken = std::future::poll_fn(|context| connection.poll_take(context)).await.unwrap();
        served.write_all(b"nowhere ").await.unwrap();
        served.shutdown().await.unwrap();
        assert_eq!(served.read(&mut [0; 8]).await.unwrap(), 0);
        drop(served);
        write_chunk(&taken, b"after").await.unwrap();
        write_end(&taken).await.unwrap();
        drop(taken);

        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "before 5\r\nafter\r\n0\r\n\r\n");
    }

    #[tokio::test]
    async fn a_large_chunk_waits_for_its_reader() {
        let (server, mut client) = pair().await;
        let large = vec![b'x'; 30_000_000];
        let written = tokio::spawn(async move {
            write_chunk(&server, &large).await.unwrap();
            large.len()
        });
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        let length = written.await.unwrap();
        assert!(read.starts_with(format!("{length:x}\r\nxx").as_bytes()) && read.ends_with(b"xx\r\n"));
    }

    #[tokio::test]
    async fn a_client_that_has_gone_is_noticed() {
        let (server, mut client) = pair().await;
        client.write_all(&[b'x'; 1_000]).await.unwrap();
        drop(client);
        timeout(Duration::from_secs(10), gone(&server)).await.unwrap();
    }
}
