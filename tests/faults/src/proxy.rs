//! A TCP proxy before a server, in which something can happen at a chosen moment of a conversation.

use std::collections::HashMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// When a trap springs: when the client has sent these bytes, and the server has answered so often since.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// What the client sends.
    pub sends: &'static [u8],
    /// How often the server answers afterwards before the trap springs; the last answer never reaches the client. With 0, it
    /// springs before the server is sent anything.
    pub answers: u32,
}

struct Trap {
    moment: Moment,
    then: Box<dyn Fn() + Send + Sync>,
    sprung: Option<oneshot::Sender<()>>,
    /// Answers that are still to come on a connection where the bytes were sent.
    counting: HashMap<u64, u32>,
}

#[derive(Default)]
struct State {
    trap: Mutex<Option<Trap>>,
    refusing: AtomicBool,
    losing: AtomicBool,
    /// Cuts all connections.
    cut: Mutex<CancellationToken>,
    /// Nothing goes through any more on any connection.
    lost: Mutex<CancellationToken>,
}

/// A proxy. It ends when dropped, with its connections.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    stopped: CancellationToken,
}

impl Proxy {
    /// Listen on a free port, and pass on to this address of a server.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn before(server: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (state, stopped) = (Arc::new(State::default()), CancellationToken::new());
        tokio::spawn(stopped.clone().run_until_cancelled_owned(accept(listener, server.to_owned(), state.clone())));
        Ok(Self { address, state, stopped })
    }

    /// At the next such moment do something. Returns when it has happened.
    pub fn at(&self, moment: Moment, then: impl Fn() + Send + Sync + 'static) -> oneshot::Receiver<()> {
        let (sprung, springs) = oneshot::channel();
        let trap = Trap { moment, then: Box::new(then), sprung: Some(sprung), counting: HashMap::new() };
        *lock(&self.state.trap) = Some(trap);
        springs
    }

    /// Cut every connection, and take no other until [`Proxy::pass`].
    pub fn refuse(&self) {
        self.state.refusing.store(true, Ordering::Relaxed);
        std::mem::take(&mut *lock(&self.state.cut)).cancel();
    }

    /// Be silent on every connection, and on all new ones until [`Proxy::pass`], as if the server's machine were gone: nobody
    /// is told. The server is: it lives on in another place.
    pub fn lose(&self) {
        self.state.losing.store(true, Ordering::Relaxed);
        std::mem::take(&mut *lock(&self.state.lost)).cancel();
    }

    /// Pass new connections on again.
    pub fn pass(&self) {
        self.state.refusing.store(false, Ordering::Relaxed);
        self.state.losing.store(false, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.cancel();
        lock(&self.state.cut).cancel();
    }
}

async fn accept(listener: TcpListener, server: String, state: Arc<State>) {
    for number in 0.. {
        let Ok((client, _)) = listener.accept().await else { continue };
        if state.refusing.load(Ordering::Relaxed) {
            continue;
        }
        let (server, state) = (server.clone(), state.clone());
        let (cut, mut lost) = (lock(&state.cut).clone(), lock(&state.lost).clone());
        if state.losing.load(Ordering::Relaxed) {
            // From the first, and alone.
            lost = CancellationToken::new();
            lost.cancel();
        }
        tokio::spawn(cut.run_until_cancelled_owned(async move {
            let _ = client.set_nodelay(true);
            let (mut from_client, mut to_client) = client.into_split();
            let passing = async {
                let Ok(server) = TcpStream::connect(server).await else { return };
                // Messages are small, and answers are waited for.
                let _ = server.set_nodelay(true);
                let (from_server, to_server) = server.into_split();
                // Whoever ends first ends both.
                tokio::select! {
                    () = forth(&mut from_client, to_server, &state, number) => {}
                    () = back(from_server, &mut to_client, &state, number) => {}
                }
            };
            let passed = lost.run_until_cancelled(passing).await;
            if let Some(trap) = &mut *lock(&state.trap) {
                trap.counting.remove(&number);
            }
            if passed.is_none() {
                pending().await
            }
        }));
    }
}

/// Pass on what the client sends.
async fn forth(client: &mut OwnedReadHalf, mut server: OwnedWriteHalf, state: &State, number: u64) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        if let Some(trap) = &mut *lock(&state.trap)
            && trap.sprung.is_some()
            && contains(&buffer[..read], trap.moment.sends)
        {
            trap.counting.entry(number).or_insert(trap.moment.answers);
            if trap.moment.answers == 0 {
                trap.spring();
                return;
            }
        }
        if server.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// Pass on what the server answers.
async fn back(mut server: OwnedReadHalf, client: &mut OwnedWriteHalf, state: &State, number: u64) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = server.read(&mut buffer).await {
        if let Some(trap) = &mut *lock(&state.trap)
            && let Some(left) = trap.counting.get_mut(&number)
        {
            *left = left.saturating_sub(1);
            if *left == 0 {
                trap.spring();
                return;
            }
        }
        if client.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

impl Trap {
    fn spring(&mut self) {
        if let Some(sprung) = self.sprung.take() {
            (self.then)();
            // Nobody may be waiting any more.
            let _ = sprung.send(());
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
