//! The role that the service logs in as, and a look into a database.

use serde_json::json;
use shared::clock;
use shared::db::{self, PoolSize};
use shared::testing::{TestDatabase, TestRabbitMq};
use sqlx::{AssertSqlSafe, Executor};

use crate::config;

#[tokio::test]
async fn the_services_role_may_change_rows_and_nothing_else() {
    let (database, rabbitmq) = (TestDatabase::create_empty().await, TestRabbitMq::create().await);
    // Roles belong to the whole server.
    let role = format!("service_{}", u64::from_ne_bytes(clock::random()));
    let (url, variables) = (database.url(), [("SERVICE_ROLE", role.as_str()), ("RABBITMQ_URL", rabbitmq.url())]);
    let config = config(&[&variables[..], &[("DATABASE_URL", &url)]].concat());
    for _ in 0..2 {
        migrate::handle(&config, &json!({})).await.unwrap();
    }
    let owner = db::connect(database.options(), PoolSize::EVENT_FUNCTION);
    owner.execute(AssertSqlSafe(format!("alter role {role} password 'secret'"))).await.unwrap();
    let service = db::connect(database.options().username(&role).password("secret"), PoolSize::EVENT_FUNCTION);

    for allowed in [
        "insert into stores (id, name, timezone, created_at, updated_at)
         values ('11111111-1111-4111-8111-111111111111', 's', 'Asia/Seoul', now(), now())",
        "insert into menu_categories (store_id, name, display_order, created_at, updated_at)
         values ('11111111-1111-4111-8111-111111111111', 'c', 1, now(), now())",
        "update stores set name = 't'",
        "delete from menu_categories",
        "select max(version) from _sqlx_migrations",
    ] {
        service.execute(allowed).await.unwrap_or_else(|error| panic!("{allowed}: {error}"));
    }
    for refused in [
        "create table mine (id int)",
        "drop table stores",
        "alter table stores add column mine int",
        "truncate stores cascade",
        "delete from _sqlx_migrations",
        "create role mine",
    ] {
        let error = service.execute(refused).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{refused}: {error}");
    }
    let found = migrate::handle(&config, &json!({ "task": "inspect" })).await.unwrap();
    assert_eq!((&found["stores"], &found["orders"]), (&json!(1), &json!(0)));

    service.close().await;
    for statement in [format!("drop owned by {role}"), format!("drop role {role}")] {
        owner.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    owner.close().await;
}

#[tokio::test]
async fn a_task_that_there_is_not_is_named() {
    let error = migrate::handle(&config(&[]), &json!({ "task": "drop_everything" })).await.unwrap_err();
    assert!(error.to_string().contains("there is no task drop_everything"), "{error}");
}
