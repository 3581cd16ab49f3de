//! `POST /api/admin/tables`.

use serde_json::{Value, json};
use shared::testing::TestResponse;

use crate::{Given, count, given};

impl Given {
    async fn create(&self, body: Value) -> TestResponse {
        self.app.post("/api/admin/tables").token(&self.store.admin.token).json(body).send().await
    }
}

#[tokio::test]
async fn adds_a_table_that_can_log_in() {
    let given = given().await;

    let table = given.create(json!({"table_number": " 창가 2 ", "password": "1234"})).await.expect(201);

    let id = table["id"].as_i64().unwrap();
    assert_eq!(
        table,
        json!({
            "id": id, "table_number": "창가 2", "session": null,
            "created_at": "2026-02-09T03:00:00.000Z", "updated_at": "2026-02-09T03:00:00.000Z",
        })
    );
    assert_eq!(given.get(&format!("/api/admin/tables/{id}")).await.expect(200), table);
    let login = given.log_in("창가 2", "1234").send().await.expect(200);
    assert_eq!(login["table"], json!({"id": id, "table_number": "창가 2"}));
}

#[tokio::test]
async fn a_number_is_unique_in_its_store_alone() {
    let given = given().await;
    let other = given.app.store().await;

    given.create(json!({"table_number": " 1 ", "password": "1234"})).await.expect_error(409, "TABLE_ALREADY_EXISTS");

    assert_eq!(count(&given.app, "tables").await, 1);
    let elsewhere = given.app.post("/api/admin/tables").token(&other.admin.token);
    let elsewhere = elsewhere.json(json!({"table_number": "1", "password": "1234"})).send().await.expect(201);
    assert_ne!(elsewhere["id"], json!(given.table.id));
}

#[tokio::test]
async fn of_many_at_once_one_gets_the_number() {
    let given = given().await;
    let create = || given.create(json!({"table_number": "9", "password": "1234"}));

    let answers = futures_util::future::join_all((0..10).map(|_| create())).await;

    let (created, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.as_u16() == 201);
    assert_eq!((created.len(), refused.len()), (1, 9));
    for answer in refused {
        answer.expect_error(409, "TABLE_ALREADY_EXISTS");
    }
}

#[tokio::test]
async fn bad_input_is_refused() {
    let given = given().await;
    let number = |number: Value| json!({"table_number": number, "password": "1234"});
    let password = |password: Value| json!({"table_number": "2", "password": password});
    for body in [
        json!({}),
        json!([]),
        json!({"table_number": "2"}),
        json!({"password": "1234"}),
        number(json!("")),
        number(json!("   ")),
        number(json!("가".repeat(21))),
        number(json!("a\0b")),
        number(json!("a\nb")),
        number(json!(2)),
        number(json!(null)),
        password(json!("")),
        password(json!("123")),
        password(json!("가")),
        password(json!("1".repeat(72))),
        password(json!("가".repeat(24))),
        password(json!("12\u{0}34")),
        password(json!(1234)),
        password(json!(null)),
        json!({"table_number": "2", "password": "1234", "session": null}),
        json!({"table_number": "2", "password": "1234", "store_id": given.store.id}),
    ] {
        let details = given.create(body.clone()).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{body}");
    }
    assert_eq!(count(&given.app, "tables").await, 1);
    given.create(number(json!("가".repeat(20)))).await.expect(201);
    given.create(password(json!("가1"))).await.expect(201);
}

#[tokio::test]
async fn all_71_bytes_of_a_password_count() {
    let given = given().await;
    let password = format!("{}ab", "가".repeat(23));
    assert_eq!(password.len(), 71);

    given.create(json!({"table_number": "2", "password": password})).await.expect(201);

    given.log_in("2", &password).send().await.expect(200);
    let nearly = format!("{}aB", "가".repeat(23));
    given.log_in("2", &nearly).send().await.expect_error(401, "INVALID_CREDENTIALS");
}

#[tokio::test]
async fn only_a_store_admin_may() {
    let given = given().await;
    let super_admin = given.app.admin(None).await;
    let post = || given.app.post("/api/admin/tables").json(json!({"table_number": "2", "password": "1234"}));

    post().send().await.expect_error(401, "TOKEN_MISSING");
    post().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
    post().token(&given.table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    post().token(&super_admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    assert_eq!(count(&given.app, "tables").await, 1);
}
