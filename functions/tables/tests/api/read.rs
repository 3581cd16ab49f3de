//! `GET /api/admin/tables` and `GET /api/admin/tables/{id}`.

use serde_json::{Value, json};

use crate::given;

#[tokio::test]
async fn lists_numbers_in_numerical_order_and_then_names() {
    let given = given().await;
    for number in ["A", "10", "2", "B2", "100"] {
        given.app.table(&given.store, number).await;
    }
    let other = given.app.store().await;
    given.app.table(&other, "3").await;

    let tables = given.get("/api/admin/tables").await.expect(200);

    let numbers: Vec<_> = tables.as_array().unwrap().iter().map(|table| &table["table_number"]).collect();
    assert_eq!(numbers, ["1", "2", "10", "100", "A", "B2"]);
}

#[tokio::test]
async fn shows_a_tables_open_session() {
    let given = given().await;
    let path = format!("/api/admin/tables/{}", given.table.id);
    let empty = given.get(&path).await.expect(200);
    assert_eq!(empty["session"], Value::Null);
    given.app.clock.advance(chrono::TimeDelta::minutes(5));

    let order = given.order().await;

    let table = given.get(&path).await.expect(200);
    assert_eq!(
        table,
        json!({
            "id": given.table.id, "table_number": "1",
            "session": {"id": order["session_id"], "started_at": "2026-02-09T03:05:00.000Z"},
            "created_at": "2026-02-09T03:00:00.000Z", "updated_at": "2026-02-09T03:00:00.000Z",
        })
    );
    assert_eq!(given.get("/api/admin/tables").await.expect(200), json!([table]));
    given.close(&given.table).await.expect(200);
    assert_eq!(given.get(&path).await.expect(200), empty);
}

#[tokio::test]
async fn another_stores_table_does_not_exist() {
    let given = given().await;
    let other = given.app.store().await;
    let foreign = given.app.table(&other, "1").await;

    let answer = given.get(&format!("/api/admin/tables/{}", foreign.id)).await;

    let unknown = given.get("/api/admin/tables/9999").await;
    assert_eq!(answer.body, unknown.body, "as if it did not exist");
    answer.expect_error(404, "TABLE_NOT_FOUND");
}

#[tokio::test]
async fn an_id_is_a_positive_64_bit_integer() {
    let given = given().await;
    for id in ["0", "-1", "x", "1.0", "9223372036854775808", "%00"] {
        given.get(&format!("/api/admin/tables/{id}")).await.expect_error(400, "VALIDATION_ERROR");
    }
    given.get("/api/admin/tables/9223372036854775807").await.expect_error(404, "TABLE_NOT_FOUND");
}

#[tokio::test]
async fn only_a_store_admin_may() {
    let given = given().await;
    for path in ["/api/admin/tables".to_owned(), format!("/api/admin/tables/{}", given.table.id)] {
        given.app.get(&path).send().await.expect_error(401, "TOKEN_MISSING");
        let guest = given.app.get(&path).token(&given.table.token);
        guest.send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
    }
}
