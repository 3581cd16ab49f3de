//! S3 over a folder, for the service in one process: pictures are uploaded to it with the same requests as to AWS.
//!
//! It checks signatures and digests as S3 does, and shows nothing of an upload before that. What S3 tells through SQS it tells
//! the pictures' function directly.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{Path as UrlPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use images::Handler;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, GetObjectInput, GetObjectOutput,
    PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use shared::clock;
use shared::http::server;
use shared::storage::{self, IMAGE_FOLDER, Storage};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{Any, CorsLayer};
use uuid::Uuid;

/// The buckets' names.
const UPLOADS: &str = "uploads";
const IMAGES: &str = "images";
/// How often unused pictures are looked for, as the function's schedule does.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// How long after the start they are looked for first: the service is often started for less than an hour.
const FIRST_SWEEP: Duration = Duration::from_secs(60);
/// After what time an upload comes again that could not be handled, as its queue does.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// What uploads under way have to end once the process is to stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the name of a file begins with that is not there as a whole. Buckets lie beside it.
const DRAFT: &str = ".draft-";
/// The most that is taken at once, in bytes. What is made of an upload may be a little larger than the upload.
const LARGEST: usize = 16 * 1024 * 1024;

/// Buckets that are folders, and where they are served.
#[derive(Debug)]
pub struct Pictures {
    folder: Folder,
    listener: TcpListener,
    keys: [String; 2],
    uploaded: mpsc::UnboundedReceiver<String>,
    /// What the service uploads and reads with.
    pub storage: Arc<Storage>,
}

#[derive(Clone, Debug)]
struct Folder {
    root: PathBuf,
    /// Told of every upload.
    uploads: mpsc::UnboundedSender<String>,
}

impl Pictures {
    /// Buckets in this folder, made if it is not there, to be served on `listener` to whoever signs with `keys`, an id and its
    /// secret. Clients see it at `public_endpoint`, if that is not where we do.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(
        root: &Path,
        listener: TcpListener,
        keys: [String; 2],
        public_endpoint: Option<String>,
    ) -> io::Result<Self> {
        for bucket in [UPLOADS, IMAGES] {
            std::fs::create_dir_all(root.join(bucket))?;
        }
        for entry in std::fs::read_dir(root)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(DRAFT) {
                std::fs::remove_file(entry.path())?;
            }
        }
        let url = format!("http://{}", listener.local_addr()?);
        let [id, secret] = &keys;
        let storage = Storage::at(&url, [id, secret], [UPLOADS, IMAGES], Some(public_endpoint.unwrap_or(url.clone())));
        let (uploads, uploaded) = mpsc::unbounded_channel();
        // What came in just before the last end.
        for upload in std::fs::read_dir(root.join(UPLOADS))?.flatten() {
            let _ = uploads.send(upload.file_name().to_string_lossy().into_owned());
        }
        let folder = Folder { root: root.to_owned(), uploads };
        Ok(Self { folder, listener, keys, uploaded, storage: Arc::new(storage) })
    }

    /// Where the endpoint is.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn url(&self) -> io::Result<String> {
        Ok(format!("http://{}", self.listener.local_addr()?))
    }

    /// The route that guests see pictures at.
    pub fn router(&self) -> Router {
        Router::new().route("/images/{*key}", get(picture)).with_state(self.folder.clone())
    }

    /// Serve the endpoint to the web pages of these origins, and hand every upload to `handler`, until `stopped`.
    ///
    /// # Errors
    /// When it cannot be served any more.
    pub async fn serve(
        mut self,
        handler: Handler,
        origins: Vec<HeaderValue>,
        stopped: CancellationToken,
    ) -> io::Result<()> {
        let [id, secret] = self.keys;
        let uploads = self.folder.uploads.clone();
        let mut service = S3ServiceBuilder::new(self.folder);
        service.set_auth(SimpleAuth::from_single(id, secret));
        let cors = CorsLayer::new().allow_origin(origins).allow_methods([Method::PUT]).allow_headers(Any);
        let service = service.build();
        let router = Router::new().fallback(async move |request: Request| ask(&service, request).await).layer(cors);
        let handling = async {
            let mut sweeps = interval_at(Instant::now() + FIRST_SWEEP, SWEEP_EVERY);
            // One after the other, for the sake of memory.
            loop {
                tokio::select! {
                    Some(key) = self.uploaded.recv() => {
                        if let Err(error) = handler.handle_upload(&key).await {
                            tracing::error!(upload.key = key, exception = %error, "an upload was not handled; it comes again");
                            let uploads = uploads.clone();
                            tokio::spawn(async move {
                                sleep(AGAIN_AFTER).await;
                                let _ = uploads.send(key);
                            });
                        }
                    }
                    _ = sweeps.tick() => {
                        if let Err(error) = handler.sweep().await {
                            tracing::error!(exception = %error, "unused pictures were not removed");
                        }
                    }
                }
            }
        };
        tokio::select! {
            served = server::serve(self.listener, router, stopped, PATIENCE) => served,
            () = handling => Ok(()),
        }
    }
}

/// Ask the service in the types that it knows.
async fn ask(service: &S3Service, request: Request) -> Response {
    match service.call(request.map(Body::http_body_unsync)).await {
        Ok(answer) => answer.map(axum::body::Body::new),
        Err(error) => {
            tracing::error!(exception = ?error, "a request for a picture fails");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A picture as CloudFront would answer it.
async fn picture(State(folder): State<Folder>, UrlPath(key): UrlPath<String>) -> impl IntoResponse {
    let path = folder.path(IMAGES, &format!("{IMAGE_FOLDER}{key}")).map_err(|_| StatusCode::NOT_FOUND)?;
    let jpeg = tokio::fs::read(path).await.map_err(|_| StatusCode::NOT_FOUND)?;
    Ok::<_, StatusCode>(([(CONTENT_TYPE, "image/jpeg"), (CACHE_CONTROL, storage::CACHE_CONTROL)], jpeg))
}

impl Folder {
    /// Where an object lies.
    fn path(&self, bucket: &str, key: &str) -> S3Result<PathBuf> {
        if ![UPLOADS, IMAGES].contains(&bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        if !key.split('/').all(is_plain) {
            return Err(s3_error!(InvalidArgument, "a key may have letters, digits, '-', '_', '.' and '/'"));
        }
        Ok(self.root.join(bucket).join(key))
    }

    async fn remove(&self, bucket: &str, key: &str) -> S3Result<()> {
        match tokio::fs::remove_file(self.path(bucket, key)?).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(s3_error!(error, InternalError)),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl S3 for Folder {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let PutObjectInput { bucket, key, body, checksum_sha256, .. } = request.input;
        let path = self.path(&bucket, &key)?;
        let mut content = Vec::new();
        let mut body = body.ok_or_else(|| s3_error!(IncompleteBody))?;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| s3_error!(IncompleteBody))?;
            if content.len() + chunk.len() > LARGEST {
                return Err(s3_error!(EntityTooLarge));
            }
            content.extend_from_slice(&chunk);
        }
        if let Some(announced) = &checksum_sha256
            && *announced != STANDARD.encode(shared::sha256(&content))
        {
            return Err(s3_error!(BadDigest, "the content has another SHA-256"));
        }
        // Under its name it is there as a whole, or not at all.
        let draft = self.root.join(format!("{DRAFT}{}", Uuid::from_bytes(clock::random()).simple()));
        let written = async {
            if let Some(folder) = path.parent() {
                tokio::fs::create_dir_all(folder).await?;
            }
            tokio::fs::write(&draft, content).await?;
            tokio::fs::rename(&draft, &path).await
        };
        written.await.map_err(|error| s3_error!(error, InternalError))?;
        if bucket == UPLOADS {
            // When nobody listens any more, the process ends.
            let _ = self.uploads.send(key);
        }
        Ok(S3Response::new(PutObjectOutput::default()))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, .. } = request.input;
        let content = tokio::fs::read(self.path(&bucket, &key)?).await.map_err(|_| s3_error!(NoSuchKey))?;
        let output = GetObjectOutput {
            content_length: i64::try_from(content.len()).ok(),
            body: Some(StreamingBlob::from(Body::from(content))),
            ..GetObjectOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, .. } = request.input;
        self.remove(&bucket, &key).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        for object in delete.objects {
            self.remove(&bucket, &object.key).await?;
        }
        Ok(S3Response::new(DeleteObjectsOutput::default()))
    }
}
