//! Orders and revenue: the SQL of the dashboard gives the right numbers to a user that may only read.

use chrono::TimeDelta;
use regex::Regex;
use serde_json::{Map, Value, json};
use shared::domain::MenuId;
use shared::testing::{TestApp, TestTable};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{dashboards, panels};
use crate::compose::read;
use crate::service;

fn dashboard() -> Value {
    dashboards().into_iter().find(|(file, _)| file == "business.json").unwrap().1
}

/// A panel by its title.
fn panel<'a>(dashboard: &'a Value, title: &str) -> &'a Value {
    panels(dashboard).find(|panel| panel["title"] == title).unwrap_or_else(|| panic!("there is no {title}"))
}

/// What Grafana makes of a query: its macros and `$store` filled in.
fn filled_in(sql: &str, [from, to]: [&str; 2], store: &str) -> String {
    let within = Regex::new(r"\$__timeFilter\(([^)]+)\)").unwrap();
    let sql = within.replace_all(sql, format!("$1 between '{from}' and '{to}'"));
    let sql = sql.replace("$__timeFrom()", &format!("'{from}'")).replace("$__timeTo()", &format!("'{to}'"));
    let sql = sql.replace("$store", store);
    assert!(!sql.contains('$'), "{sql}");
    sql
}

/// What PostgreSQL answers: the columns' names, and the rows.
struct Answer {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Answer {
    async fn of(db: &mut PgConnection, sql: &str) -> Self {
        let sql = AssertSqlSafe(format!("select row_to_json(answer)::text from ({sql}) answer"));
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(db).await.unwrap();
        let rows: Vec<Map<String, Value>> = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        let columns = rows.first().into_iter().flat_map(|row| row.keys().cloned()).collect();
        Self { columns, rows: rows.into_iter().map(|row| row.into_iter().map(|(_, value)| value).collect()).collect() }
    }
}

async fn order(app: &TestApp, table: &TestTable, menu: MenuId, quantity: u32) -> Value {
    let order = json!({"items": [{"menu_id": menu, "quantity": quantity}]});
    app.post("/api/customer/orders").token(&table.token).json(order).send().await.expect(201)
}

/// An evening in two stores: a table that was closed, one that is open, and an order that was cancelled.
#[tokio::test]
async fn the_dashboard_of_business_shows_what_was_ordered_by_store_and_hour() {
    let app = service().await;
    let (seoul, delhi) = (app.store().await, app.store().await);
    // Its hours begin when it is half past in Seoul.
    let moved = "update stores set name = '델리', timezone = 'Asia/Kolkata' where id = $1";
    sqlx::query(moved).bind(delhi.id.0).execute(app.db()).await.unwrap();
    let (first, second, far) =
        (app.table(&seoul, "1").await, app.table(&seoul, "2").await, app.table(&delhi, "1").await);
    let [category, elsewhere] = [app.category(&seoul, "식사").await, app.category(&delhi, "탈리").await];
    let menu = app.menu(&seoul, category, "김치찌개", 9_000).await;
    let other = app.menu(&delhi, elsewhere, "탈리", 5_000).await;
    // 12:10, 12:50, 13:05 and 13:20 in Seoul.
    app.clock.advance(TimeDelta::minutes(10));
    order(&app, &first, menu, 2).await;
    let close = format!("/api/admin/tables/{}/complete-session", first.id);
    app.post(close).token(&seoul.admin.token).json(json!({"require_finished": false})).send().await.expect(200);
    app.clock.advance(TimeDelta::minutes(40));
    order(&app, &second, menu, 1).await;
    app.clock.advance(TimeDelta::minutes(15));
    let cancelled = order(&app, &second, menu, 1).await;
    let status = format!("/api/admin/orders/{}/status", cancelled["id"]);
    app.patch(status).token(&seoul.admin.token).json(json!({"status": "cancelled"})).send().await.expect(200);
    app.clock.advance(TimeDelta::minutes(15));
    order(&app, &second, menu, 3).await;
    order(&app, &far, other, 1).await;

    let mut db = app.db().begin().await.unwrap();
    // Grafana's user, made as in the containers. It goes with the transaction.
    sqlx::raw_sql(AssertSqlSafe(read("ops/postgres/reader.sql"))).execute(&mut *db).await.unwrap();
    sqlx::raw_sql("set local role reader; set local timezone = 'UTC'").execute(&mut *db).await.unwrap();
    let evening = ["2026-02-09T02:15:00Z", "2026-02-09T05:00:00Z"];
    let dashboard = dashboard();
    let stores = &dashboard["templating"]["list"][0];
    let all = stores["allValue"].as_str().unwrap();
    let ask = |title: &str, store: &str| {
        filled_in(panel(&dashboard, title)["targets"][0]["rawSql"].as_str().unwrap(), evening, store)
    };

    for (title, expected) in [
        // The hour, the store, its orders, what they came to, and on average.
        (
            "Every store and hour",
            json!([
                ["2026-02-09 13:00", "한빛식당", 1, 27_000, 27_000],
                ["2026-02-09 12:00", "한빛식당", 2, 27_000, 13_500],
                ["2026-02-09 09:00", "델리", 1, 5_000, 5_000],
            ]),
        ),
        // The menu, the store, how many, and what they came to.
        ("What sells", json!([["김치찌개", "한빛식당", 6, 54_000], ["탈리", "델리", 1, 5_000]])),
        // The store, its tables in use, orders pending, preparing and ready, and what they come to.
        ("Every store", json!([["델리", 1, 1, 0, 0, 5_000], ["한빛식당", 1, 2, 0, 0, 36_000]])),
    ] {
        let answer = Answer::of(&mut db, &ask(title, all)).await;
        assert_eq!(json!(answer.rows), expected, "{title}");
        for format in panel(&dashboard, title)["fieldConfig"]["overrides"].as_array().unwrap() {
            let column = format["matcher"]["options"].as_str().unwrap();
            assert!(answer.columns.iter().any(|name| name == column), "{title} has no column {column}");
        }
    }

    for (title, [noon, one, delhi]) in
        [("Revenue by store and hour, in won", [27_000, 27_000, 5_000]), ("Orders by store and hour", [2, 1, 1])]
    {
        let Answer { columns, rows } = Answer::of(&mut db, &ask(title, all)).await;
        assert_eq!(columns[..2], ["time", "metric"], "{title}: Grafana knows these names");
        let (bars, none): (Vec<_>, Vec<_>) = rows.into_iter().partition(|bar| bar[2] != 0);
        let expected = json!([
            ["2026-02-09T03:00:00+00:00", "한빛식당", noon],
            ["2026-02-09T03:30:00+00:00", "델리", delhi],
            ["2026-02-09T04:00:00+00:00", "한빛식당", one],
        ]);
        assert_eq!(json!(bars), expected, "{title}");
        // From 11 to 14 o'clock in Seoul, from 7 to 10 in Delhi: an hour without orders is no gap.
        assert_eq!(none.len(), 4 + 4 - 3, "{title}: {none:?}");
    }

    for (title, at_both, at_one) in [
        ("Revenue, in won", 59_000.0, 5_000.0),
        ("Orders", 4.0, 1.0),
        ("An order, on average, in won", 14_750.0, 5_000.0),
        ("Cancelled", 0.2, 0.0),
    ] {
        for (store, expected) in [(all.to_owned(), at_both), (format!("'{}'", delhi.id), at_one)] {
            let answer = Answer::of(&mut db, &ask(title, &store)).await;
            assert_eq!(answer.rows[0][0].as_f64(), Some(expected), "{title} of {store}");
        }
    }

    let choices = Answer::of(&mut db, stores["query"].as_str().unwrap()).await;
    assert_eq!((choices.rows.len(), &choices.rows[0][1]), (2, &json!(delhi.id)));
    let may = "select has_table_privilege(current_user, 'orders', 'insert, update, delete, truncate')";
    assert!(!sqlx::query_scalar::<_, bool>(may).fetch_one(&mut *db).await.unwrap(), "Grafana may change orders");
}

#[test]
fn every_panel_that_asks_postgresql_is_tried_out() {
    let tests = include_str!("business.rs");
    for (file, dashboard) in dashboards() {
        for panel in panels(&dashboard).filter(|panel| panel["datasource"]["uid"] == "postgres") {
            let title = panel["title"].as_str().unwrap();
            assert!(file == "business.json" && tests.contains(&format!("\"{title}\"")), "{file}, {title}");
        }
    }
}
