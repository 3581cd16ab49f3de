//! Pictures of menus: what may be uploaded, and what becomes of it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ImageId;

/// The largest upload, in bytes: 5 MiB.
pub const LARGEST_UPLOAD: i64 = 5 * 1024 * 1024;
/// How many uploads a store may have open.
pub const OPEN_UPLOADS: i64 = 20;
/// How long an upload may be made after it was asked for.
pub const UPLOAD_LIFE: TimeDelta = TimeDelta::minutes(10);

/// What may be uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadType {
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
    /// `image/webp`
    WebP,
}

impl UploadType {
    /// The type with this media type's name.
    pub fn from_media_type(text: &str) -> Option<Self> {
        [Self::Jpeg, Self::Png, Self::WebP].into_iter().find(|upload_type| upload_type.media_type() == text)
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }
}

/// Where a picture stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ImageStatus {
    /// Not uploaded yet, or not looked at.
    Pending,
    /// Guests may see it.
    Ready,
    /// Of no use, for a reason.
    Rejected,
}

/// Why a picture was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum RejectionReason {
    /// It was not uploaded in time.
    NotUploaded,
    /// Its size is not what was announced.
    SizeMismatch,
    /// Its SHA-256 is not what was announced.
    DigestMismatch,
    /// It is no JPEG, PNG or WebP, whatever its name says.
    NotAnImage,
    /// It has more than 40 million pixels.
    TooManyPixels,
    /// It is cut off, or damaged otherwise.
    Damaged,
}

/// A picture that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    /// The picture's id.
    pub id: ImageId,
    /// Where it stands.
    pub status: ImageStatus,
    /// Why it was rejected; null otherwise.
    #[schema(required)]
    pub reason: Option<RejectionReason>,
    /// The picture, longest side 1,280; null unless it is ready.
    #[schema(required, format = "uri", examples("https://images.example.com/images/9f86d081.jpg"))]
    pub image_url: Option<String>,
    /// The picture within 300×300; null unless it is ready.
    #[schema(required, format = "uri", examples("https://images.example.com/images/9f86d081-300.jpg"))]
    pub thumbnail_url: Option<String>,
}
