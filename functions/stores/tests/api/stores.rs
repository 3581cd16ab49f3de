//! `/api/superadmin/stores`.

use axum::http::Method;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{Given, built_for, column, count, given};

const UNKNOWN: &str = "0197f0f0-0000-7000-8000-000000000000";

fn path(store: &Value) -> String {
    format!("/api/superadmin/stores/{}", store["id"].as_str().unwrap())
}

impl Given {
    /// Check that a store that is not empty stays, whole.
    async fn assert_stays(&self, store: &Value) {
        self.delete(path(store)).await.expect_error(409, "STORE_NOT_EMPTY");
        assert_eq!(self.get(path(store)).await.expect(200), *store);
        assert_eq!(count(&self.app, "audit_entries").await, 0);
    }
}

#[tokio::test]
async fn creates_an_active_store_in_seoul() {
    let given = given().await;

    let store = given.post("/api/superadmin/stores", json!({"name": "  한빛식당 "})).await.expect(201);

    insta::assert_json_snapshot!(store, { ".id" => "[uuid]" });
    let id = store["id"].as_str().unwrap();
    assert_eq!((id.len(), id.matches('-').count()), (36, 4));
    assert_eq!(given.get(path(&store)).await.expect(200), store);
}

#[tokio::test]
async fn creates_a_store_in_another_time_zone() {
    let given = given().await;
    for timezone in ["America/New_York", "Asia/Kathmandu", "UTC"] {
        let store = given.post("/api/superadmin/stores", json!({"name": "가", "timezone": timezone})).await.expect(201);
        assert_eq!(store["timezone"], timezone);
        assert_eq!(given.get(path(&store)).await.expect(200)["timezone"], timezone);
    }
}

/// It is PostgreSQL that says what day it is there.
#[tokio::test]
async fn every_time_zone_that_a_store_may_have_is_known_to_the_database() {
    let given = given().await;
    let names: Vec<_> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();

    let known = sqlx::query_scalar::<_, i64>("select count(now() at time zone name) from unnest($1::text[]) as name");

    assert_eq!(known.bind(&names).fetch_one(given.app.db()).await.unwrap(), names.len() as i64);
}

#[tokio::test]
async fn stores_may_have_the_same_name() {
    let given = given().await;

    let (first, second) = (given.store("한빛식당").await, given.store("한빛식당").await);

    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn a_name_has_1_to_100_characters() {
    let given = given().await;
    let store = given.store("한빛식당").await;
    for name in ["가".to_owned(), "가".repeat(100)] {
        assert_eq!(given.store(&name).await["name"], json!(name));
        assert_eq!(given.patch(path(&store), json!({"name": name})).await.expect(200)["name"], json!(name));
    }
}

#[tokio::test]
async fn bad_fields_are_refused_and_change_nothing() {
    let given = given().await;
    let store = given.store("한빛식당").await;
    for fields in [
        json!({"name": ""}),
        json!({"name": "  "}),
        json!({"name": "가".repeat(101)}),
        json!({"name": "a\0b"}),
        json!({"name": "a\nb"}),
        json!({"name": null}),
        json!({"name": 1}),
        json!({"timezone": "Mars/Olympus_Mons"}),
        json!({"timezone": "Seoul"}),
        json!({"timezone": "+09:00"}),
        json!({"timezone": ""}),
        json!({"timezone": "Asia/Seoul\0"}),
        json!({"timezone": null}),
        json!({"timezone": 9}),
        json!({"id": UNKNOWN}),
        json!({"created_at": "2026-02-09T03:00:00.000Z"}),
    ] {
        let details = given.patch(path(&store), fields.clone()).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{fields}");
        let mut body = json!({"name": "새 식당"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let details = given.post("/api/superadmin/stores", body).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{fields}");
    }
    for fields in
        [json!({"is_active": null}), json!({"is_active": "false"}), json!({"is_active": 0}), json!([]), json!(null)]
    {
        given.patch(path(&store), fields).await.expect_error(400, "VALIDATION_ERROR");
    }
    for body in [json!({}), json!({"timezone": "UTC"}), json!({"name": "새 식당", "is_active": false})] {
        given.post("/api/superadmin/stores", body).await.expect_error(400, "VALIDATION_ERROR");
    }
    assert_eq!(given.get(path(&store)).await.expect(200), store);
    assert_eq!(count(&given.app, "stores").await, 1);
}

#[tokio::test]
async fn an_unknown_time_zone_is_named() {
    let given = given().await;

    let body = json!({"name": "한빛식당", "timezone": "Asia/Soul"});
    let details = given.post("/api/superadmin/stores", body).await.expect_error(400, "VALIDATION_ERROR");

    assert_eq!(details["fields"][0]["field"], "timezone");
}

#[tokio::test]
async fn lists_stores_by_name_and_page() {
    let given = given().await;
    for name in ["다나식당", "가나식당", "라나식당", "나나식당"] {
        given.store(name).await;
    }
    let list = |query: &str| given.get(format!("/api/superadmin/stores{query}"));

    let all = list("").await.expect(200);
    assert_eq!(column(&all, "name"), json!(["가나식당", "나나식당", "다나식당", "라나식당"]));
    assert_eq!(all["pagination"], json!({"page": 1, "page_size": 50, "total_count": 4, "total_pages": 1}));
    assert_eq!(given.get(path(&all["items"][0])).await.expect(200), all["items"][0]);
    let second = list("?page=2&page_size=3").await.expect(200);
    assert_eq!(column(&second, "name"), json!(["라나식당"]));
    assert_eq!(second["pagination"], json!({"page": 2, "page_size": 3, "total_count": 4, "total_pages": 2}));
    assert_eq!(list("?page=3&page_size=3").await.expect(200)["items"], json!([]));
    let searched = list("?q=%EB%82%98%EB%82%98&page_size=1").await.expect(200);
    assert_eq!(column(&searched, "name"), json!(["나나식당"]));
    assert_eq!(searched["pagination"], json!({"page": 1, "page_size": 1, "total_count": 1, "total_pages": 1}));
    list("?page_size=100").await.expect(200);
}

#[tokio::test]
async fn a_search_is_for_plain_text_within_the_name() {
    let given = given().await;
    for name in ["100% 한우", "a_b", "acb", "back\\slash", "한빛 식당"] {
        given.store(name).await;
    }
    let search = async |q: &str| {
        let page = given.get(format!("/api/superadmin/stores?q={q}")).await.expect(200);
        assert_eq!(page["pagination"]["total_count"], page["items"].as_array().unwrap().len());
        column(&page, "name")
    };

    assert_eq!(search("%25").await, json!(["100% 한우"]));
    assert_eq!(search("_").await, json!(["a_b"]));
    assert_eq!(search("a_b").await, json!(["a_b"]));
    assert_eq!(search("a%25b").await, json!([]));
    assert_eq!(search("%5C").await, json!(["back\\slash"]));
    assert_eq!(search("%27").await, json!([]));
    assert_eq!(search("%ED%95%9C").await, json!(["100% 한우", "한빛 식당"]));
    assert_eq!(search("%EB%B9%9B%20%EC%8B%9D").await, json!(["한빛 식당"]));
    assert_eq!(search("%EC%97%86%EC%9D%8C").await, json!([]));
}

#[tokio::test]
async fn a_bad_query_is_refused() {
    let given = given().await;
    for query in [
        "page=0",
        "page=-1",
        "page=x",
        "page=9223372036854775807",
        "page_size=0",
        "page_size=101",
        "q=%00",
        "name=%EA%B0%80",
    ] {
        let details = given.get(format!("/api/superadmin/stores?{query}")).await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn changes_what_is_given_and_leaves_the_rest() {
    let given = given().await;
    let store = given.store("한빛식당").await;
    let other = given.store("다른 식당").await;
    for (field, value) in [
        ("name", json!("달빛식당")),
        ("timezone", json!("Europe/Berlin")),
        ("is_active", json!(false)),
        ("is_active", json!(true)),
    ] {
        let before = given.get(path(&store)).await.expect(200);
        given.app.clock.advance(TimeDelta::minutes(1));

        let after = given.patch(path(&store), json!({ field: value })).await.expect(200);

        let mut wanted = before.clone();
        wanted[field] = value;
        wanted["updated_at"] = json!(given.app.clock.now());
        assert_eq!(after, wanted, "{field}");
        assert_ne!(after["updated_at"], before["updated_at"]);
        assert_eq!(given.get(path(&store)).await.expect(200), after);
    }
    assert_eq!(given.get(path(&other)).await.expect(200), other);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_not_found() {
    let given = given().await;
    let path = format!("/api/superadmin/stores/{UNKNOWN}");

    given.get(&path).await.expect_error(404, "STORE_NOT_FOUND");
    given.patch(&path, json!({"name": "한빛식당"})).await.expect_error(404, "STORE_NOT_FOUND");
    given.delete(&path).await.expect_error(404, "STORE_NOT_FOUND");
    assert_eq!(count(&given.app, "audit_entries").await, 0);
}

#[tokio::test]
async fn an_id_is_a_uuid() {
    let given = given().await;
    for id in ["1", "x", "0197f0f0-0000-7000-8000-00000000000", "0197f0f0-0000-7000-8000-00000000000g", "%00", "%ff"] {
        let path = format!("/api/superadmin/stores/{id}");
        given.get(&path).await.expect_error(400, "VALIDATION_ERROR");
        given.patch(&path, json!({"name": "한빛식당"})).await.expect_error(400, "VALIDATION_ERROR");
        given.delete(&path).await.expect_error(400, "VALIDATION_ERROR");
    }
}

#[tokio::test]
async fn deletes_an_empty_store() {
    let given = given().await;
    let (store, other) = (given.store("한빛식당").await, given.store("다른 식당").await);

    let answer = given.delete(path(&store)).await;

    assert_eq!(answer.status.as_u16(), 204);
    assert_eq!(answer.body, "");
    given.get(path(&store)).await.expect_error(404, "STORE_NOT_FOUND");
    given.get(path(&other)).await.expect(200);
    given.delete(path(&store)).await.expect_error(404, "STORE_NOT_FOUND");
    assert_eq!(count(&given.app, "audit_entries").await, 1);
}

#[tokio::test]
async fn a_deletion_leaves_an_audit_entry() {
    let given = given().await;
    let store = given.store("한빛식당").await;

    given.delete(path(&store)).await.expect(204);

    let entry: (String, i64, String) = sqlx::query_as("select action, admin_id, entity_id from audit_entries")
        .fetch_one(given.app.db())
        .await
        .unwrap();
    let id = store["id"].as_str().unwrap().to_owned();
    assert_eq!(entry, ("store.delete".to_owned(), given.caller.id.get(), id));
}

#[tokio::test]
async fn a_store_with_a_table_stays() {
    let given = given().await;
    let store = given.store("한빛식당").await;
    given.app.table(&built_for(&store["id"], &given.caller), "1").await;

    given.assert_stays(&store).await;
}

#[tokio::test]
async fn a_store_with_an_admin_stays_even_if_the_admin_is_switched_off() {
    let given = given().await;
    let store = given.store("한빛식당").await;
    let admin = given.app.admin(Some(built_for(&store["id"], &given.caller).id)).await;

    given.assert_stays(&store).await;
    sqlx::query("update admins set is_active = false where id = $1")
        .bind(admin.id)
        .execute(given.app.db())
        .await
        .unwrap();
    given.assert_stays(&store).await;
}

#[tokio::test]
async fn a_store_with_a_category_or_a_menu_stays() {
    let given = given().await;
    let store = given.store("한빛식당").await;
    let built = built_for(&store["id"], &given.caller);
    let category = given.app.category(&built, "식사").await;

    given.assert_stays(&store).await;
    given.app.menu(&built, category, "김치찌개", 9_000).await;
    given.assert_stays(&store).await;
}

#[tokio::test]
async fn a_store_with_history_stays_even_if_its_tables_are_gone() {
    let given = given().await;
    let store = given.store("한빛식당").await;
    sqlx::query(
        "with session as (
             insert into table_sessions (store_id, started_at, ended_at)
             values ($1, now(), now())
             returning id
         )
         insert into order_history (
             store_id, table_number, session_id, original_order_id, order_number, business_date, status, total_price,
             order_created_at, archived_at
         )
         select $1, '1', id, 1, 1, '2026-02-09', 'served', 9000, now(), now()
         from session",
    )
    .bind(built_for(&store["id"], &given.caller).id)
    .execute(given.app.db())
    .await
    .unwrap();

    given.assert_stays(&store).await;
    assert_eq!(count(&given.app, "order_history").await, 1);
}

#[tokio::test]
async fn needs_the_token_of_a_super_admin() {
    let given = given().await;
    let staffed = given.app.store().await;
    let table = given.app.table(&staffed, "1").await;
    let store = given.store("빈 식당").await;
    for (method, path, body) in [
        (Method::GET, "/api/superadmin/stores".to_owned(), json!(null)),
        (Method::POST, "/api/superadmin/stores".into(), json!({"name": "새 식당"})),
        (Method::GET, path(&store), json!(null)),
        (Method::GET, format!("/api/superadmin/stores/{}", staffed.id), json!(null)),
        (Method::PATCH, path(&store), json!({"name": "새 식당"})),
        (Method::DELETE, path(&store), json!(null)),
    ] {
        let request = || given.app.request(method.clone(), &path).json(body.clone());
        request().send().await.expect_error(401, "TOKEN_MISSING");
        request().token("nonsense").send().await.expect_error(401, "INVALID_TOKEN");
        request().token(&table.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
        request().token(&staffed.admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    }
    assert_eq!(given.get(path(&store)).await.expect(200), store);
    assert_eq!(count(&given.app, "stores").await, 2);
}
