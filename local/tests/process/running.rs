//! The program, started and running.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long anything may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The first demo store.
pub(crate) const STORE: &str = "11111111-1111-4111-8111-111111111111";

/// A folder that goes with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let name = shared::hex(&shared::clock::random::<8>());
        let path = env::temp_dir().join(format!("table-order-test-{name}"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A process that is ending, one of a browser's many, may still be writing.
        let end = Instant::now() + Duration::from_secs(5);
        while std::fs::remove_dir_all(&self.0).is_err() && self.0.exists() && Instant::now() < end {
            std::thread::yield_now();
        }
    }
}

/// The program with a task, in an environment that holds nothing of this machine's.
pub(crate) fn program(folder: &Folder, task: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_table-order-local"));
    command.arg(task).env_clear().env("PATH", env::var_os("PATH").unwrap()).current_dir(&folder.0);
    // Kept, so that `make coverage` sees what the program runs.
    command.envs(env::vars_os().filter(|(name, _)| name == "LLVM_PROFILE_FILE"));
    command.env("CARGO_TARGET_DIR", folder.0.join("target")).env("PORT", "0");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Ask a process to end.
pub(crate) fn ask_to_end(process: &Child, signal: Signal) {
    let pid = i32::try_from(process.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// The service, up and running.
pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) printed: String,
}

impl Running {
    /// Started, with the demo data to log in with.
    pub(crate) async fn start(command: Command) -> Self {
        // The last line of the welcome.
        Self::start_until(command, "/api/customer/orders -H").await
    }

    /// Started, as soon as it has printed this.
    pub(crate) async fn start_until(mut command: Command, last: &str) -> Self {
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        let reading = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                printed.push_str(&line);
                printed.push('\n');
                if line.contains(last) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the service does not come up");
        // Keep reading, or the program would block on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let url = printed.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.unwrap_or_else(|| panic!("no URL in {printed}")).split('/').take(3).collect::<Vec<_>>().join("/");
        Self { process, url, client: Client::new(), printed }
    }

    pub(crate) async fn log_in(&self, role: &str, body: Value) -> String {
        let answer = self.client.post(format!("{}/api/{role}/auth/login", self.url)).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub(crate) async fn table(&self) -> String {
        self.log_in("customer", json!({"store_id": STORE, "table_number": "1", "password": "1234"})).await
    }

    pub(crate) async fn admin(&self) -> String {
        self.log_in("admin", json!({"store_id": STORE, "username": "admin", "password": "admin1234"})).await
    }

    pub(crate) fn order(
        &self,
        token: &str,
    ) -> impl Future<Output = reqwest::Result<reqwest::Response>> + Send + 'static {
        let request = self.client.post(format!("{}/api/customer/orders", self.url)).bearer_auth(token);
        request.json(&json!({"items": [{"menu_id": 1, "quantity": 2}]})).send()
    }

    pub(crate) async fn orders(&self, token: &str) -> Value {
        let request = self.client.get(format!("{}/api/customer/orders", self.url)).bearer_auth(token);
        request.send().await.unwrap().json().await.unwrap()
    }

    pub(crate) fn interrupt(&self) {
        ask_to_end(&self.process, Signal::INT);
    }

    pub(crate) async fn ended(mut self) {
        let status = tokio::time::timeout(PATIENCE, self.process.wait()).await.expect("the service does not end");
        assert!(status.unwrap().success());
    }

    pub(crate) async fn stop(self) {
        self.interrupt();
        self.ended().await;
    }
}
