//! Migrations, up and down, on a database that holds rows.

use shared::db::{self, MIGRATIONS, PoolSize};
use shared::testing::TestDatabase;
use sqlx::PgPool;

/// Every object of the schema, as text.
async fn schema(db: &PgPool) -> Vec<String> {
    let columns = "select table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
                   from information_schema.columns where table_schema = 'public' and table_name <> '_sqlx_migrations'";
    let constraints = "select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
                       from pg_constraint where connamespace = 'public'::regnamespace
                         and conrelid::regclass::text <> '_sqlx_migrations'";
    let indexes = "select indexdef from pg_indexes where schemaname = 'public' and tablename <> '_sqlx_migrations'";
    let mut objects = Vec::new();
    for question in [columns, constraints, indexes] {
        objects.extend(sqlx::query_scalar::<_, String>(question).fetch_all(db).await.unwrap());
    }
    objects.sort();
    objects
}

#[tokio::test]
async fn every_migration_can_be_taken_back_and_applied_again() {
    let database = TestDatabase::create_empty().await;
    let db = db::connect(database.options(), PoolSize::EVENT_FUNCTION);
    let versions: Vec<_> =
        MIGRATIONS.iter().filter(|migration| migration.migration_type.is_up_migration()).map(|m| m.version).collect();

    for (step, &version) in versions.iter().enumerate() {
        let before = schema(&db).await;
        MIGRATIONS.run_to(version, &db).await.unwrap();
        let after = schema(&db).await;
        assert_ne!(before, after, "{version} changes nothing");
        MIGRATIONS.undo(&db, step.checked_sub(1).map_or(0, |previous| versions[previous])).await.unwrap();
        assert_eq!(schema(&db).await, before, "{version} is not taken back whole");
        MIGRATIONS.run_to(version, &db).await.unwrap();
        assert_eq!(schema(&db).await, after);
    }
    db.close().await;
}

/// The demo data is a database that holds rows: it must survive a second run of everything.
#[tokio::test]
async fn demo_data_is_added_once_and_never_in_production() {
    use local::demo;
    use shared::clock::Clock;
    use shared::config::AppEnv;

    let database = TestDatabase::create().await;
    let db = db::connect(database.options(), PoolSize::EVENT_FUNCTION);
    let counts = async || {
        let sql =
            "select array[(select count(*) from stores), (select count(*) from admins), (select count(*) from tables),
                          (select count(*) from menu_categories), (select count(*) from menus),
                          (select count(*) from menus where not is_available)]";
        sqlx::query_scalar::<_, Vec<i64>>(sql).fetch_one(&db).await.unwrap()
    };

    demo::seed(&db, AppEnv::Production, &Clock::system()).await.unwrap_err();
    assert_eq!(counts().await, [0; 6]);
    demo::seed(&db, AppEnv::Development, &Clock::system()).await.unwrap();
    assert_eq!(counts().await, [2, 3, 10, 5, 15, 1]);
    sqlx::query("update menus set price = 1").execute(&db).await.unwrap();
    MIGRATIONS.run(&db).await.unwrap();
    demo::seed(&db, AppEnv::Development, &Clock::system()).await.unwrap();
    assert_eq!(counts().await, [2, 3, 10, 5, 15, 1]);
    let kept: bool = sqlx::query_scalar("select every(price = 1) from menus").fetch_one(&db).await.unwrap();
    assert!(kept, "what was changed stays changed");
    db.close().await;
}
