//! `watch`, started and running.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use reqwest::{Client, Method, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long anything may take. The functions may have to be compiled first.
const PATIENCE: Duration = Duration::from_secs(600);
/// The first demo store.
pub(crate) const STORE: &str = "11111111-1111-4111-8111-111111111111";

/// The service.
pub(crate) struct Running {
    process: Child,
    url: String,
    lambda: String,
    client: Client,
    /// What every process of it has in its environment.
    mark: String,
    keys: PathBuf,
}

impl Running {
    pub(crate) async fn start() -> Self {
        let mark = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(shared::clock::random::<18>());
        let lambda_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let database = shared::testing::TestDatabase::create().await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_table-order-local"));
        command.args(["watch", "--stream-port", "0", "--api-port", &lambda_port.to_string()]);
        command.env("PORT", "0").env("ORIGIN_SECRET", &mark).env("DATABASE_URL", database.url());
        let keys = std::env::temp_dir().join(format!("table-order-keys-{mark}"));
        command
            .env("JWT_PRIVATE_KEY_PATH", keys.join("private.pem"))
            .env("JWT_PUBLIC_KEY_PATH", keys.join("public.pem"));
        command.env("RATE_LIMIT_PER_MINUTE", "1000000").stdout(Stdio::piped()).kill_on_drop(true);
        // The database goes with its server.
        std::mem::forget(database);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let coming_up = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(url) = line.trim().strip_prefix("API").map(str::trim) {
                    return url.trim_end_matches("/api").to_owned();
                }
            }
            panic!("the service does not come up, with what is said above");
        };
        let url = timeout(PATIENCE, coming_up).await.expect("the service does not come up");
        // Keep reading, or the program would block on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let lambda = format!("http://127.0.0.1:{lambda_port}");
        Self { process, url, lambda, client: Client::new(), mark, keys }
    }

    /// End it as Ctrl-C does, and see that nothing is left.
    pub(crate) async fn stop(mut self) {
        let pid = Pid::from_raw(self.process.id().unwrap().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let status = timeout(PATIENCE, self.process.wait()).await.expect("it does not end").unwrap();
        fs::remove_dir_all(&self.keys).unwrap();
        assert!(status.success(), "{status}");
        assert_eq!(marked(&self.mark), Vec::<String>::new(), "these were left behind");
    }

    /// The address of a path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Response {
        let mut request = self.client.request(method, self.at(path)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    /// What a request is answered with, which must be a success.
    pub(crate) async fn ask(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Value {
        let answer = self.send(method, path, token, body).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) async fn log_in(&self, role: &str, body: Value) -> String {
        let answer = self.ask(Method::POST, &format!("/api/{role}/auth/login"), "", Some(body)).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn admin(&self) -> String {
        self.log_in("admin", json!({"store_id": STORE, "username": "admin", "password": "admin1234"})).await
    }

    pub(crate) async fn table(&self, number: &str) -> String {
        self.log_in("customer", json!({"store_id": STORE, "table_number": number, "password": "1234"})).await
    }

    /// A stream of a role's, as soon as it is ready.
    pub(crate) async fn stream(&self, role: &str, token: &str) -> Stream {
        let answer = self.send(Method::GET, &format!("/api/{role}/orders/stream"), token, None).await;
        assert_eq!(answer.status(), 200);
        let mut stream = Stream { answer, read: String::new() };
        stream.until("ready", |_| true).await;
        stream
    }

    /// Invoke a function with an event.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> Value {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.lambda);
        let answer = self.client.post(url).json(event).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{function}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// A live stream.
pub(crate) struct Stream {
    answer: Response,
    read: String,
}

impl Stream {
    /// The data of the next frame of this name that is the right one.
    pub(crate) async fn until(&mut self, name: &str, right: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                if let Some((frame, rest)) = self.read.split_once("\n\n") {
                    let field = |field| frame.lines().find_map(|line| line.strip_prefix(field));
                    let event = (field("event: ").map(str::to_owned), field("data: ").map(str::to_owned));
                    self.read = rest.to_owned();
                    if let (Some(event), Some(data)) = event
                        && event == name
                    {
                        let data = serde_json::from_str(&data).unwrap();
                        if right(&data) {
                            return data;
                        }
                    }
                    continue;
                }
                let chunk = self.answer.chunk().await.unwrap().expect("the stream has ended");
                self.read.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("there is no {name}"))
    }
}

/// The command lines of processes that have this in their environment.
fn marked(mark: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let is_marked = |process: &Path| {
        fs::read(process.join("environ")).is_ok_and(|environ| String::from_utf8_lossy(&environ).contains(mark))
    };
    let own = Path::new("/proc").join(std::process::id().to_string());
    processes
        .filter(|process| *process != own && is_marked(process))
        .map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default().replace('\0', " "))
        .filter(|command| !command.is_empty())
        .collect()
}
