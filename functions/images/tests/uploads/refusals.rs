//! An upload that is not what was announced, or no picture.

use serde_json::{Value, json};
use shared::testing::count;

use crate::{PICTURE, given};

#[tokio::test]
async fn another_file_than_announced_is_rejected() {
    let given = given().await;
    let larger = [PICTURE, b"more"].concat();
    let mut other = PICTURE.to_vec();
    *other.last_mut().unwrap() ^= 1;
    for (content, reason) in
        [(&larger[..], "size_mismatch"), (&PICTURE[..PICTURE.len() - 1], "size_mismatch"), (&other, "digest_mismatch")]
    {
        let (image_id, key) = given.upload(PICTURE, content).await;
        given.give(Some(image_id)).await;
        assert_eq!(given.tell(&[&key]).await, Vec::<usize>::new(), "it is no failure");

        let expected = json!({
            "id": image_id, "status": "rejected", "reason": reason, "image_url": Value::Null, "thumbnail_url": Value::Null
        });
        assert_eq!(given.image(image_id).await, expected);
    }
    assert_eq!(given.buckets.images().await, Vec::<String>::new());
    assert_eq!(given.buckets.uploads().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_no_picture_is_rejected_with_its_reason() {
    let given = given().await;
    for (content, reason) in [(&b"PK\x03\x04 a zip named .jpg"[..], "not_an_image"), (&PICTURE[..2_000], "damaged")] {
        let (image_id, key) = given.upload(content, content).await;
        given.tell(&[&key]).await;
        assert_eq!(given.image(image_id).await["reason"], reason);
        let menu = given.app.patch(format!("/api/admin/menus/{}", given.menu)).token(&given.store.admin.token);
        menu.json(json!({ "image_id": image_id })).send().await.expect_error(404, "IMAGE_NOT_FOUND");
    }
}

#[tokio::test]
async fn what_nobody_asked_for_is_removed() {
    let given = given().await;
    given.buckets.upload("somebody/elses.jpg", PICTURE).await;
    assert_eq!(given.tell(&["somebody/elses.jpg"]).await, Vec::<usize>::new());
    assert_eq!(given.buckets.uploads().await, Vec::<String>::new());
    assert_eq!(count(&given.app, "images").await, 0);
}
