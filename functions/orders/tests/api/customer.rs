//! `GET /api/customer/orders` and `GET /api/customer/orders/{id}`.

use serde_json::json;

use crate::given;

#[tokio::test]
async fn lists_the_tables_own_orders_newest_first_by_page() {
    let given = given().await;
    let other = given.app.table(&given.store, "2").await;
    let first = given.order().await;
    given.order_from(&other).await;
    let second = given.order().await;
    let list = |query: &str| given.app.get(format!("/api/customer/orders{query}")).token(&given.table.token).send();

    let all = list("").await.expect(200);
    assert_eq!(all["items"], json!([second, first]));
    assert_eq!(all["pagination"], json!({"page": 1, "page_size": 50, "total_count": 2, "total_pages": 1}));
    let last = list("?page=2&page_size=1").await.expect(200);
    assert_eq!(last["items"], json!([first]));
    let beyond = list("?page=3&page_size=1").await.expect(200);
    assert_eq!(beyond["items"], json!([]));
}

#[tokio::test]
async fn a_page_outside_its_range_is_refused() {
    let given = given().await;
    for query in ["page=0", "page=-1", "page_size=0", "page_size=101", "page=x", "page=9223372036854775807", "size=1"] {
        let request = given.app.get(format!("/api/customer/orders?{query}")).token(&given.table.token);
        let details = request.send().await.expect_error(400, "VALIDATION_ERROR");
        assert!(details["fields"][0]["reason"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn reads_an_order_of_its_own_alone() {
    let given = given().await;
    let other = given.app.table(&given.store, "2").await;
    let order = given.order().await;
    let path = format!("/api/customer/orders/{}", order["id"]);

    assert_eq!(given.app.get(&path).token(&given.table.token).send().await.expect(200), order);
    given.app.get(&path).token(&other.token).send().await.expect_error(404, "ORDER_NOT_FOUND");
    given.app.get(&path).send().await.expect_error(401, "TOKEN_MISSING");
    given.app.get(&path).token(&given.store.admin.token).send().await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
}

#[tokio::test]
async fn an_id_is_a_positive_64_bit_integer() {
    let given = given().await;
    let read = |id: &str| given.app.get(format!("/api/customer/orders/{id}")).token(&given.table.token).send();
    for id in ["0", "-1", "x", "1.0", "18446744073709551616", "%00", "%ff"] {
        read(id).await.expect_error(400, "VALIDATION_ERROR");
    }
    read("9223372036854775807").await.expect_error(404, "ORDER_NOT_FOUND");
}
