//! A client connection: one request at a time over a blocking socket, as cheap as it can be, because the client shares
//! the machine with what it measures.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// More headers than any answer has.
const MOST_HEADERS: usize = 32;

/// A connection that stays open between requests.
#[derive(Debug)]
pub struct Connection<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connect.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self::over(stream))
    }
}

impl<S: Read + Write> Connection<S> {
    fn over(stream: S) -> Self {
        Self { stream, buffer: vec![0; 64 * 1024] }
    }

    /// Send a request, given as its bytes, and read the answer to its end.
    ///
    /// # Errors
    /// When the connection fails or closes, the answer takes too long, or it does not say how long it is.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        let (status, body) = loop {
            filled += self.read(filled)?;
            if let Some((status, head, length)) = head(&self.buffer[..filled])? {
                break (status, head..head + length);
            }
        };
        if self.buffer.len() < body.end {
            self.buffer.resize(body.end, 0);
        }
        while filled < body.end {
            filled += self.read(filled)?;
        }
        Ok(Answer { status, body: &self.buffer[body] })
    }

    fn read(&mut self, filled: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[filled..])? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            read => Ok(read),
        }
    }
}

/// The status, and the lengths of head and body, once the head is there.
fn head(bytes: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(io::Error::other)?;
    let httparse::Status::Complete(head) = parsed else { return Ok(None) };
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or_else(|| io::Error::other("an answer without content-length"))?;
    Ok(Some((response.code.unwrap_or(0), head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says what it was told, a few bytes at a time.
    struct Drip(Vec<u8>);

    impl Read for Drip {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let take = self.0.len().min(into.len()).min(7);
            into[..take].copy_from_slice(&self.0[..take]);
            self.0.drain(..take);
            Ok(take)
        }
    }

    impl Write for Drip {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn reads_answers_that_come_in_pieces() {
        let long = "x".repeat(100_000);
        let answers = format!(
            "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{long}"
        );
        // The two arrive one after the other, as they are asked for.
        let (first, second) = answers.split_at(answers.find("HTTP/1.1 200").unwrap());
        let mut connection = Connection::over(Drip(first.into()));
        assert_eq!(connection.exchange(b"x").unwrap(), Answer { status: 201, body: b"first" });
        connection.stream.0 = second.into();
        assert_eq!(connection.exchange(b"x").unwrap(), Answer { status: 200, body: long.as_bytes() });
    }

    #[test]
    fn a_closed_connection_is_an_error() {
        let mut connection = Connection::over(Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".into()));
        assert_eq!(connection.exchange(b"x").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
