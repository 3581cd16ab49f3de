//! What is not what was announced changes nothing.

use chrono::TimeDelta;
use reqwest::Response;
use shared::testing::count;

use crate::{Announced, PICTURE, given};

/// The status, and the code in S3's XML.
async fn refusal(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let code = text.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next());
    (status, code.unwrap_or(&text).to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn another_file_is_refused() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;
    let mut other = PICTURE.to_vec();
    other[100] ^= 1;
    assert_eq!(refusal(announced.upload(&given.client, &other).await).await, is(400, "BadDigest"));
    for size in [PICTURE.len() - 1, PICTURE.len() + 1] {
        let content: Vec<_> = PICTURE.iter().copied().cycle().take(size).collect();
        assert_eq!(refusal(announced.upload(&given.client, &content).await).await, is(403, "SignatureDoesNotMatch"));
    }
    assert_eq!(given.image(announced.image_id).await["status"], "pending");
    assert_eq!((given.files("uploads"), given.files("images")), (0, 0));
    // Refusals have used nothing up.
    assert_eq!(announced.upload(&given.client, PICTURE).await.status(), 200);
}

#[tokio::test]
async fn another_head_is_refused() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;
    for (header, value) in [("content-type", "image/png"), ("x-amz-checksum-sha256", "AAAA")] {
        let mut headers = announced.headers.clone();
        headers.iter_mut().find(|(name, _)| name == header).unwrap().1 = value.to_owned();
        let changed = Announced { headers, url: announced.url.clone(), ..announced };
        let answer = changed.upload(&given.client, PICTURE).await;
        assert_eq!(refusal(answer).await, is(403, "SignatureDoesNotMatch"), "{header}");
    }
    let bare = Announced { headers: Vec::new(), url: announced.url.clone(), ..announced };
    assert!(bare.upload(&given.client, PICTURE).await.status().is_client_error());
    assert_eq!(given.files("uploads"), 0);
}

#[tokio::test]
async fn another_key_or_bucket_is_refused() {
    let given = given().await;
    let (announced, other) = (given.announce(PICTURE).await, given.announce(PICTURE).await);
    let (path, query) = announced.url.split_once('?').unwrap();
    let others_path = other.url.split_once('?').unwrap().0;
    for path in [others_path.to_owned(), path.replace("/uploads/", "/images/"), format!("{path}/../x")] {
        let changed = Announced { url: format!("{path}?{query}"), headers: announced.headers.clone(), ..announced };
        assert_eq!(changed.upload(&given.client, PICTURE).await.status(), 403, "{path}");
    }
    assert_eq!((given.files("uploads"), given.files("images")), (0, 0));
}

#[tokio::test]
async fn after_ten_minutes_it_is_too_late() {
    let given = given().await;
    given.app.clock.advance(TimeDelta::minutes(-11));
    let announced = given.announce(PICTURE).await;
    assert_eq!(announced.upload(&given.client, PICTURE).await.status(), 403);
    assert_eq!(given.files("uploads"), 0);
}

#[tokio::test]
async fn without_a_signature_nothing_can_be_read_or_written() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;
    announced.upload(&given.client, PICTURE).await;
    given.outcome(announced.image_id).await;
    let path = announced.url.split_once('?').unwrap().0.to_owned();
    let bare = Announced { url: path, headers: Vec::new(), ..announced };
    assert_eq!(bare.upload(&given.client, PICTURE).await.status(), 403);
    for path in ["/", "/uploads", "/images", "/images/images/a.jpg"] {
        assert_eq!(given.client.get(format!("{}{path}", given.url)).send().await.unwrap().status(), 403, "{path}");
    }
}

#[tokio::test]
async fn the_same_request_twice_changes_nothing() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;
    announced.upload(&given.client, PICTURE).await;
    let image = given.outcome(announced.image_id).await;

    assert_eq!(announced.upload(&given.client, PICTURE).await.status(), 200);
    // Uploads are looked at in turn: once another one is done, this one is, too.
    let other = given.announce(PICTURE).await;
    other.upload(&given.client, PICTURE).await;
    given.outcome(other.image_id).await;

    assert_eq!(given.image(announced.image_id).await, image);
    assert_eq!(count(&given.app, "images").await, 2);
    assert_eq!(given.files("images"), 4);
}

#[tokio::test]
async fn pictures_are_served_from_their_folder_alone() {
    let given = given().await;
    std::fs::write(given.folder.join("secret.jpg"), b"secret").unwrap();
    for path in ["..%2f..%2fsecret.jpg", "%2e%2e/%2e%2e/secret.jpg", "nothing.jpg", ".hidden", "a//b", "a%00.jpg"] {
        let answer = given.client.get(format!("{}/images/{path}", given.site)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
}
