//! AWS Lambda on this machine, for the real binaries of functions, which a test may kill at any moment.
//!
//! As on AWS, a process (an *execution environment*) has one event at a time, stands still between two events, once its
//! function has answered and its internal extension is done, too, and is replaced when it has died or taken too long; while
//! all are busy another is started, up to a limit. `cargo lambda watch` does none of this: a function that dies there is not
//! started again.

mod environment;
mod http;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;

use self::environment::Environment;

/// How long an environment may take to end when it is told to, as on AWS for one with an internal extension.
const SHUTDOWN: Duration = Duration::from_millis(500);

/// A function: what is started for it, and how.
#[derive(Clone, Debug)]
pub struct Function {
    /// What it is invoked by.
    pub name: &'static str,
    /// Its program.
    pub binary: PathBuf,
    /// All that its environment holds besides what Lambda sets.
    pub variables: Vec<(String, String)>,
    /// The most environments at once: further invocations wait for one. 1 or more.
    pub concurrency: usize,
    /// How long an invocation may take before its environment is killed.
    pub timeout: Duration,
    /// The file that its output is appended to; without one it is dropped.
    pub log: Option<PathBuf>,
}

/// Why an invocation gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no function of this name.
    NoSuchFunction,
    /// The program cannot be started.
    CannotStart(String),
    /// The function answered with this error, as JSON.
    Error(Bytes),
    /// The environment ended before it answered.
    Ended,
    /// The environment took too long and was killed.
    TimedOut,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchFunction => f.write_str("there is no such function"),
            Self::CannotStart(why) => write!(f, "it cannot be started: {why}"),
            Self::Error(error) => f.write_str(&String::from_utf8_lossy(error)),
            Self::Ended => f.write_str("its environment ended before it answered"),
            Self::TimedOut => f.write_str("it took too long"),
        }
    }
}

impl std::error::Error for Failure {}

/// What a function answers: JSON.
pub type Answer = Result<Bytes, Failure>;

/// An environment as it was when it gave its first answer.
#[derive(Clone, Copy, Debug)]
pub struct ColdStart {
    /// From the start of the process until it asked for its first event.
    pub init: Duration,
    /// From the start of the process to its first answer.
    pub elapsed: Duration,
    /// The process.
    pub pid: u32,
}

/// The functions, and the environments that run for them. Ended when the last copy is dropped.
#[derive(Clone, Debug)]
pub struct Lambda(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: String,
    functions: HashMap<&'static str, Pool>,
    /// Those that live, by their number.
    environments: Mutex<BTreeMap<u64, Arc<Environment>>>,
    next_number: AtomicU64,
    server: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Pool {
    function: Function,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Arc<Environment>>>,
    first_answers: Mutex<Vec<ColdStart>>,
}

impl Lambda {
    /// Listen for invocations of these functions on a free port. Nothing is started before it is invoked.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(functions: impl IntoIterator<Item = Function>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let pool = |function: Function| {
            let free = Arc::new(Semaphore::new(function.concurrency));
            (function.name, Pool { function, free, idle: Mutex::default(), first_answers: Mutex::default() })
        };
        let inner = Arc::new(Inner {
            url,
            functions: functions.into_iter().map(pool).collect(),
            environments: Mutex::default(),
            next_number: AtomicU64::new(1),
            server: Mutex::default(),
        });
        let routes = http::routes(Arc::downgrade(&inner));
        *lock(&inner.server) = Some(tokio::spawn(async move {
            // It only ends with us.
            let _ = axum::serve(listener, routes).await;
        }));
        Ok(Self(inner))
    }

    /// Where functions are invoked over HTTP, as on AWS: `<url>/2015-03-31/functions/<name>/invocations`.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Invoke a function with an event, and wait for its answer.
    ///
    /// # Errors
    /// When the function does not answer, or answers with an error. What it did until then is done.
    pub async fn invoke(&self, function: &str, event: impl Into<Bytes>) -> Answer {
        // As on AWS, an invocation goes on when nobody waits for it any more.
        let (this, function, event) = (self.0.clone(), function.to_owned(), event.into());
        match tokio::spawn(async move { this.invoke(&function, event).await }).await {
            Ok(answer) => answer,
            // It panicked, or all of this is ending.
            Err(_) => Err(Failure::Ended),
        }
    }

    /// Kill the environments of a function, as a crash would. Returns how many there were.
    pub fn kill(&self, function: &str) -> usize {
        let environments = self.0.environments_of(function);
        environments.iter().for_each(|environment| environment.kill());
        environments.len()
    }

    /// Have the environments of a function end as on AWS when they are no longer needed: they are told (SIGTERM), and killed
    /// half a second later. Those that are started afterwards are new.
    pub async fn retire(&self, function: &str) {
        let environments = self.0.environments_of(function);
        environments.iter().for_each(|environment| environment.terminate());
        let all_end = async {
            for environment in &environments {
                environment.ended.cancelled().await;
            }
        };
        if tokio::time::timeout(SHUTDOWN, all_end).await.is_err() {
            environments.iter().for_each(|environment| environment.kill());
        }
        for environment in environments {
            environment.ended.cancelled().await;
        }
    }

    /// The processes of a function.
    pub fn pids(&self, function: &str) -> Vec<u32> {
        self.0.environments_of(function).iter().map(|environment| environment.pid).collect()
    }

    /// How long each environment of a function took to its first answer, oldest first.
    pub fn cold_starts(&self, function: &str) -> Vec<ColdStart> {
        self.0.functions.get(function).map(|pool| lock(&pool.first_answers).clone()).unwrap_or_default()
    }
}

impl Inner {
    async fn invoke(self: Arc<Self>, function: &str, event: Bytes) -> Answer {
        let pool = self.functions.get(function).ok_or(Failure::NoSuchFunction)?;
        let turn = pool.free.clone().acquire_owned().await.map_err(|_| Failure::Ended)?;
        let idle = std::iter::from_fn(|| lock(&pool.idle).pop()).find(|environment| environment.lives());
        let began = Instant::now();
        let is_new = idle.is_none();
        let environment = idle.map_or_else(|| self.start_environment(pool), Ok)?;
        let (answer, answered) = oneshot::channel();
        environment.give(event, answer);
        tokio::select! {
            answer = answered => {
                if is_new {
                    let (init, elapsed) = (environment.init(), began.elapsed());
                    lock(&pool.first_answers).push(ColdStart { init, elapsed, pid: environment.pid });
                }
                let this = self.clone();
                tokio::spawn(async move { this.free_again(environment, turn).await });
                answer.unwrap_or(Err(Failure::Ended))
            }
            () = environment.ended.cancelled() => Err(Failure::Ended),
            () = tokio::time::sleep(pool.function.timeout) => {
                environment.kill();
                Err(Failure::TimedOut)
            }
        }
    }

    /// Wait until an environment may be given another event. The answer to the last one is on its way by then.
    async fn free_again(&self, environment: Arc<Environment>, _turn: OwnedSemaphorePermit) {
        let Some(pool) = self.functions.get(environment.function) else { return };
        tokio::select! {
            () = environment.rests() => lock(&pool.idle).push(environment),
            () = environment.ended.cancelled() => {}
            () = tokio::time::sleep(pool.function.timeout) => environment.kill(),
        }
    }

    fn start_environment(self: &Arc<Self>, pool: &Pool) -> Result<Arc<Environment>, Failure> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        // Held while it starts: it may ask for its first event before it is entered.
        let mut environments = lock(&self.environments);
        let environment = Environment::start(&pool.function, &format!("{}/{number}", self.url))
            .map_err(|error| Failure::CannotStart(error.to_string()))?;
        environments.insert(number, environment.clone());
        let (this, ended) = (Arc::downgrade(self), environment.ended.clone());
        tokio::spawn(async move {
            ended.cancelled().await;
            if let Some(this) = this.upgrade() {
                lock(&this.environments).remove(&number);
            }
        });
        Ok(environment)
    }

    fn environment(&self, number: u64) -> Option<Arc<Environment>> {
        lock(&self.environments).get(&number).cloned()
    }

    fn environments_of(&self, function: &str) -> Vec<Arc<Environment>> {
        let environments = lock(&self.environments);
        environments.values().filter(|environment| environment.function == function).cloned().collect()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        lock(&self.environments).values().for_each(|environment| environment.kill());
        if let Some(server) = lock(&self.server).take() {
            server.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
