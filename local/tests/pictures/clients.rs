//! What works: a plain HTTP client, curl, and AWS's own library for Python.

use local::pictures::Pictures;
use private_services::python;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::{KEYS, PICTURE, given};

#[tokio::test]
async fn a_plain_client_uploads_and_guests_see_the_picture() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;

    assert_eq!(announced.upload(&given.client, PICTURE).await.status(), 200);

    let image = given.outcome(announced.image_id).await;
    assert_eq!(image["status"], "ready", "{image}");
    let url = image["thumbnail_url"].as_str().unwrap();
    assert!(url.starts_with(&given.site));
    let answer = given.client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(&answer.bytes().await.unwrap()[..3], b"\xff\xd8\xff");
    assert_eq!((given.files("uploads"), given.files("images")), (0, 2));
}

#[tokio::test]
async fn curl_uploads() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;
    let file = given.folder.join("menu.jpg");
    std::fs::write(&file, PICTURE).unwrap();
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail-with-body", "--upload-file"]).arg(&file);
    for (name, value) in &announced.headers {
        curl.args(["--header", &format!("{name}: {value}")]);
    }
    let output = curl.arg(&announced.url).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(given.outcome(announced.image_id).await["status"], "ready");
}

/// What boto3 signs, for its own requests and for others', is what we check.
const BOTO3: &str = r#"
import base64, hashlib, sys, urllib.request
import boto3, botocore.config, botocore.exceptions
url, key_id, secret = sys.argv[1:]
def client(secret):
    config = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key_id,
                        aws_secret_access_key=secret, config=config)
s3 = client(secret)
content = b"a picture"
digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
s3.put_object(Bucket="images", Key="images/a/b.jpg", Body=content, ChecksumSHA256=digest)
assert s3.get_object(Bucket="images", Key="images/a/b.jpg")["Body"].read() == content
presigned = s3.generate_presigned_url("get_object", Params={"Bucket": "images", "Key": "images/a/b.jpg"}, ExpiresIn=60)
assert urllib.request.urlopen(presigned).read() == content
def refused(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(code)
refused("BadDigest", s3.put_object, Bucket="images", Key="images/c.jpg", Body=b"another", ChecksumSHA256=digest)
refused("NoSuchKey", s3.get_object, Bucket="images", Key="images/c.jpg")
refused("NoSuchBucket", s3.get_object, Bucket="others", Key="images/a/b.jpg")
refused("SignatureDoesNotMatch", client("another secret").get_object, Bucket="images", Key="images/a/b.jpg")
s3.delete_objects(Bucket="images", Delete={"Objects": [{"Key": "images/a/b.jpg"}, {"Key": "images/c.jpg"}]})
refused("NoSuchKey", s3.get_object, Bucket="images", Key="images/a/b.jpg")
s3.delete_object(Bucket="images", Key="images/a/b.jpg")
"#;

#[tokio::test]
async fn boto3_understands_it() {
    let given = given().await;
    let python = python::program("moto_server").await.unwrap().with_file_name("python");
    let mut command = Command::new(python);
    command.args(["-c", BOTO3, &given.url]).args(KEYS).env("NO_PROXY", "*");
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_web_page_of_the_configured_origins_may_upload() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;
    let preflight = async |origin: &str| {
        let request = given.client.request(reqwest::Method::OPTIONS, &announced.url).header("origin", origin);
        let request = request.header("access-control-request-method", "PUT");
        let request = request.header("access-control-request-headers", "content-type,x-amz-checksum-sha256");
        request.send().await.unwrap()
    };
    let answer = preflight(crate::ORIGIN).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], crate::ORIGIN);
    assert_eq!(answer.headers()["access-control-allow-methods"], "PUT");
    assert!(!preflight("http://elsewhere.example").await.headers().contains_key("access-control-allow-origin"));

    let uploaded = announced.request(&given.client).header("origin", crate::ORIGIN).body(PICTURE).send().await.unwrap();
    assert_eq!(uploaded.headers()["access-control-allow-origin"], crate::ORIGIN);
}

/// The process ended between an upload and what comes of it.
#[tokio::test]
async fn what_came_in_before_the_last_end_is_looked_at_after_the_next_start() {
    let given = given().await;
    let announced = given.announce(PICTURE).await;
    let key = announced.url.split(['/', '?']).nth(4).unwrap();
    std::fs::write(given.folder.join("uploads").join(key), PICTURE).unwrap();
    // It had not all of this one.
    std::fs::write(given.folder.join(".draft-1"), &PICTURE[..100]).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let next = Pictures::open(&given.folder, listener, KEYS.map(str::to_owned), None).unwrap();
    assert!(!given.folder.join(".draft-1").exists());
    let _running = crate::serve(&given.app, next);

    assert_eq!(given.outcome(announced.image_id).await["status"], "ready");
}
