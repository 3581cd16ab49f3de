//! An execution environment: one process of a function, with one event at a time.

use std::fs::File;
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{Answer, Function, lock};

/// What an environment waits for. It stands still once all of it waits.
#[derive(Debug, Default)]
struct Waits {
    event: Option<Bytes>,
    /// It has asked for the next event.
    function: bool,
    /// Its internal extension has asked for the next event. `None` if it has none that is told of events.
    extension: Option<bool>,
    /// There was an event that the extension has not been told of.
    untold: bool,
}

impl Waits {
    fn all(&self) -> bool {
        self.event.is_none() && self.function && self.extension.is_none_or(|waits| waits && !self.untold)
    }
}

/// A running process of a function.
#[derive(Debug)]
pub(crate) struct Environment {
    /// Whose it is.
    pub(crate) function: &'static str,
    /// The process.
    pub(crate) pid: u32,
    /// When it was started.
    began: Instant,
    /// How long it took until it asked for its first event.
    init: OnceLock<Duration>,
    /// The process has ended.
    pub(crate) ended: CancellationToken,
    /// Ends it.
    killed: CancellationToken,
    /// It was told to end.
    retired: CancellationToken,
    /// What it waits for, and the event that it has not asked for yet.
    waits: Mutex<Waits>,
    given: Notify,
    /// Its extension is told of the event.
    told: Notify,
    rests: Notify,
    /// Who waits for its answer.
    under_way: Mutex<Option<oneshot::Sender<Answer>>>,
}

impl Environment {
    /// Start a process that finds the Runtime API at this URL.
    pub(crate) fn start(function: &Function, runtime_api: &str) -> std::io::Result<Arc<Self>> {
        let began = Instant::now();
        let output = || match &function.log {
            Some(log) => Ok::<_, std::io::Error>(File::options().create(true).append(true).open(log)?.into()),
            None => Ok(Stdio::null()),
        };
        let child = Command::new(&function.binary)
            .env_clear()
            // Kept, so that a run that measures coverage sees what the binary runs.
            .envs(std::env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE"))
            .envs(function.variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", function.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .stdin(Stdio::null())
            .stdout(output()?)
            .stderr(output()?)
            // Ctrl-C on the terminal is for whoever started us.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let this = Arc::new(Self {
            function: function.name,
            pid: child.id().unwrap_or_default(),
            began,
            init: OnceLock::new(),
            ended: CancellationToken::new(),
            killed: CancellationToken::new(),
            retired: CancellationToken::new(),
            waits: Mutex::default(),
            given: Notify::new(),
            told: Notify::new(),
            rests: Notify::new(),
            under_way: Mutex::default(),
        });
        tokio::spawn(watch(child, this.killed.clone(), this.ended.clone()));
        Ok(this)
    }

    /// Give it an event. Nothing else may be under way in it.
    pub(crate) fn give(&self, event: Bytes, answer: oneshot::Sender<Answer>) {
        *lock(&self.under_way) = Some(answer);
        let mut waits = lock(&self.waits);
        waits.event = Some(event);
        waits.untold = true;
        self.signal(Signal::CONT);
        self.given.notify_one();
        self.told.notify_one();
    }

    /// The next event. Until there is one, the function waits.
    pub(crate) async fn next(&self) -> Bytes {
        self.init.get_or_init(|| self.began.elapsed());
        loop {
            {
                let mut waits = lock(&self.waits);
                waits.function = waits.event.is_none();
                if let Some(event) = waits.event.take() {
                    return event;
                }
                self.stand_still(&waits);
            }
            self.given.notified().await;
        }
    }

    /// It has an internal extension that is told of every event.
    pub(crate) fn has_extension(&self) {
        lock(&self.waits).extension = Some(false);
    }

    /// Wait until the extension is told of the next event.
    pub(crate) async fn extension_waits(&self) {
        loop {
            {
                let mut waits = lock(&self.waits);
                waits.extension = Some(!waits.untold);
                if std::mem::take(&mut waits.untold) {
                    return;
                }
                self.stand_still(&waits);
            }
            self.told.notified().await;
        }
    }

    /// Stand still if nothing is left to do.
    fn stand_still(&self, waits: &Waits) {
        if waits.all() {
            self.signal(Signal::STOP);
            self.rests.notify_one();
        }
    }

    /// Wait until it may be given another event.
    pub(crate) async fn rests(&self) {
        while !lock(&self.waits).all() {
            self.rests.notified().await;
        }
    }

    /// How long it took until it asked for its first event; zero if it has not.
    pub(crate) fn init(&self) -> Duration {
        self.init.get().copied().unwrap_or_default()
    }

    /// It has answered.
    pub(crate) fn answer(&self, answer: Answer) {
        if let Some(waiting) = lock(&self.under_way).take() {
            // Nobody may be waiting any more.
            let _ = waiting.send(answer);
        }
    }

    /// Whether it may be given another event: it has not ended, and was not told to.
    pub(crate) fn lives(&self) -> bool {
        ![&self.ended, &self.killed, &self.retired].iter().any(|end| end.is_cancelled())
    }

    /// End it at once.
    pub(crate) fn kill(&self) {
        self.killed.cancel();
    }

    /// Tell it to end.
    pub(crate) fn terminate(&self) {
        self.retired.cancel();
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if !self.ended.is_cancelled()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            // Already gone is as good.
            let _ = kill_process(pid, signal);
        }
    }
}

async fn watch(mut child: Child, killed: CancellationToken, ended: CancellationToken) {
    if killed.run_until_cancelled(child.wait()).await.is_none() {
        // Already gone is as good.
        let _ = child.kill().await;
    }
    ended.cancel();
}
