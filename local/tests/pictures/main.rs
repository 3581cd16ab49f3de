//! The buckets of the one process, asked as clients ask S3.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod clients;
mod refusals;

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, SecondsFormat, Utc};
use images::Handler;
use local::pictures::Pictures;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use shared::clock::{self, Clock};
use shared::testing::{Options, TestApp, TestBuckets, TestStore};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

const PICTURE: &[u8] = include_bytes!("../../../functions/images/picture/tests/originals/turned-with-gps.jpg");
/// What the buckets' owner signs with.
const KEYS: [&str; 2] = ["AKIDEXAMPLE", "wJalrXUtnFEMI"];
/// A web page that may upload.
const ORIGIN: &str = "http://console.example";
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The service's routes for pictures, and the buckets.
struct Given {
    app: TestApp,
    store: TestStore,
    /// Where the buckets are served.
    url: String,
    /// Where pictures are served.
    site: String,
    client: Client,
    folder: PathBuf,
    _running: DropGuard,
}

impl Drop for Given {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// An upload that was announced: its picture and its request.
struct Announced {
    image_id: i64,
    url: String,
    headers: Vec<(String, String)>,
}

async fn given() -> Given {
    let folder = std::env::temp_dir().join(format!("pictures-{}", Uuid::from_bytes(clock::random()).simple()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pictures = Pictures::open(&folder, listener, KEYS.map(str::to_owned), None).unwrap();
    let site = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, address) = (pictures.url().unwrap(), format!("http://{}", site.local_addr().unwrap()));
    let options = Options { buckets: TestBuckets(pictures.storage.clone()), ..Options::default() };
    let options = options.set("IMAGE_BASE_URL", &format!("{address}/images"));
    let app = TestApp::start_with(options, |_, _| menus::router()).await;
    // Signatures are checked by the system's clock.
    let now: DateTime<Utc> = Clock::system().now().utc();
    app.clock.set(&now.to_rfc3339_opts(SecondsFormat::Millis, true));
    let store = app.store().await;
    let router = Router::new().merge(pictures.router());
    tokio::spawn(async move { axum::serve(site, router).await });
    let _running = serve(&app, pictures);
    Given { app, store, url, site: address, client: Client::new(), folder, _running }
}

/// Serve the buckets, and handle uploads, as long as the guard lives.
fn serve(app: &TestApp, pictures: Pictures) -> DropGuard {
    let handler = Handler::of(&app.app, pictures.storage.clone());
    let stopped = CancellationToken::new();
    tokio::spawn(pictures.serve(handler, vec![ORIGIN.parse().unwrap()], stopped.clone()));
    stopped.drop_guard()
}

impl Given {
    /// Announce this file.
    async fn announce(&self, content: &[u8]) -> Announced {
        let sha256 = shared::hex(&shared::sha256(content));
        let body = json!({"content_type": "image/jpeg", "size": content.len(), "sha256": sha256});
        let request = self.app.post("/api/admin/images").token(&self.store.admin.token).json(body);
        let answer = request.send().await.expect(201);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let headers = answer["upload"]["headers"].as_object().unwrap();
        Announced {
            image_id: answer["image_id"].as_i64().unwrap(),
            url: text(&answer["upload"]["url"]),
            headers: headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        }
    }

    /// A picture as its admin reads it, once it is known what becomes of it.
    async fn outcome(&self, id: i64) -> Value {
        let decided = async {
            loop {
                let image = self.image(id).await;
                if image["status"] != "pending" {
                    return image;
                }
            }
        };
        timeout(PATIENCE, decided).await.expect("nothing becomes of the picture")
    }

    async fn image(&self, id: i64) -> Value {
        let request = self.app.get(format!("/api/admin/images/{id}")).token(&self.store.admin.token);
        request.send().await.expect(200)
    }

    /// How many files there are in a bucket.
    fn files(&self, bucket: &str) -> usize {
        fn count(folder: PathBuf) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().flatten();
            entries.map(|entry| if entry.path().is_dir() { count(entry.path()) } else { 1 }).sum()
        }
        count(self.folder.join(bucket))
    }
}

impl Announced {
    /// The request as it was answered.
    fn request(&self, client: &Client) -> RequestBuilder {
        self.headers.iter().fold(client.put(&self.url), |request, (name, value)| request.header(name, value))
    }

    async fn upload(&self, client: &Client, content: &[u8]) -> Response {
        self.request(client).body(content.to_vec()).send().await.unwrap()
    }
}
