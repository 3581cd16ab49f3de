//! The function, from an announced upload to the picture on the menu card, on a database and buckets of its own each.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod events;
mod pictures;
mod refusals;
mod sweep;

use images::Handler;
use serde_json::{Value, json};
use shared::domain::MenuId;
use shared::testing::{Options, TestApp, TestBuckets, TestStore};

const PICTURE: &[u8] = include_bytes!("../../picture/tests/originals/turned-with-gps.jpg");

/// A store with one menu, and the function.
struct Given {
    app: TestApp,
    buckets: TestBuckets,
    handler: Handler,
    store: TestStore,
    menu: MenuId,
}

/// An upload that was announced.
struct Announced {
    image_id: i64,
    upload: Value,
}

async fn given() -> Given {
    let buckets = TestBuckets::create().await;
    let options = Options { buckets: buckets.clone(), ..Options::default() };
    let options = options.set("IMAGE_BASE_URL", "https://pictures.example");
    // Whole days pass in some tests.
    let options = options.set("JWT_ADMIN_EXPIRE_HOURS", "720");
    let app = TestApp::start_with(options, |_, _| menus::router()).await;
    let store = app.store().await;
    let category = app.category(&store, "식사").await;
    let menu = app.menu(&store, category, "김치찌개", 9_000).await;
    let handler = handler(&app, &buckets);
    Given { app, buckets, handler, store, menu }
}

/// The function on this app's database, with these buckets.
fn handler(app: &TestApp, buckets: &TestBuckets) -> Handler {
    Handler::of(&app.app, buckets.0.clone())
}

impl Given {
    /// Announce this file.
    async fn announce(&self, content: &[u8]) -> Announced {
        let sha256 = shared::hex(&shared::sha256(content));
        let body = json!({"content_type": "image/jpeg", "size": content.len(), "sha256": sha256});
        let request = self.app.post("/api/admin/images").token(&self.store.admin.token).json(body);
        let mut answer = request.send().await.expect(201);
        Announced { image_id: answer["image_id"].as_i64().unwrap(), upload: answer["upload"].take() }
    }

    /// Announce a file and put something under its key, as S3 would if it did not look.
    async fn upload(&self, announced: &[u8], content: &[u8]) -> (i64, String) {
        let Announced { image_id, .. } = self.announce(announced).await;
        let key = self.upload_key(image_id).await;
        self.buckets.upload(&key, content.to_vec()).await;
        (image_id, key)
    }

    /// The key that an upload was announced under.
    async fn upload_key(&self, image_id: i64) -> String {
        let sql = sqlx::query_scalar("select upload_key from images where id = $1").bind(image_id);
        sql.fetch_one(self.app.db()).await.unwrap()
    }

    /// Tell the function of uploads, each in a message of its own. Returns the numbers of those that failed.
    async fn tell(&self, keys: &[&str]) -> Vec<usize> {
        self.tell_bodies(&keys.iter().map(|key| notification(key)).collect::<Vec<_>>()).await
    }

    /// The same with whatever the messages say.
    async fn tell_bodies(&self, bodies: &[Value]) -> Vec<usize> {
        let record = |(number, body): (usize, &Value)| {
            let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            json!({"messageId": format!("message-{number}"), "body": body, "eventSource": "aws:sqs"})
        };
        let records: Vec<_> = bodies.iter().enumerate().map(record).collect();
        let answer = self.handler.handle(json!({ "Records": records })).await.unwrap();
        let failed = |failure: &Value| {
            failure["itemIdentifier"].as_str().unwrap().strip_prefix("message-").unwrap().parse().unwrap()
        };
        answer["batchItemFailures"].as_array().unwrap().iter().map(failed).collect()
    }

    /// A picture as its admin reads it.
    async fn image(&self, id: i64) -> Value {
        let request = self.app.get(format!("/api/admin/images/{id}")).token(&self.store.admin.token);
        request.send().await.expect(200)
    }

    /// Give the menu a picture, or none.
    async fn give(&self, image_id: Option<i64>) {
        let request = self.app.patch(format!("/api/admin/menus/{}", self.menu)).token(&self.store.admin.token);
        request.json(json!({ "image_id": image_id })).send().await.expect(200);
    }

    /// A picture that is ready.
    async fn ready(&self) -> i64 {
        let (image_id, key) = self.upload(PICTURE, PICTURE).await;
        assert_eq!(self.tell(&[&key]).await, Vec::<usize>::new());
        assert_eq!(self.image(image_id).await["status"], "ready");
        image_id
    }
}

/// What S3 tells of an upload.
fn notification(key: &str) -> Value {
    json!({"Records": [{
        "eventVersion": "2.3",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "uploads"}, "object": {"key": key, "size": 1, "sequencer": "0055AED6DCD90281E5"}},
    }]})
}
