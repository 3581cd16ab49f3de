//! The service under measurement: the release binary of `make run`, as a process of its own.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use shared::config::Config;

use crate::Trouble;

/// How long the process may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// What CloudFront would prove itself with: so that every request can come from an address of its own.
pub(crate) const ORIGIN_SECRET: &str = "measured";

/// The process. Stopped when dropped.
#[derive(Debug)]
pub(crate) struct Service {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Start it in a folder of its own, so that nothing of a developer's settings is found. It logs from `info` up, as in
    /// production, to `service.log` there, and its limit on requests is out of the way; the limits on logins are not.
    pub(crate) fn start(folder: &Path, database_url: &str) -> Result<(Self, Config), Trouble> {
        let binary = std::env::current_exe()?.with_file_name("table-order-local");
        if !binary.exists() {
            return Err(format!("{} is missing: use `make security`", binary.display()).into());
        }
        let variables = [
            ("DATABASE_URL", database_url),
            ("PORT", "0"),
            ("LOG_LEVEL", "info"),
            ("RATE_LIMIT_PER_MINUTE", "1000000"),
            ("ORIGIN_SECRET", ORIGIN_SECRET),
        ];
        let (log, errors) = (folder.join("service.log"), folder.join("service.err"));
        let mut command = Command::new(binary);
        command.arg("run").current_dir(folder).env_clear().envs(variables);
        command.stdin(Stdio::null()).stdout(File::create(&log)?).stderr(File::create(&errors)?);
        let mut process = command.spawn()?;
        let deadline = Instant::now() + PATIENCE;
        let address = loop {
            if let Some(address) = address(&fs::read_to_string(&log)?) {
                break address;
            }
            if process.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(format!("the service does not start: see {}", errors.display()).into());
            }
            thread::sleep(Duration::from_millis(20));
        };
        let mut variables: HashMap<_, _> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (name, file) in [("JWT_PRIVATE_KEY_PATH", "keys/private.pem"), ("JWT_PUBLIC_KEY_PATH", "keys/public.pem")] {
            variables.insert(name.to_owned(), folder.join(file).to_string_lossy().into_owned());
        }
        Ok((Self { process, address }, Config::read(&variables)?))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that has ended already is as good.
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::INT);
        }
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address in what the service prints when it is up: `  API        http://127.0.0.1:8000/api`.
fn address(printed: &str) -> Option<SocketAddr> {
    let url = printed.lines().find_map(|line| line.trim().strip_prefix("API "))?;
    url.trim().strip_prefix("http://")?.strip_suffix("/api")?.parse().ok()
}
