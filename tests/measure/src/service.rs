//! The processes that are measured: the service, and what serves HTTP beside it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use shared::config::Config;

use crate::Trouble;

/// How long a process may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that serves HTTP. Stopped when dropped.
#[derive(Debug)]
pub struct Service {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Service {
    /// Start `table-order-local run` with its own folder, so that nothing of a developer's settings is found. Logs go to
    /// `service.log` there.
    ///
    /// As in production it logs from `info` up; and its limit on requests is out of the way. `task` is what `make` calls this
    /// program, and `more` are variables besides those that every task gives it.
    ///
    /// # Errors
    /// When it does not start: the message says where to look.
    pub fn start(
        task: &str,
        folder: &Path,
        database_url: &str,
        more: &[(&str, &str)],
    ) -> Result<(Self, Config), Trouble> {
        let always = [
            ("DATABASE_URL", database_url),
            ("PORT", "0"),
            ("LOG_LEVEL", "info"),
            ("RATE_LIMIT_PER_MINUTE", "1000000"),
        ];
        let variables = [&always[..], more].concat();
        let log = folder.join("service.log");
        let mut command = Command::new(sibling(task, "table-order-local")?);
        command.arg("run").current_dir(folder).env_clear().envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(File::create(&log)?).stderr(File::create(folder.join("service.err"))?);
        let mut process = command.spawn().map_err(|error| format!("table-order-local cannot be run: {error}"))?;
        let Some(address) = wait_for(&mut process, || address(&fs::read_to_string(&log).ok()?))? else {
            return Err(format!("the service does not start: see {}", folder.join("service.err").display()).into());
        };
        let mut variables: HashMap<_, _> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for name in ["JWT_PRIVATE_KEY_PATH", "JWT_PUBLIC_KEY_PATH"] {
            let file = if name.contains("PRIVATE") { "keys/private.pem" } else { "keys/public.pem" };
            variables.insert(name.to_owned(), folder.join(file).to_string_lossy().into_owned());
        }
        Ok((Self { process, address }, Config::read(&variables)?))
    }

    /// A process that was started otherwise, and listens at this address.
    pub fn of(process: Child, address: SocketAddr) -> Self {
        Self { process, address }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Let it stand still.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pause(&self) -> Result<(), Trouble> {
        signal(&self.process, Signal::STOP)
    }

    /// Let it go on.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resume(&self) -> Result<(), Trouble> {
        signal(&self.process, Signal::CONT)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.resume();
        let _ = signal(&self.process, Signal::INT);
        if !matches!(wait_for(&mut self.process, || None::<()>), Ok(None)) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// A program that this task of `make` builds together with its own.
///
/// # Errors
/// When it is missing.
pub fn sibling(task: &str, name: &str) -> Result<PathBuf, Trouble> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is missing: use `make {task}`", path.display()).into()) }
}

fn signal(process: &Child, signal: Signal) -> Result<(), Trouble> {
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).ok_or("no process")?;
    Ok(kill_process(pid, signal)?)
}

/// Wait until there is an answer. `None` if the process ends first.
///
/// # Errors
/// When that takes too long.
pub fn wait_for<T>(process: &mut Child, mut answer: impl FnMut() -> Option<T>) -> Result<Option<T>, Trouble> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(answer) = answer() {
            return Ok(Some(answer));
        }
        if process.try_wait()?.is_some() {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err("a process takes too long".into())
}

/// The address in what the service prints when it is up: `  API        http://127.0.0.1:8000/api`.
fn address(printed: &str) -> Option<SocketAddr> {
    let url = printed.lines().find_map(|line| line.trim().strip_prefix("API "))?;
    url.trim().strip_prefix("http://")?.strip_suffix("/api")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_address_in_the_welcome() {
        let printed = "\n  table-order is up.\n\n  API        http://127.0.0.1:8123/api\n  Health     http://x\n";
        assert_eq!(address(printed), Some(([127, 0, 0, 1], 8123).into()));
        assert_eq!(address("  API        http://127.0.0.1:81"), None);
    }
}
