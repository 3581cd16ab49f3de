//! Announced uploads: `POST` and `GET /api/admin/images`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::domain::image::ImageStatus;
use shared::testing::count;

use crate::{Given, given};

/// What `printf test | sha256sum` says.
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn picture() -> Value {
    json!({"content_type": "image/webp", "size": 1_024, "sha256": DIGEST})
}

impl Given {
    async fn announce(&self) -> Value {
        self.post("/api/admin/images", picture()).await.expect(201)
    }
}

#[tokio::test]
async fn an_upload_is_signed_for_one_file_and_ten_minutes() {
    let given = given().await;

    let announced = given.announce().await;

    let upload = &announced["upload"];
    assert_eq!((&upload["method"], &upload["expires_at"]), (&json!("PUT"), &json!("2026-02-09T03:10:00.000Z")));
    let digest = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=";
    assert_eq!(upload["headers"], json!({"content-type": "image/webp", "x-amz-checksum-sha256": digest}));
    let url = upload["url"].as_str().unwrap();
    let (path, query) = url.split_once('?').unwrap();
    let key = path.strip_prefix("http://127.0.0.1:1/uploads/").unwrap();
    assert!(key.len() == 32 && key.chars().all(|c| c.is_ascii_hexdigit()), "{key} tells something");
    for part in [
        "X-Amz-Expires=600",
        "X-Amz-Date=20260209T030000Z",
        "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bx-amz-checksum-sha256",
        "X-Amz-Signature=",
    ] {
        assert!(query.contains(part), "{part} is not in {query}");
    }
    assert!(!query.contains("crc32"), "{query}");
}

/// The length is signed although no header names it.
#[tokio::test]
async fn another_size_has_another_signature() {
    let given = given().await;
    let signature = async |size: i64| {
        let body = json!({"content_type": "image/webp", "size": size, "sha256": DIGEST});
        let announced = given.post("/api/admin/images", body).await.expect(201);
        let url = announced["upload"]["url"].as_str().unwrap().to_owned();
        let key = url.split(['/', '?']).nth(4).unwrap().to_owned();
        (url.split("X-Amz-Signature=").nth(1).unwrap().to_owned(), key)
    };
    let ((first, first_key), (second, second_key)) = (signature(1).await, signature(2).await);
    assert_ne!(first, second);
    assert_ne!(first_key, second_key, "no key is given twice");
}

#[tokio::test]
async fn a_pending_picture_can_be_asked_for() {
    let given = given().await;
    let announced = given.announce().await;

    let image = given.get(format!("/api/admin/images/{}", announced["image_id"])).await.expect(200);

    let expected = json!({
        "id": announced["image_id"], "status": "pending", "reason": null, "image_url": null, "thumbnail_url": null
    });
    assert_eq!(image, expected);
}

#[tokio::test]
async fn a_ready_picture_has_urls_and_a_rejected_one_a_reason() {
    let given = given().await;
    let ready = given.app.image(&given.store, ImageStatus::Ready).await;
    let rejected = given.app.image(&given.store, ImageStatus::Rejected).await;

    let ready = given.get(format!("/api/admin/images/{ready}")).await.expect(200);
    let rejected = given.get(format!("/api/admin/images/{rejected}")).await.expect(200);

    assert_eq!((&ready["status"], &ready["reason"]), (&json!("ready"), &Value::Null));
    assert_eq!(ready["image_url"], "https://pictures.example/a/display.jpg");
    assert_eq!(ready["thumbnail_url"], "https://pictures.example/a/thumbnail.jpg");
    assert_eq!((&rejected["status"], &rejected["reason"]), (&json!("rejected"), &json!("damaged")));
    assert_eq!(rejected["image_url"], Value::Null);
}

#[tokio::test]
async fn what_may_not_be_uploaded_is_refused() {
    let given = given().await;
    let with = |change: Value| {
        let mut body = picture();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for (change, status, code) in [
        (json!({"size": 5_242_881}), 413, "FILE_TOO_LARGE"),
        (json!({"size": i64::MAX}), 413, "FILE_TOO_LARGE"),
        (json!({"content_type": "image/gif"}), 415, "INVALID_FILE_TYPE"),
        (json!({"content_type": "image/jpeg; charset=utf-8"}), 415, "INVALID_FILE_TYPE"),
        (json!({"content_type": ""}), 415, "INVALID_FILE_TYPE"),
        (json!({"size": 0}), 400, "VALIDATION_ERROR"),
        (json!({"size": -1}), 400, "VALIDATION_ERROR"),
        (json!({"size": 1.5}), 400, "VALIDATION_ERROR"),
        (json!({"sha256": ""}), 400, "VALIDATION_ERROR"),
        (json!({"sha256": &DIGEST[1..]}), 400, "VALIDATION_ERROR"),
        (json!({"sha256": format!("{DIGEST}00")}), 400, "VALIDATION_ERROR"),
        (json!({"sha256": format!("g{}", &DIGEST[1..])}), 400, "VALIDATION_ERROR"),
        (json!({"sha256": format!("+{}", &DIGEST[1..])}), 400, "VALIDATION_ERROR"),
        (json!({"name": "menu.jpg"}), 400, "VALIDATION_ERROR"),
    ] {
        given.post("/api/admin/images", with(change)).await.expect_error(status, code);
    }
    assert_eq!(count(&given.app, "images").await, 0);
    given.post("/api/admin/images", with(json!({"size": 5_242_880}))).await.expect(201);
    given.post("/api/admin/images", with(json!({"sha256": DIGEST.to_uppercase()}))).await.expect(201);
}

#[tokio::test]
async fn a_store_may_have_twenty_uploads_open() {
    let given = given().await;
    let other = given.other_store().await;
    for _ in 0..20 {
        given.announce().await;
    }
    given.post("/api/admin/images", picture()).await.expect_error(409, "TOO_MANY_UPLOADS");
    let others = given.app.post("/api/admin/images").token(&other.admin.token).json(picture());
    others.send().await.expect(201);

    given.app.clock.advance(TimeDelta::minutes(10));
    given.announce().await;
}

/// All at once are no more than one after the other.
#[tokio::test]
async fn many_at_once_are_twenty_too() {
    let given = given().await;
    let asked = (0..24).map(|_| given.post("/api/admin/images", picture()));
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.as_u16() == 201).count(), 20);
    assert_eq!(count(&given.app, "images").await, 20);
}

#[tokio::test]
async fn another_stores_picture_does_not_exist() {
    let given = given().await;
    let other = given.other_store().await;
    let image = given.app.image(&other.store, ImageStatus::Ready).await;
    given.get(format!("/api/admin/images/{image}")).await.expect_error(404, "IMAGE_NOT_FOUND");
    given.get("/api/admin/images/9999").await.expect_error(404, "IMAGE_NOT_FOUND");
    given.get("/api/admin/images/0").await.expect_error(400, "VALIDATION_ERROR");
}
