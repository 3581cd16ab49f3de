//! `/api/superadmin/admins`: accounts created and listed.

use axum::http::Method;
use serde_json::{Value, json};
use shared::testing::{PASSWORD, TestResponse};

use crate::{Given, assert_no_secret, column, count, given};

impl Given {
    /// Add a store admin of a new store, or as these fields say otherwise.
    async fn create_with(&self, fields: Value) -> TestResponse {
        let store = self.store("한빛식당").await;
        let mut body = json!({"username": "kim", "password": PASSWORD, "role": "store_admin", "store_id": store["id"]});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.post("/api/superadmin/admins", body).await
    }

    async fn list(&self, query: &str) -> Value {
        let page = self.get(format!("/api/superadmin/admins?{query}")).await;
        assert_no_secret(&page.body, &[PASSWORD]);
        page.expect(200)
    }
}

#[tokio::test]
async fn creates_an_active_store_admin() {
    let given = given().await;
    let store = given.store("한빛식당").await;

    let body =
        json!({"username": "kim.chef_1-A", "password": PASSWORD, "role": "store_admin", "store_id": store["id"]});
    let admin = given.post("/api/superadmin/admins", body).await.expect(201);

    insta::assert_json_snapshot!(admin, { ".id" => "[id]", ".store_id" => "[uuid]" });
    assert_eq!(admin["store_id"], store["id"]);
    let login = json!({"store_id": store["id"], "username": "kim.chef_1-A", "password": PASSWORD});
    let answer = given.app.post("/api/admin/auth/login").json(login).send().await.expect(200);
    assert_eq!(answer["admin"]["id"], admin["id"]);
}

#[tokio::test]
async fn creates_a_super_admin_who_has_no_store() {
    let given = given().await;
    for (username, store_id) in [("lee", None), ("park", Some(Value::Null))] {
        let mut body = json!({"username": username, "password": PASSWORD, "role": "super_admin"});
        if let Some(store_id) = store_id {
            body["store_id"] = store_id;
        }

        let admin = given.post("/api/superadmin/admins", body).await.expect(201);

        assert_eq!((&admin["role"], &admin["is_active"]), (&json!("super_admin"), &json!(true)));
        assert_eq!((&admin["store_id"], &admin["store_name"]), (&json!(null), &json!(null)));
        let login = json!({"username": username, "password": PASSWORD});
        let login = given.app.post("/api/superadmin/auth/login").json(login).send().await.expect(200);
        given.super_admin_me(login["access_token"].as_str().unwrap()).await.expect(200);
    }
}

#[tokio::test]
async fn the_bounds_themselves_are_allowed() {
    let given = given().await;
    for username in ["abc", "_.-", &"a".repeat(50)] {
        assert_eq!(given.create_with(json!({"username": username})).await.expect(201)["username"], username);
    }
    for (i, password) in ["12345678".to_owned(), "p".repeat(71), "가".repeat(23)].into_iter().enumerate() {
        given.create_with(json!({"username": format!("kim-{i}"), "password": password})).await.expect(201);
    }
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let given = given().await;
    for fields in [
        json!({"username": ""}),
        json!({"username": "ab"}),
        json!({"username": "a".repeat(51)}),
        json!({"username": "kim chef"}),
        json!({"username": " kim"}),
        json!({"username": "kim\n"}),
        json!({"username": "kim\0"}),
        json!({"username": "김주방장"}),
        json!({"username": "kim@example"}),
        json!({"username": "kim/../lee"}),
        json!({"username": null}),
        json!({"username": 123}),
        json!({"password": ""}),
        json!({"password": "1234567"}),
        json!({"password": "p".repeat(72)}),
        json!({"password": "가".repeat(24)}),
        json!({"password": "pass\u{0}1234"}),
        json!({"password": null}),
        json!({"password": 12345678}),
        json!({"role": "table"}),
        json!({"role": "root"}),
        json!({"role": ""}),
        json!({"role": null}),
        json!({"store_id": "1"}),
        json!({"store_id": 1}),
        json!({"store_id": ""}),
        json!({"is_active": false}),
        json!({"password_hash": "x"}),
    ] {
        let answer = given.create_with(fields.clone()).await;
        assert!(!answer.body.contains(PASSWORD), "{fields}: {}", answer.body);
        let details = answer.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{fields}");
    }
    for field in ["username", "password", "role"] {
        let mut body = json!({"username": "kim", "password": PASSWORD, "role": "super_admin"});
        body.as_object_mut().unwrap().remove(field);
        given.post("/api/superadmin/admins", body).await.expect_error(400, "VALIDATION_ERROR");
    }
    assert_eq!(count(&given.app, "admins").await, 1);
}

#[tokio::test]
async fn a_store_admin_needs_a_store() {
    let given = given().await;
    given.create_with(json!({"store_id": null})).await.expect_error(400, "STORE_ID_REQUIRED");
    let body = json!({"username": "kim", "password": PASSWORD, "role": "store_admin"});
    given.post("/api/superadmin/admins", body).await.expect_error(400, "STORE_ID_REQUIRED");
    assert_eq!(count(&given.app, "admins").await, 1);
}

#[tokio::test]
async fn a_store_admin_needs_a_store_that_is_there() {
    let given = given().await;

    let answer = given.create_with(json!({"store_id": "0197f0f0-0000-7000-8000-000000000000"})).await;

    answer.expect_error(404, "STORE_NOT_FOUND");
    assert_eq!(count(&given.app, "admins").await, 1);
}

#[tokio::test]
async fn a_super_admin_cannot_have_a_store() {
    let given = given().await;

    let details = given.create_with(json!({"role": "super_admin"})).await.expect_error(400, "VALIDATION_ERROR");

    assert_eq!(details["fields"][0]["field"], "store_id");
    assert_eq!(count(&given.app, "admins").await, 1);
}

#[tokio::test]
async fn a_username_is_unique_in_the_service() {
    let given = given().await;
    given.create_with(json!({})).await.expect(201);

    // In another store, and of another role.
    given.create_with(json!({})).await.expect_error(409, "USERNAME_ALREADY_EXISTS");
    let body = json!({"username": "kim", "password": PASSWORD, "role": "super_admin"});
    given.post("/api/superadmin/admins", body.clone()).await.expect_error(409, "USERNAME_ALREADY_EXISTS");

    assert_eq!(count(&given.app, "admins").await, 2);
    sqlx::query("update admins set is_active = false where username = 'kim'").execute(given.app.db()).await.unwrap();
    given.post("/api/superadmin/admins", body).await.expect_error(409, "USERNAME_ALREADY_EXISTS");
}

#[tokio::test]
async fn no_answer_holds_a_password_or_its_hash() {
    let given = given().await;
    let body = json!({"username": "kim", "password": "s3cret-s3cret", "role": "super_admin"});

    let created = given.post("/api/superadmin/admins", body.clone()).await;
    assert_eq!(created.status.as_u16(), 201);
    assert_no_secret(&created.body, &["s3cret"]);
    let again = given.post("/api/superadmin/admins", body).await;
    assert_no_secret(&again.body, &["s3cret"]);
    let kept: Vec<String> =
        sqlx::query_scalar("select password_hash from admins").fetch_all(given.app.db()).await.unwrap();
    assert!(kept.iter().all(|hash| hash.starts_with("$2") && !hash.contains("s3cret")));
    let listed = given.get("/api/superadmin/admins").await;
    assert_no_secret(&listed.body, &["s3cret", PASSWORD]);
    assert!(kept.iter().all(|hash| !listed.body.contains(hash)));
    let id = created.expect(201)["id"].clone();
    for how in ["deactivate", "activate"] {
        let switched = given.send(Method::PATCH, format!("/api/superadmin/admins/{id}/{how}"), None).await;
        assert_eq!(switched.status.as_u16(), 200);
        assert_no_secret(&switched.body, &["s3cret"]);
    }
}

#[tokio::test]
async fn lists_accounts_by_username_and_page() {
    let given = given().await;
    for username in ["zoe-c", "zoe-a", "zoe-d", "zoe-b"] {
        given.create_with(json!({"username": username})).await.expect(201);
    }

    let all = given.list("").await;
    assert_eq!(column(&all, "username"), json!([given.caller.username, "zoe-a", "zoe-b", "zoe-c", "zoe-d"]));
    assert_eq!(all["pagination"], json!({"page": 1, "page_size": 50, "total_count": 5, "total_pages": 1}));
    let second = given.list("page=2&page_size=3").await;
    assert_eq!(column(&second, "username"), json!(["zoe-c", "zoe-d"]));
    assert_eq!(second["pagination"], json!({"page": 2, "page_size": 3, "total_count": 5, "total_pages": 2}));
    assert_eq!(given.list("page=3&page_size=3").await["items"], json!([]));
}

#[tokio::test]
async fn an_account_is_listed_as_it_was_created() {
    let given = given().await;

    let created = given.create_with(json!({"username": "kim"})).await.expect(201);

    assert_eq!(given.list("q=kim").await["items"], json!([created]));
    assert_eq!(created["store_name"], "한빛식당");
}

#[tokio::test]
async fn filters_join() {
    let given = given().await;
    let kim = given.create_with(json!({"username": "kim-a"})).await.expect(201);
    let store = kim["store_id"].as_str().unwrap();
    given.create_with(json!({"username": "lee-a", "store_id": store})).await.expect(201);
    given.create_with(json!({"username": "kim-b"})).await.expect(201);
    let body = json!({"username": "kim-c", "password": PASSWORD, "role": "super_admin"});
    given.post("/api/superadmin/admins", body).await.expect(201);
    given.send(Method::PATCH, format!("/api/superadmin/admins/{}/deactivate", kim["id"]), None).await.expect(200);
    let found = async |query: &str| {
        let page = given.list(query).await;
        assert_eq!(page["pagination"]["total_count"], page["items"].as_array().unwrap().len(), "{query}");
        column(&page, "username")
    };

    assert_eq!(found(&format!("store_id={store}")).await, json!(["kim-a", "lee-a"]));
    assert_eq!(found("is_active=false").await, json!(["kim-a"]));
    assert_eq!(found("is_active=true&q=kim").await, json!(["kim-b", "kim-c"]));
    assert_eq!(found("q=kim").await, json!(["kim-a", "kim-b", "kim-c"]));
    assert_eq!(found(&format!("store_id={store}&is_active=true")).await, json!(["lee-a"]));
    assert_eq!(found(&format!("store_id={store}&is_active=true&q=kim")).await, json!([]));
}

#[tokio::test]
async fn a_search_is_for_plain_text_within_the_username() {
    let given = given().await;
    for username in ["a_b.c", "axbxc"] {
        given.create_with(json!({"username": username})).await.expect(201);
    }
    let search = async |q: &str| column(&given.list(&format!("q={q}")).await, "username");

    assert_eq!(search("a_b").await, json!(["a_b.c"]));
    assert_eq!(search("b.c").await, json!(["a_b.c"]));
    assert_eq!(search("xbx").await, json!(["axbxc"]));
    assert_eq!(search("a%25").await, json!([]));
    assert_eq!(search("%25").await, json!([]));
    assert_eq!(search("%5C").await, json!([]));
    assert_eq!(search("%27").await, json!([]));
}

#[tokio::test]
async fn a_bad_query_is_refused() {
    let given = given().await;
    for query in [
        "page=0",
        "page=-1",
        "page=x",
        "page_size=0",
        "page_size=101",
        "store_id=1",
        "store_id=",
        "is_active=yes",
        "is_active=1",
        "q=%00",
        "username=kim",
    ] {
        let details = given.get(format!("/api/superadmin/admins?{query}")).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn needs_the_token_of_a_super_admin() {
    let given = given().await;
    let store = given.app.store().await;
    let table = given.app.table(&store, "1").await;
    let body = json!({"username": "kim", "password": PASSWORD, "role": "store_admin", "store_id": store.id});
    for (method, path) in [
        (Method::GET, "/api/superadmin/admins".to_owned()),
        (Method::GET, format!("/api/superadmin/admins?store_id={}", store.id)),
        (Method::POST, "/api/superadmin/admins".into()),
    ] {
        let request = || given.app.request(method.clone(), &path).json(body.clone());
        request().send().await.expect_error(401, "TOKEN_MISSING");
        request().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
        request().token(&table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        request().token(&store.admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    }
    assert_eq!(count(&given.app, "admins").await, 2);
}
