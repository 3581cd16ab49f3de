//! Pictures, as far as menus refer to them.

use sqlx::PgConnection;

use crate::domain::{ImageId, StoreId};
use crate::error::{Code, Result};
use crate::telemetry::queries::Named;

/// Check that a menu may use this picture: it is the store's own and was not rejected.
pub async fn check_usable(db: &mut PgConnection, store_id: StoreId, id: ImageId) -> Result<()> {
    let usable = sqlx::query_scalar!(
        r#"select exists (
               select from images where store_id = $1 and id = $2 and status in ('pending', 'ready')
           ) as "exists!""#,
        store_id as StoreId,
        id as ImageId,
    )
    .fetch_one(db)
    .named("images.check_usable")
    .await?;
    if usable { Ok(()) } else { Err(Code::ImageNotFound.into()) }
}
