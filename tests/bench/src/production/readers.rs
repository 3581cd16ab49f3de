//! Clients of streams: any number of connections that one thread reads, as cheaply as it can be done, because they share the
//! machine with what they measure.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use measure::Trouble;
use measure::program::unless_interrupted;
use rustix::event::{Timespec, epoll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections opened at the same time.
const OPENING: usize = 8;
/// How long an event, or the beginning of a stream, may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether the run was interrupted.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// Frames that are no event (a heartbeat, the end of a beginning) are shorter than this; events are longer, in bytes.
const SHORTEST_EVENT: usize = 200;
/// Files that this program needs for other things.
const OTHER_FILES: u64 = 200;

/// Open connections that read streams.
pub(crate) struct Readers {
    epoll: OwnedFd,
    streams: Vec<Stream>,
    buffer: Vec<u8>,
}

struct Stream {
    socket: TcpStream,
    /// Bytes of a frame that is not complete yet.
    unfinished: usize,
}

impl Readers {
    /// No connections yet.
    pub(crate) fn new() -> Result<Self, Trouble> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, streams: Vec::new(), buffer: vec![0; 64 * 1024] })
    }

    /// Open a connection for each of these requests. A stream has begun when its server has sent `begins`.
    pub(crate) fn open(&mut self, address: SocketAddr, requests: &[Vec<u8>], begins: &[u8]) -> Result<(), Trouble> {
        let open_some = |requests: &[Vec<u8>]| -> Result<Vec<Stream>, Trouble> {
            requests.iter().map(|request| open(address, request, begins)).collect()
        };
        let share = requests.len().div_ceil(OPENING).max(1);
        let opened: Result<Vec<_>, Trouble> = thread::scope(|scope| {
            let threads: Vec<_> = requests.chunks(share).map(|share| scope.spawn(move || open_some(share))).collect();
            threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread of the clients panicked")?).collect()
        });
        for stream in opened?.into_iter().flatten() {
            let number = epoll::EventData::new_u64(self.streams.len() as u64);
            epoll::add(&self.epoll, &stream.socket, number, epoll::EventFlags::IN)?;
            self.streams.push(stream);
        }
        Ok(())
    }

    /// Read until so many events have arrived, over all connections. Returns when the last one did.
    pub(crate) fn receive(&mut self, events: usize) -> Result<Instant, Trouble> {
        let deadline = Instant::now() + PATIENCE;
        let mut ready = Vec::with_capacity(1024);
        let mut received = 0;
        while received < events {
            unless_interrupted()?;
            if Instant::now() > deadline {
                return Err(format!("only {received} of {events} events arrived").into());
            }
            ready.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), Some(&LOOK))?;
            for event in &ready {
                // The number that it was entered with.
                let stream = self.streams.get_mut(event.data.u64() as usize).ok_or("there is no such stream")?;
                let read = stream.socket.read(&mut self.buffer)?;
                if read == 0 {
                    return Err("a stream was closed".into());
                }
                received += usize::from(stream.completes_event(&self.buffer[..read]));
            }
        }
        Ok(Instant::now())
    }
}

impl Stream {
    /// Whether these bytes end an event. Nobody sends a second one before all have the first.
    fn completes_event(&mut self, bytes: &[u8]) -> bool {
        self.unfinished += bytes.len();
        // What is sent in chunks has an end of its own.
        if !bytes.strip_suffix(b"\r\n").unwrap_or(bytes).ends_with(b"\n\n") {
            return false;
        }
        std::mem::take(&mut self.unfinished) >= SHORTEST_EVENT
    }
}

fn open(address: SocketAddr, request: &[u8], begins: &[u8]) -> Result<Stream, Trouble> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(request)?;
    let mut beginning = Vec::new();
    let mut buffer = [0; 4096];
    while !beginning.windows(begins.len()).any(|window| window == begins) {
        let read = socket.read(&mut buffer)?;
        beginning.extend_from_slice(&buffer[..read]);
        let answered = beginning.starts_with(b"HTTP/1.1 200") || beginning.len() < 12;
        if read == 0 || !answered {
            return Err(format!("a stream was refused: {}", String::from_utf8_lossy(&beginning)).into());
        }
    }
    Ok(Stream { socket, unfinished: 0 })
}

/// See that this program, and what it starts, may have so many connections open.
pub(crate) fn allow_connections(count: usize) -> Result<(), Trouble> {
    let needed = count as u64 + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if maximum.is_some_and(|maximum| maximum < needed) {
        return Err(format!(
            "streams need {needed} open files: allow them as root with `ulimit -Hn {needed}`, or for good in \
             /etc/security/limits.conf"
        )
        .into());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nretry: 1\n\n";

    /// Two connections to a server, and the server's ends of them.
    fn given() -> (Readers, Vec<TcpStream>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = thread::spawn(move || {
            let accept = |_| {
                let (mut socket, _) = listener.accept().unwrap();
                socket.write_all(HEAD).unwrap();
                socket
            };
            (0..2).map(accept).collect()
        });
        let mut readers = Readers::new().unwrap();
        readers.open(address, &[b"x".to_vec(), b"x".to_vec()], b"retry").unwrap();
        (readers, accepting.join().unwrap())
    }

    #[test]
    fn events_are_counted_whole_and_heartbeats_not() {
        let (mut readers, mut sockets) = given();
        let event = format!("data: {}\n\n", "x".repeat(SHORTEST_EVENT));
        let (first, rest) = event.split_at(50);
        sockets[0].write_all(first.as_bytes()).unwrap();
        sockets[1].write_all(b": keep-alive\n\n").unwrap();
        sockets[1].write_all(event.as_bytes()).unwrap();
        assert!(readers.receive(1).is_ok());

        sockets[0].write_all(rest.as_bytes()).unwrap();
        assert!(readers.receive(1).is_ok());
    }

    #[test]
    fn a_stream_that_ends_is_an_error() {
        let (mut readers, sockets) = given();
        drop(sockets);
        assert!(readers.receive(1).is_err());
    }

    #[test]
    fn what_is_allowed_already_needs_no_change() {
        allow_connections(1).unwrap();
    }
}
