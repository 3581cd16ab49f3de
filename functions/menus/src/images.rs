//! `/api/admin/images`: pictures for menus. The picture itself goes from the client straight to S3.

use std::collections::BTreeMap;

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use shared::auth::callers::StoreAdmin;
use shared::clock;
use shared::db::images::NewUpload;
use shared::db::{images, stores};
use shared::domain::image::{Image, LARGEST_UPLOAD, OPEN_UPLOADS, UPLOAD_LIFE, UploadType};
use shared::domain::{ImageId, Timestamp};
use shared::http::request::{Id, Valid};
use shared::http::response::{Created, Json};
use shared::storage::Allowance;
use shared::{App, Code, Error, Result};
use utoipa::ToSchema;
use uuid::Uuid;

/// A picture to be uploaded.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnnounceImage {
    /// `image/jpeg`, `image/png` or `image/webp`.
    #[garde(length(chars, max = 100))]
    #[schema(max_length = 100, examples("image/jpeg"))]
    content_type: String,
    /// In bytes, 5,242,880 at most.
    #[garde(range(min = 1))]
    #[schema(minimum = 1, examples(2481032))]
    size: i64,
    /// The file's SHA-256, in hexadecimal.
    #[garde(custom(digest))]
    #[schema(
        pattern = "^[0-9a-fA-F]{64}$",
        examples("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
    )]
    sha256: String,
}

fn digest(text: &str, _: &()) -> garde::Result {
    read_digest(text).map(drop).ok_or_else(|| garde::Error::new("must be a SHA-256: 64 hexadecimal digits"))
}

/// 32 bytes from 64 hexadecimal digits.
fn read_digest(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect::<Option<Vec<u8>>>()?;
    (digits.len() == 64).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// A picture's id, and how to upload it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnnouncedImage {
    /// The picture's id: a menu may name it at once.
    image_id: ImageId,
    upload: UploadRequest,
}

/// A request that uploads the picture, and nothing else. Send it without a token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadRequest {
    /// The method.
    #[schema(examples("PUT"))]
    method: &'static str,
    /// Where to. It holds a signature: whoever knows it may upload this file.
    #[schema(format = "uri", examples("https://uploads.example.com/1f0c?X-Amz-Signature=5d67"))]
    url: String,
    /// What to send in the head, besides `Content-Length`.
    #[schema(examples(json!({
        "content-type": "image/jpeg",
        "x-amz-checksum-sha256": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
    })))]
    headers: BTreeMap<String, String>,
    /// When it stops working: 10 minutes from now.
    expires_at: Timestamp,
}

/// Announce a picture for a menu, and be told how to upload it.
///
/// The request that is answered uploads this one file: its size, type and SHA-256 are signed with it. A second or two after
/// the upload the picture is `ready`, or `rejected` with a reason: `GET /api/admin/images/{id}` tells.
#[utoipa::path(
    post,
    path = "/api/admin/images",
    tag = "menus",
    operation_id = "images_create",
    request_body = AnnounceImage,
    responses((status = 201, body = AnnouncedImage)),
    extensions(("x-errors" = json!([Code::TooManyUploads, Code::FileTooLarge, Code::InvalidFileType]))),
)]
pub(crate) async fn create(
    State(app): State<App>,
    admin: StoreAdmin,
    Valid(body): Valid<AnnounceImage>,
) -> Result<Created<AnnouncedImage>> {
    let upload_type = UploadType::from_media_type(&body.content_type).ok_or(Code::InvalidFileType)?;
    let size = i32::try_from(body.size).ok().filter(|&size| i64::from(size) <= LARGEST_UPLOAD);
    let size = size.ok_or(Code::FileTooLarge)?;
    let sha256 = read_digest(&body.sha256).ok_or(Code::ValidationError)?;
    let storage = app.storage.as_ref().ok_or_else(|| Error::unavailable("there is no storage for pictures"))?;
    // Says nothing of whose it is, and cannot be guessed.
    let key = Uuid::from_bytes(clock::random()).simple().to_string();
    let now = app.clock.now();
    let expires_at = now + UPLOAD_LIFE;
    let allowance = Allowance { key: &key, upload_type, size: size.into(), sha256: &sha256 };
    let presigned = storage.presign(allowance, now).await?;

    let mut tx = app.db.begin().await?;
    stores::lock(&mut tx, admin.store_id).await?;
    if images::open_uploads(&mut tx, admin.store_id, now).await? >= OPEN_UPLOADS {
        return Err(Code::TooManyUploads.into());
    }
    let new = NewUpload { admin_id: admin.id, upload_key: &key, size, sha256: &sha256, expires_at };
    let image_id = images::create(&mut tx, admin.store_id, new, now).await?;
    tx.commit().await?;

    let headers = presigned.headers.into_iter().collect();
    Ok(Created(AnnouncedImage {
        image_id,
        upload: UploadRequest { method: "PUT", url: presigned.url, headers, expires_at },
    }))
}

/// Where a picture stands.
#[utoipa::path(
    get,
    path = "/api/admin/images/{id}",
    tag = "menus",
    operation_id = "images_read",
    params(("id" = ImageId, Path, description = "The picture.")),
    responses((status = 200, body = Image)),
    extensions(("x-errors" = json!([Code::ImageNotFound]))),
)]
pub(crate) async fn read(State(app): State<App>, admin: StoreAdmin, Id(id): Id<ImageId>) -> Result<Json<Image>> {
    Ok(Json(images::find(&app.db, admin.store_id, &app.config.image_base_url, id).await?))
}
