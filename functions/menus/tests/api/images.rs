//! A menu's picture: `image_id` in `POST` and `PATCH /api/admin/menus`.

use serde_json::{Value, json};
use shared::domain::ImageId;
use shared::domain::image::ImageStatus;
use shared::testing::{TestResponse, TestStore};

use crate::{Given, count, given};

impl Given {
    /// A picture of a store with this status.
    async fn image(&self, store: &TestStore, status: ImageStatus) -> i64 {
        self.app.image(store, status).await.get()
    }

    async fn create_with_image(&self, image_id: Value) -> TestResponse {
        let body = json!({"category_id": self.meals, "name": "파전", "price": 12_000, "image_id": image_id});
        self.post("/api/admin/menus", body).await
    }

    async fn give_stew(&self, image_id: Value) -> TestResponse {
        self.patch(format!("/api/admin/menus/{}", self.stew), json!({"image_id": image_id})).await
    }
}

fn urls(menu: &Value) -> [&Value; 2] {
    [&menu["image_url"], &menu["thumbnail_url"]]
}

const READY: [&str; 2] = ["https://pictures.example/a/display.jpg", "https://pictures.example/a/thumbnail.jpg"];
const NONE: [Value; 2] = [Value::Null, Value::Null];

#[tokio::test]
async fn a_ready_picture_has_absolute_urls() {
    let given = given().await;
    let image = given.image(&given.store, ImageStatus::Ready).await;

    let created = given.create_with_image(json!(image)).await.expect(201);
    let updated = given.give_stew(json!(image)).await.expect(200);

    assert_eq!(urls(&created), READY);
    assert_eq!(urls(&updated), READY);
    assert_eq!(updated["version"], 2);
    let menus = given.guest("/api/customer/menus").await.expect(200);
    assert_eq!(urls(&menus[0]), READY);
    assert_eq!(urls(&menus[1]), [&NONE[0], &NONE[1]], "of rice there is none");
}

#[tokio::test]
async fn a_pending_picture_has_no_urls_until_it_is_ready() {
    let given = given().await;
    let image = given.image(&given.store, ImageStatus::Pending).await;

    let created = given.create_with_image(json!(image)).await.expect(201);
    let updated = given.give_stew(json!(image)).await.expect(200);

    assert_eq!(urls(&created), [&NONE[0], &NONE[1]]);
    assert_eq!(urls(&updated), [&NONE[0], &NONE[1]]);
    given.app.make_ready(&given.store, ImageId::new(image).unwrap()).await;
    assert_eq!(urls(&given.menu(given.stew).await), READY);
}

#[tokio::test]
async fn an_unknown_foreign_or_rejected_picture_does_not_exist() {
    let given = given().await;
    let other = given.other_store().await;
    let rejected = given.image(&given.store, ImageStatus::Rejected).await;
    let foreign = given.image(&other.store, ImageStatus::Ready).await;
    let foreign_pending = given.image(&other.store, ImageStatus::Pending).await;
    let before = given.menus().await;
    for image in [rejected, foreign, foreign_pending, 9999, i64::MAX] {
        given.create_with_image(json!(image)).await.expect_error(404, "IMAGE_NOT_FOUND");
        given.give_stew(json!(image)).await.expect_error(404, "IMAGE_NOT_FOUND");
    }
    let both = json!({"image_id": rejected, "category_id": given.drinks, "price": 1});
    given.patch(format!("/api/admin/menus/{}", given.stew), both).await.expect_error(404, "IMAGE_NOT_FOUND");
    assert_eq!(given.menus().await, before);
    assert_eq!(count(&given.app, "outbox").await, 0);
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}

#[tokio::test]
async fn null_takes_the_picture_away_and_leaving_it_out_does_not() {
    let given = given().await;
    let image = given.image(&given.store, ImageStatus::Ready).await;
    given.give_stew(json!(image)).await.expect(200);

    let renamed = given.patch(format!("/api/admin/menus/{}", given.stew), json!({"name": "된장찌개"})).await;
    assert_eq!(urls(&renamed.expect(200)), READY);
    let without = given.give_stew(json!(null)).await.expect(200);
    assert_eq!(urls(&without), [&NONE[0], &NONE[1]]);
    assert_eq!(count(&given.app, "images").await, 1, "the picture itself stays");
}

#[tokio::test]
async fn a_bad_image_id_is_refused() {
    let given = given().await;
    for image_id in [json!(0), json!(-1), json!("1"), json!(1.5), json!(true)] {
        given.create_with_image(image_id.clone()).await.expect_error(400, "VALIDATION_ERROR");
        given.give_stew(image_id).await.expect_error(400, "VALIDATION_ERROR");
    }
    assert_eq!(count(&given.app, "menus").await, 3);
    assert_eq!(count(&given.app, "outbox").await, 0);
}
