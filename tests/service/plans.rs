//! The queries that run all day use their indexes, however large the tables grow.

use shared::db::{self, PoolSize};
use shared::testing::TestDatabase;
use sqlx::PgPool;

/// Enough rows that reading a whole table would be the slower way.
const ROWS: &str = "
    insert into stores (id, name, timezone, created_at, updated_at)
        select gen_random_uuid(), 's' || n, 'Asia/Seoul', now(), now() from generate_series(1, 20) n;
    insert into admins (username, password_hash, role, created_at, updated_at) values ('root', '', 'super_admin', now(), now());
    insert into tables (store_id, table_number, password_hash, created_at, updated_at)
        select s.id, n::text, '', now(), now() from stores s, generate_series(1, 50) n;
    insert into table_sessions (store_id, table_id, started_at) select store_id, id, now() from tables;
    insert into orders (store_id, table_id, session_id, order_number, business_date, status, total_price, created_at, updated_at)
        select s.store_id, s.table_id, s.id, row_number() over (partition by s.store_id), current_date, 'pending', 1, now(), now()
        from table_sessions s, generate_series(1, 20) n;
    insert into menu_categories (store_id, name, display_order, created_at, updated_at)
        select id, 'c', 1, now(), now() from stores;
    insert into menus (store_id, category_id, name, price, display_order, created_at, updated_at)
        select store_id, id, 'm' || n, 1, n, now(), now() from menu_categories, generate_series(1, 50) n;
    insert into order_items (order_id, menu_id, menu_name, quantity, unit_price, subtotal)
        select o.id, m.id, 'm', 1, 1, 1 from orders o join lateral (select id from menus where store_id = o.store_id limit 1) m on true;
    insert into order_history (store_id, table_id, table_number, session_id, original_order_id, order_number, business_date, status, total_price, order_created_at, archived_at)
        select store_id, table_id, '1', session_id, id, order_number, business_date, 'served', 1, now(), now() from orders;
    insert into order_history_items (order_history_id, menu_name, quantity, unit_price, subtotal)
        select id, 'm', 1, 1, 1 from order_history;
    insert into order_status_changes (store_id, order_id, from_status, to_status, admin_id, changed_at)
        select store_id, id, 'pending', 'preparing', (select min(id) from admins), now() from orders;
    insert into idempotency_keys (table_id, key, request_hash, response, created_at)
        select id, n::text, '', '', now() from tables, generate_series(1, 5) n;
    insert into outbox (id, store_id, event_type, payload, created_at, published_at, next_attempt_at)
        select gen_random_uuid(), store_id, 'OrderCreated', '{}', now(), now(), now() from orders;
";

async fn plan(db: &PgPool, sql: &str) -> String {
    let sql = sqlx::AssertSqlSafe(format!("explain {sql}"));
    sqlx::query_scalar::<_, String>(sql).fetch_all(db).await.unwrap().join("\n")
}

#[tokio::test]
async fn daily_questions_use_indexes() {
    let database = TestDatabase::create().await;
    let db = db::connect(database.options(), PoolSize::EVENT_FUNCTION);
    sqlx::raw_sql(ROWS).execute(&db).await.unwrap();
    sqlx::raw_sql("analyze").execute(&db).await.unwrap();
    let store = "(select id from stores limit 1)";
    for (question, index) in [
        ("select * from orders where session_id = 7 and status = 'pending'", "orders_session_status_idx"),
        (&format!("select * from orders where store_id = {store} order by id desc limit 50"), "orders_store_idx"),
        ("select * from order_items where order_id = 7", "order_items_order_idx"),
        ("select * from order_items where menu_id = 7", "order_items_menu_idx"),
        ("select * from table_sessions where table_id = 7 and ended_at is null", "table_sessions_one_open_key"),
        (&format!("select * from menus where store_id = {store} and category_id = 3"), "menus_"),
        (&format!("select * from tables where store_id = {store} and table_number = '7'"), "tables_store_number_key"),
        (
            &format!(
                "select * from order_history where store_id = {store} and table_id = 7 order by archived_at desc, id desc limit 50"
            ),
            "order_history_table_idx",
        ),
        ("select * from order_history_items where order_history_id = 7", "order_history_items_order_idx"),
        ("select * from order_status_changes where order_id = 7", "order_status_changes_order_idx"),
        (
            "select * from outbox where published_at is null and next_attempt_at <= now() order by sequence limit 500",
            "outbox_unpublished_idx",
        ),
        ("select * from idempotency_keys where table_id = 7 and key = 'k'", "idempotency_keys_pkey"),
    ] {
        let plan = plan(&db, question).await;
        assert!(plan.contains(index), "{question} does not use {index}:\n{plan}");
    }
    db.close().await;
}
