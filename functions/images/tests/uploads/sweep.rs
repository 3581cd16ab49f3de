//! What no menu uses any more is removed.

use chrono::TimeDelta;
use serde_json::json;
use shared::testing::count;

use crate::{Given, PICTURE, given, handler};

impl Given {
    /// Let time pass, and the schedule come. Returns how many pictures went.
    async fn after(&self, time: TimeDelta) -> u64 {
        self.app.clock.advance(time);
        let answer = self.handler.handle(json!({"source": "aws.scheduler"})).await.unwrap();
        answer["removed"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn a_picture_goes_a_day_after_its_last_use() {
    let given = given().await;
    let (unused, used) = (given.ready().await, given.ready().await);
    given.give(Some(used)).await;

    assert_eq!(given.after(TimeDelta::hours(23)).await, 0);
    assert_eq!(given.after(TimeDelta::hours(2)).await, 1);

    given
        .app
        .get(format!("/api/admin/images/{unused}"))
        .token(&given.store.admin.token)
        .send()
        .await
        .expect_error(404, "IMAGE_NOT_FOUND");
    assert_eq!(given.image(used).await["status"], "ready");
    assert_eq!(given.buckets.images().await.len(), 2);
}

/// Whoever has read the menu card a moment ago still finds it.
#[tokio::test]
async fn a_replaced_picture_stays_for_a_day() {
    let given = given().await;
    let (old, new) = (given.ready().await, given.ready().await);
    given.give(Some(old)).await;
    given.app.clock.advance(TimeDelta::days(7));
    given.give(Some(new)).await;

    assert_eq!(given.after(TimeDelta::hours(23)).await, 0);
    given.image(old).await;
    assert_eq!(given.after(TimeDelta::hours(2)).await, 1);
    assert_eq!(given.image(new).await["status"], "ready");
}

#[tokio::test]
async fn a_deleted_menus_picture_goes_too() {
    let given = given().await;
    let image = given.ready().await;
    given.give(Some(image)).await;
    given.app.clock.advance(TimeDelta::days(7));
    let request = given.app.delete(format!("/api/admin/menus/{}", given.menu)).token(&given.store.admin.token);
    request.send().await.expect(204);

    assert_eq!(given.after(TimeDelta::hours(23)).await, 0);
    assert_eq!(given.after(TimeDelta::hours(2)).await, 1);
    assert_eq!(given.buckets.images().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_never_uploaded_is_rejected_and_forgotten() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;
    given.give(Some(announced.image_id)).await;

    assert_eq!(given.after(TimeDelta::minutes(69)).await, 0);
    assert_eq!(given.image(announced.image_id).await["status"], "pending", "it may still turn up");
    assert_eq!(given.after(TimeDelta::minutes(2)).await, 0);
    assert_eq!(given.image(announced.image_id).await["reason"], "not_uploaded");
    assert_eq!(given.after(TimeDelta::days(1)).await, 1);
    assert_eq!(count(&given.app, "images").await, 0);
}

/// The function or the database was away for hours, or somebody has sent a message again that had failed.
#[tokio::test]
async fn an_upload_that_is_told_of_late_still_becomes_a_picture() {
    let given = given().await;
    let (image_id, key) = given.upload(PICTURE, PICTURE).await;
    given.give(Some(image_id)).await;
    assert_eq!(given.after(TimeDelta::hours(2)).await, 0);
    assert_eq!(given.image(image_id).await["reason"], "not_uploaded");

    assert_eq!(given.tell(&[&key]).await, Vec::<usize>::new());

    let image = given.image(image_id).await;
    assert_eq!((&image["status"], &image["reason"]), (&json!("ready"), &json!(null)));
}

/// An interrupted removal leaves a row that knows what is still to go.
#[tokio::test]
async fn a_removal_that_was_interrupted_goes_on() {
    let given = given().await;
    let image = given.ready().await;
    given.app.clock.advance(TimeDelta::days(2));
    let cut_off = handler(&given.app, &shared::testing::TestBuckets::out_of_reach());
    cut_off.sweep().await.unwrap_err();
    assert_eq!((count(&given.app, "images").await, given.buckets.images().await.len()), (1, 2));
    let menu = given.app.patch(format!("/api/admin/menus/{}", given.menu)).token(&given.store.admin.token);
    menu.json(json!({ "image_id": image })).send().await.expect_error(404, "IMAGE_NOT_FOUND");

    assert_eq!(given.handler.sweep().await.unwrap(), 1);
    assert_eq!((count(&given.app, "images").await, given.buckets.images().await.len()), (0, 0));
}
