//! Pictures: asked for, uploaded, used by menus, and removed when they are of no use any more.

use sqlx::{PgConnection, PgPool};

use crate::domain::image::{Image, ImageStatus, RejectionReason};
use crate::domain::{AdminId, ImageId, MenuId, StoreId, Timestamp};
use crate::error::{Code, Result};
use crate::telemetry::queries::Named;

/// An upload to be made.
#[derive(Debug)]
pub struct NewUpload<'a> {
    /// Who asks for it.
    pub admin_id: AdminId,
    /// Its key in the bucket of uploads.
    pub upload_key: &'a str,
    /// Its size in bytes.
    pub size: i32,
    /// Its SHA-256.
    pub sha256: &'a [u8],
    /// Until when it may be made.
    pub expires_at: Timestamp,
}

/// Enter an upload that is to be made. Returns the picture's id.
pub async fn create(db: &mut PgConnection, store_id: StoreId, new: NewUpload<'_>, now: Timestamp) -> Result<ImageId> {
    let id = sqlx::query_scalar!(
        r#"insert into images (
               store_id, status, admin_id, upload_key, size, sha256, expires_at, created_at, last_used_at
           )
           values ($1, 'pending', $2, $3, $4, $5, $6, $7, $7)
           returning id as "id: ImageId""#,
        store_id as StoreId,
        new.admin_id as AdminId,
        new.upload_key,
        new.size,
        new.sha256,
        new.expires_at as Timestamp,
        now as Timestamp,
    )
    .fetch_one(db)
    .named("images.create")
    .await?;
    Ok(id)
}

/// How many uploads of the store may still be made.
pub async fn open_uploads(db: &mut PgConnection, store_id: StoreId, now: Timestamp) -> Result<i64> {
    let open = sqlx::query_scalar!(
        r#"select count(*) as "count!" from images where store_id = $1 and status = 'pending' and expires_at > $2"#,
        store_id as StoreId,
        now as Timestamp,
    )
    .fetch_one(db)
    .named("images.open_uploads")
    .await?;
    Ok(open)
}

/// One of the store's pictures.
pub async fn find(db: &PgPool, store_id: StoreId, image_base_url: &str, id: ImageId) -> Result<Image> {
    let image = sqlx::query_as!(
        Image,
        r#"select id as "id: ImageId", status as "status: ImageStatus", reason as "reason: RejectionReason",
                  $2 || '/' || image_key as image_url, $2 || '/' || thumbnail_key as thumbnail_url
           from images
           where store_id = $1 and id = $3 and status <> 'removing'"#,
        store_id as StoreId,
        image_base_url,
        id as ImageId,
    )
    .fetch_optional(db)
    .named("images.find")
    .await?;
    image.ok_or(Code::ImageNotFound.into())
}

/// A menu is about to use this picture: see that it is the store's own and was not rejected, and keep it from being removed.
pub async fn take(db: &mut PgConnection, store_id: StoreId, id: ImageId, now: Timestamp) -> Result<()> {
    let taken = sqlx::query!(
        "update images
         set last_used_at = $3
         where store_id = $1 and id = $2 and status in ('pending', 'ready')",
        store_id as StoreId,
        id as ImageId,
        now as Timestamp,
    )
    .execute(db)
    .named("images.take")
    .await?;
    if taken.rows_affected() == 1 { Ok(()) } else { Err(Code::ImageNotFound.into()) }
}

/// A menu is about to lose its picture, if it has one: from now on nothing may use it.
pub async fn let_go(db: &mut PgConnection, store_id: StoreId, menu_id: MenuId, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "update images
         set last_used_at = $3
         where store_id = $1 and id = (select image_id from menus where store_id = $1 and id = $2)",
        store_id as StoreId,
        menu_id as MenuId,
        now as Timestamp,
    )
    .execute(db)
    .named("images.let_go")
    .await?;
    Ok(())
}

/// An upload as it was announced.
#[derive(Debug)]
pub struct Upload {
    /// The picture.
    pub id: ImageId,
    /// Its store.
    pub store_id: StoreId,
    /// False once it is known what becomes of it. An upload that was missed may still turn up.
    pub is_open: bool,
    /// Its size in bytes.
    pub size: i32,
    /// Its SHA-256.
    pub sha256: Vec<u8>,
}

/// The upload under this key, whatever store's it is: S3 tells of keys alone.
pub async fn find_upload(db: &PgPool, upload_key: &str) -> Result<Option<Upload>> {
    let upload = sqlx::query_as!(
        Upload,
        r#"select id as "id: ImageId", store_id as "store_id: StoreId",
                  (status = 'pending' or reason is not distinct from 'not_uploaded') as "is_open!",
                  size as "size!", sha256 as "sha256!"
           from images
           where upload_key = $1"#,
        upload_key,
    )
    .fetch_optional(db)
    .named("images.find_upload")
    .await?;
    Ok(upload)
}

/// Note the keys of a picture that is ready. False if it was decided otherwise meanwhile: then nothing changes.
pub async fn make_ready(
    db: &mut PgConnection,
    store_id: StoreId,
    id: ImageId,
    image_key: &str,
    thumbnail_key: &str,
) -> Result<bool> {
    let made = sqlx::query!(
        "update images
         set status = 'ready', reason = null, image_key = $3, thumbnail_key = $4
         where store_id = $1 and id = $2 and (status = 'pending' or reason = 'not_uploaded')",
        store_id as StoreId,
        id as ImageId,
        image_key,
        thumbnail_key,
    )
    .execute(db)
    .named("images.make_ready")
    .await?;
    Ok(made.rows_affected() == 1)
}

/// Note why a picture is of no use, if nothing else was decided meanwhile.
pub async fn reject(db: &PgPool, store_id: StoreId, id: ImageId, reason: RejectionReason) -> Result<()> {
    sqlx::query!(
        "update images
         set status = 'rejected', reason = $3
         where store_id = $1 and id = $2 and (status = 'pending' or reason = 'not_uploaded')",
        store_id as StoreId,
        id as ImageId,
        reason as RejectionReason,
    )
    .execute(db)
    .named("images.reject")
    .await?;
    Ok(())
}

/// Reject what was not uploaded, though nobody may upload it any more since `before`.
pub async fn reject_missing(db: &PgPool, before: Timestamp) -> Result<u64> {
    let rejected = sqlx::query!(
        "update images set status = 'rejected', reason = 'not_uploaded' where status = 'pending' and expires_at < $1",
        before as Timestamp,
    )
    .execute(db)
    .named("images.reject_missing")
    .await?;
    Ok(rejected.rows_affected())
}

/// Forget rejected pictures that were last used before this.
pub async fn forget_rejected(db: &PgPool, before: Timestamp) -> Result<u64> {
    let forgotten = sqlx::query!(
        "with gone as (select id from images where status = 'rejected' and last_used_at < $1),
              freed as (update menus set image_id = null where image_id in (select id from gone))
         delete from images where id in (select id from gone)",
        before as Timestamp,
    )
    .execute(db)
    .named("images.forget_rejected")
    .await?;
    Ok(forgotten.rows_affected())
}

/// A picture whose objects are to be removed.
#[derive(Debug)]
pub struct Unused {
    /// The picture.
    pub id: ImageId,
    /// Key of the picture that guests see.
    pub image_key: String,
    /// Key of its thumbnail.
    pub thumbnail_key: String,
}

/// Ready pictures that no menu uses and none has used since `before`, and those that are half removed, up to `limit`. From
/// now on no menu can use them.
pub async fn begin_removing(db: &PgPool, before: Timestamp, limit: i64) -> Result<Vec<Unused>> {
    let unused = sqlx::query_as!(
        Unused,
        r#"update images
           set status = 'removing'
           where id in (
               select i.id
               from images i
               where (i.status = 'removing' or i.status = 'ready' and i.last_used_at < $1)
                   and not exists (select from menus m where m.image_id = i.id)
               order by i.last_used_at
               limit $2
           )
               -- A menu may have taken it meanwhile.
               and last_used_at < $1
           returning id as "id: ImageId", image_key as "image_key!", thumbnail_key as "thumbnail_key!""#,
        before as Timestamp,
        limit,
    )
    .fetch_all(db)
    .named("images.begin_removing")
    .await?;
    Ok(unused)
}

/// Forget pictures whose objects are gone. Returns how many.
pub async fn forget(db: &PgPool, ids: &[ImageId]) -> Result<u64> {
    let forgotten = sqlx::query!("delete from images where status = 'removing' and id = any($1)", ids as &[ImageId])
        .execute(db)
        .named("images.forget")
        .await?;
    Ok(forgotten.rows_affected())
}
