//! Pictures in S3: uploads come into one bucket, what guests see lies in another.
//!
//! Clients upload with a presigned request, past the service. It is signed for the endpoint that clients see, which with an
//! emulator is not the one that the service sees.

use std::fmt;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Credentials, Region, RequestChecksumCalculation};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::OnceCell;

use crate::aws::{self, unavailable};
use crate::config::{Config, ConfigError};
use crate::domain::Timestamp;
use crate::domain::image::{UPLOAD_LIFE, UploadType};
use crate::error::{Error, Result};

/// What is in the bucket of pictures is named by its content and never changes: it may be kept for a year.
pub const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";
/// Where pictures lie in their bucket: `/images/*` is what CloudFront takes from there.
pub const IMAGE_FOLDER: &str = "images/";

/// The two buckets. Their client is made when it is first needed.
#[derive(Debug)]
pub struct Storage {
    uploads: String,
    images: String,
    /// Where clients see the bucket of uploads, if not where we do.
    public_endpoint: Option<String>,
    server: Server,
    clients: OnceCell<Clients>,
}

/// Where S3 is.
#[derive(Debug)]
enum Server {
    /// Where the environment says: on AWS, or at `AWS_ENDPOINT_URL`.
    Environment,
    /// At this URL, with these keys.
    At(String, Credentials),
}

#[derive(Debug)]
struct Clients {
    ours: Client,
    /// Makes URLs for clients, and connects to nothing.
    presigning: Client,
}

/// An upload that a client is to be allowed.
#[derive(Clone, Copy, Debug)]
pub struct Allowance<'a> {
    /// Its key.
    pub key: &'a str,
    /// What it is said to be.
    pub upload_type: UploadType,
    /// Its exact size in bytes.
    pub size: i64,
    /// Its SHA-256.
    pub sha256: &'a [u8],
}

/// A request that a client may send once it is signed, without any other permission.
pub struct Presigned {
    /// Where to, with the signature in its query.
    pub url: String,
    /// What it must say in its head, except for `content-length`, which clients add themselves.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for Presigned {
    /// Without the URL: whoever has it may upload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigned").field("headers", &self.headers).finish_non_exhaustive()
    }
}

/// What came of an upload.
#[derive(Debug)]
pub enum Uploaded {
    /// Nothing is there.
    Missing,
    /// More than it may be; not read.
    TooLarge,
    /// Its content.
    Whole(Bytes),
}

impl Storage {
    /// The buckets that the configuration names, on AWS or at `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    /// When one of them is not named.
    pub fn from_config(config: &Config) -> Result<Self, ConfigError> {
        let [uploads, images] = config.required(["UPLOAD_BUCKET", "IMAGE_BUCKET"])?;
        Ok(Self {
            uploads: uploads.to_owned(),
            images: images.to_owned(),
            public_endpoint: config.s3_public_endpoint.clone(),
            server: Server::Environment,
            clients: OnceCell::new(),
        })
    }

    /// Buckets of these names on the server at `url`, with its keys. Clients see it at `public_endpoint`.
    pub fn at(
        url: &str,
        [id, secret]: [&str; 2],
        [uploads, images]: [&str; 2],
        public_endpoint: Option<String>,
    ) -> Self {
        Self {
            uploads: uploads.to_owned(),
            images: images.to_owned(),
            public_endpoint,
            server: Server::At(url.to_owned(), Credentials::new(id, secret, None, None, "local")),
            clients: OnceCell::new(),
        }
    }

    /// The bucket of uploads, and the bucket of pictures.
    pub fn buckets(&self) -> [&str; 2] {
        [&self.uploads, &self.images]
    }

    /// The client to ask with.
    pub async fn client(&self) -> &Client {
        &self.clients().await.ours
    }

    /// A request that makes this upload and no other, good for [`UPLOAD_LIFE`] from `now`.
    pub async fn presign(&self, allowance: Allowance<'_>, now: Timestamp) -> Result<Presigned> {
        let life = UPLOAD_LIFE.to_std().map_err(Error::internal)?;
        let config = PresigningConfig::builder().start_time(now.utc().into()).expires_in(life).build();
        let client = &self.clients().await.presigning;
        let signed = client
            .put_object()
            .bucket(&self.uploads)
            .key(allowance.key)
            .content_type(allowance.upload_type.media_type())
            .content_length(allowance.size)
            .checksum_sha256(STANDARD.encode(allowance.sha256))
            .presigned(config.map_err(Error::internal)?)
            .await
            .map_err(unavailable)?;
        // The SDK adds where a request comes from, under Lambda, without signing it.
        let ours = ["content-length", "x-amzn-trace-id"];
        let headers = signed.headers().filter(|(name, _)| !ours.iter().any(|ours| name.eq_ignore_ascii_case(ours)));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Presigned { url: signed.uri().to_owned(), headers })
    }

    /// An upload, read unless it has more than `largest` bytes.
    pub async fn upload(&self, key: &str, largest: i64) -> Result<Uploaded> {
        let got = self.client().await.get_object().bucket(&self.uploads).key(key).send().await;
        let object = match got {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
                return Ok(Uploaded::Missing);
            }
            Err(error) => return Err(unavailable(error)),
        };
        if object.content_length().is_none_or(|length| length > largest) {
            return Ok(Uploaded::TooLarge);
        }
        let read = object.body.collect().await.map_err(unavailable)?;
        Ok(Uploaded::Whole(read.into_bytes()))
    }

    /// Remove an upload. One that is gone already is as good.
    pub async fn remove_upload(&self, key: &str) -> Result<()> {
        let client = self.client().await;
        client.delete_object().bucket(&self.uploads).key(key).send().await.map(drop).map_err(unavailable)
    }

    /// Put a JPEG where guests see it.
    pub async fn put_image(&self, key: &str, jpeg: Vec<u8>) -> Result<()> {
        let put = self.client().await.put_object().bucket(&self.images).key(format!("{IMAGE_FOLDER}{key}"));
        let put = put.content_type(UploadType::Jpeg.media_type()).cache_control(CACHE_CONTROL);
        put.body(ByteStream::from(jpeg)).send().await.map(drop).map_err(unavailable)
    }

    /// Remove pictures, 1,000 at most. Those that are gone already are as good.
    pub async fn remove_images(&self, keys: impl IntoIterator<Item = &str>) -> Result<()> {
        let object = |key: &str| ObjectIdentifier::builder().key(format!("{IMAGE_FOLDER}{key}")).build();
        let objects = keys.into_iter().map(object).collect::<Result<_, _>>().map_err(Error::internal)?;
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(Error::internal)?;
        let client = self.client().await;
        let deleted = client.delete_objects().bucket(&self.images).delete(delete).send().await.map_err(unavailable)?;
        match deleted.errors().first() {
            None => Ok(()),
            Some(error) => Err(Error::unavailable(format!("a picture cannot be removed: {error:?}"))),
        }
    }

    async fn clients(&self) -> &Clients {
        self.clients
            .get_or_init(async || {
                let environment = match &self.server {
                    Server::Environment => aws::config().await,
                    Server::At(url, credentials) => {
                        let config = aws::config_loader().endpoint_url(url);
                        let config = config.region(Region::from_static("us-east-1"));
                        config.credentials_provider(credentials.clone()).load().await
                    }
                };
                let builder = Builder::from(&environment)
                    .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)))
                    // S3 has TLS's word for it, and uploads are checked by their own digest.
                    .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                    // Only AWS has a host name for every bucket.
                    .force_path_style(environment.endpoint_url().is_some());
                let presigning = match &self.public_endpoint {
                    Some(endpoint) => builder.clone().endpoint_url(endpoint).force_path_style(true),
                    None => builder.clone(),
                };
                Clients { ours: Client::from_conf(builder.build()), presigning: Client::from_conf(presigning.build()) }
            })
            .await
    }
}
