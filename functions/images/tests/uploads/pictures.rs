//! An upload becomes a picture that guests see.

use reqwest::Client;
use serde_json::{Value, json};
use shared::domain::image::UploadType;
use shared::storage::CACHE_CONTROL;
use shared::testing::{count, outbox};

use crate::{Given, PICTURE, given};

/// The picture's objects, by their URLs.
async fn objects(given: &Given, image: &Value) -> [String; 2] {
    let keys = given.buckets.images().await;
    ["image_url", "thumbnail_url"].map(|url| {
        let name = image[url].as_str().unwrap().strip_prefix("https://pictures.example/").unwrap();
        let key = format!("images/{name}");
        assert!(keys.contains(&key), "{key} is not among {keys:?}");
        key
    })
}

#[tokio::test]
async fn what_was_announced_is_uploaded_and_becomes_a_picture() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;
    assert_eq!(given.image(announced.image_id).await["status"], "pending");

    let upload = &announced.upload;
    let mut put = Client::new().put(upload["url"].as_str().unwrap()).body(PICTURE);
    for (name, value) in upload["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    assert!(put.send().await.unwrap().status().is_success());
    let key = given.upload_key(announced.image_id).await;
    assert_eq!(given.tell(&[&key]).await, Vec::<usize>::new());

    let image = given.image(announced.image_id).await;
    assert_eq!((&image["status"], &image["reason"]), (&json!("ready"), &Value::Null));
    for key in objects(&given, &image).await {
        let object = given.buckets.image(&key).await;
        assert_eq!(object.content_type(), Some(UploadType::Jpeg.media_type()));
        assert_eq!(object.cache_control(), Some(CACHE_CONTROL));
        let jpeg = object.body.collect().await.unwrap().into_bytes();
        assert_eq!(
            image::load_from_memory(&jpeg).unwrap().height(),
            if key.ends_with(&name(&image)) { 300 } else { 400 }
        );
    }
    assert_eq!(given.buckets.uploads().await, Vec::<String>::new(), "the original is gone");
}

/// The thumbnail's name.
fn name(image: &Value) -> String {
    image["thumbnail_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn menus_that_wait_for_it_show_it_and_tell_the_screens() {
    let given = given().await;
    let (image_id, key) = given.upload(PICTURE, PICTURE).await;
    given.give(Some(image_id)).await;
    let table = given.app.table(&given.store, "1").await;
    let menus = async || given.app.get("/api/customer/menus").token(&table.token).send().await.expect(200)[0].take();
    let before = menus().await;
    assert_eq!((&before["version"], &before["thumbnail_url"]), (&json!(2), &Value::Null));

    given.tell(&[&key]).await;

    let after = menus().await;
    let image = given.image(image_id).await;
    assert_eq!((&after["version"], &after["thumbnail_url"]), (&json!(3), &image["thumbnail_url"]));
    let event = outbox(&given.app).await.pop().unwrap();
    assert_eq!((&event["event_type"], &event["menu_id"]), (&json!("MenuChanged"), &json!(given.menu)));
    assert_eq!(event["version"], 3);
}

#[tokio::test]
async fn the_same_message_twice_changes_nothing() {
    let given = given().await;
    let (image_id, key) = given.upload(PICTURE, PICTURE).await;
    given.give(Some(image_id)).await;
    given.tell(&[&key]).await;
    let (image, objects, events) =
        (given.image(image_id).await, given.buckets.images().await, count(&given.app, "outbox").await);

    // Once more without the original, and once with it: somebody has used the request again.
    given.tell(&[&key]).await;
    given.buckets.upload(&key, PICTURE).await;
    assert_eq!(given.tell(&[&key, &key]).await, Vec::<usize>::new());

    assert_eq!(given.image(image_id).await, image);
    assert_eq!(given.buckets.images().await, objects);
    assert_eq!(count(&given.app, "outbox").await, events);
    assert_eq!(given.buckets.uploads().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_picture_that_no_menu_uses_tells_nobody() {
    let given = given().await;
    given.ready().await;
    assert_eq!(count(&given.app, "outbox").await, 0);
}

/// Each has objects of its own, so that one can go without the other.
#[tokio::test]
async fn the_same_file_twice_is_two_pictures() {
    let given = given().await;
    let (first, second) = (given.ready().await, given.ready().await);
    assert_ne!(given.image(first).await["image_url"], given.image(second).await["image_url"]);
    assert_eq!(given.buckets.images().await.len(), 4);
}
