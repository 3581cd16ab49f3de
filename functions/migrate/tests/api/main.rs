//! The first step of a deployment, on an empty database and an empty broker.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

mod keys;
mod role;
mod secret;
mod super_admin;

use std::collections::HashMap;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use shared::Code;
use shared::config::Config;
use shared::domain::event::EventType;
use shared::events::topology::{ALL_ORDER_EVENTS, dead_letter_queue};
use shared::testing::{TestDatabase, TestRabbitMq};
use sqlx::{Connection, PgConnection};

fn config(variables: &[(&str, &str)]) -> Config {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(&variables.collect::<HashMap<_, _>>()).unwrap()
}

#[tokio::test]
async fn everything_is_there_afterwards_and_doing_it_again_changes_nothing() {
    let (database, rabbitmq) = (TestDatabase::create_empty().await, TestRabbitMq::create().await);
    let config = config(&[("DATABASE_URL", &database.url()), ("RABBITMQ_URL", rabbitmq.url())]);

    let first = migrate::migrate(&config).await.unwrap();
    let second = migrate::migrate(&config).await.unwrap();

    assert!(first["migration"].as_i64().unwrap() > 20_261_121_000_000);
    assert_eq!(first, second);
    let pool = shared::db::connect(database.options(), shared::db::PoolSize::EVENT_FUNCTION);
    let stores: i64 = sqlx::query_scalar("select count(*) from stores").fetch_one(&pool).await.unwrap();
    assert_eq!(stores, 0);
    pool.close().await;
    let queues = EventType::ALL
        .iter()
        .flat_map(|event_type| [event_type.queue().to_owned(), dead_letter_queue(event_type.queue())]);
    for queue in queues.chain([ALL_ORDER_EVENTS.to_owned()]) {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared = rabbitmq.channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await;
        assert!(declared.is_ok(), "{queue} is missing");
    }
}

/// Migrations suit the version before, too.
#[tokio::test]
async fn a_version_that_was_gone_back_to_leaves_later_migrations_alone() {
    let (database, rabbitmq) = (TestDatabase::create_empty().await, TestRabbitMq::create().await);
    let config = config(&[("DATABASE_URL", &database.url()), ("RABBITMQ_URL", rabbitmq.url())]);
    migrate::migrate(&config).await.unwrap();
    let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
    let later = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (99991231000000, 'later', true, '', 0)";
    sqlx::query(later).execute(&mut connection).await.unwrap();

    let answer = migrate::migrate(&config).await.unwrap();

    assert_eq!(answer["migration"], 99_991_231_000_000_i64);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn it_says_what_is_missing_before_it_begins() {
    let refusal = migrate::migrate(&config(&[])).await.unwrap_err().to_string();
    assert!(refusal.contains("DATABASE_URL is missing; RABBITMQ_URL is missing"), "{refusal}");
}

#[tokio::test]
async fn without_the_broker_it_fails_and_can_be_done_again() {
    let (database, rabbitmq) = (TestDatabase::create_empty().await, TestRabbitMq::create().await);
    let lost = config(&[("DATABASE_URL", &database.url()), ("RABBITMQ_URL", "amqp://127.0.0.1:9")]);

    let error = migrate::migrate(&lost).await.unwrap_err();

    assert_eq!(error.code, Code::ServiceUnavailable);
    let found = config(&[("DATABASE_URL", &database.url()), ("RABBITMQ_URL", rabbitmq.url())]);
    migrate::migrate(&found).await.unwrap();
}
