//! Buckets of S3 for one test, on the stand-in that `with-services` started.

use std::env;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use axum::body::Bytes;
use uuid::Uuid;

use crate::clock;
use crate::storage::Storage;

/// Two buckets that nobody else knows.
#[derive(Clone, Debug)]
pub struct TestBuckets(pub Arc<Storage>);

impl TestBuckets {
    /// New ones.
    pub async fn create() -> Self {
        let endpoint = env::var("AWS_ENDPOINT_URL").expect("tests need S3: run `make test`");
        let run = Uuid::from_bytes(clock::random()).simple();
        let names = [format!("uploads-{run}"), format!("images-{run}")];
        let storage = Storage::at(&endpoint, ["nobody", "nothing"], names.each_ref().map(String::as_str), None);
        for bucket in &names {
            storage.client().await.create_bucket().bucket(bucket).send().await.unwrap();
        }
        Self(Arc::new(storage))
    }

    /// Buckets that cannot be reached. Requests to them can be signed.
    pub fn out_of_reach() -> Self {
        let storage = Storage::at("http://127.0.0.1:1", ["nobody", "nothing"], ["uploads", "images"], None);
        Self(Arc::new(storage))
    }

    /// Put an upload there, past the signature.
    pub async fn upload(&self, key: &str, content: impl Into<Bytes>) {
        let [uploads, _] = self.0.buckets();
        let put = self.0.client().await.put_object().bucket(uploads).key(key);
        put.body(content.into().into()).send().await.unwrap();
    }

    /// Keys of uploads.
    pub async fn uploads(&self) -> Vec<String> {
        self.keys(self.0.buckets()[0]).await
    }

    /// Keys of pictures.
    pub async fn images(&self) -> Vec<String> {
        self.keys(self.0.buckets()[1]).await
    }

    /// A picture as it lies in its bucket.
    pub async fn image(&self, key: &str) -> GetObjectOutput {
        let [_, images] = self.0.buckets();
        self.0.client().await.get_object().bucket(images).key(key).send().await.unwrap()
    }

    async fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.0.client().await.list_objects_v2().bucket(bucket).send().await.unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }
}
