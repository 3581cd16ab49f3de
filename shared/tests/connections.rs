//! Connections to PostgreSQL: how they log in, and when they end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails, panics")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::time::StaticTimeSource;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use aws_config::SdkConfig;
use aws_sdk_rds::auth_token::{AuthTokenGenerator, Config as AuthTokenConfig};
use shared::clock::{self, Clock};
use shared::db::login::Login;
use shared::db::{self, PoolSize, RequestStart};
use shared::domain::Timestamp;
use shared::testing::TestDatabase;

/// PostgreSQL takes the token where RDS would: as the password of the role that it was made for.
#[tokio::test]
async fn new_connections_log_in_with_a_token_that_is_renewed_in_time() {
    let database = TestDatabase::create().await;
    let aws = SdkConfig::builder()
        .region(Region::from_static("ap-northeast-2"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test")))
        .time_source(StaticTimeSource::new(SystemTime::UNIX_EPOCH))
        .build();
    let options = database.options();
    let for_whom = AuthTokenConfig::builder().hostname(options.get_host()).port(options.get_port().into());
    // Roles belong to the whole server.
    let role = format!("iam_{}", u64::from_ne_bytes(clock::random()));
    let for_whom = for_whom.username(&role).build().unwrap();
    let token = AuthTokenGenerator::new(for_whom).auth_token(&aws).await.unwrap();
    assert!(token.as_str().contains("Action=connect") && token.as_str().contains("X-Amz-Expires=900"), "{token}");
    let owner = db::connect(database.options(), PoolSize::EVENT_FUNCTION);
    owner.execute(AssertSqlSafe(format!("create role {role} login password '{token}'"))).await.unwrap();

    let minutes = Arc::new(AtomicI64::new(0));
    let now = minutes.clone();
    let clock = Clock::from_fn(move || Timestamp::from_millis(60_000 * now.load(Ordering::Relaxed)).unwrap());
    let lost = options.username(&role).password("no token");
    let pool = db::connect(lost.clone(), PoolSize::EVENT_FUNCTION);
    let login = Login::iam_with(&pool, &clock, Some(aws));
    login.renew().await.unwrap();
    db::ping(&pool).await.unwrap();

    // Within ten minutes it is left as it is; then it is made anew.
    pool.set_connect_options(lost);
    let logs_in = async || pool.connect_options().connect().await.is_ok();
    for (passed, renewed) in [(9, false), (10, true)] {
        minutes.store(passed, Ordering::Relaxed);
        login.renew().await.unwrap();
        assert_eq!(logs_in().await, renewed, "after {passed} minutes");
    }
    pool.close().await;
    owner.execute(AssertSqlSafe(format!("drop role {role}"))).await.unwrap();
    owner.close().await;
}

/// PostgreSQL ends what a frozen environment cannot, and whoever is thawed connects again.
#[tokio::test]
async fn a_connection_that_is_not_used_for_long_ends_without_harm() {
    let database = TestDatabase::create().await;
    let pool = db::connect(database.options(), PoolSize::EVENT_FUNCTION);
    let limit: String = sqlx::query_scalar("show idle_session_timeout").fetch_one(&pool).await.unwrap();
    assert_eq!(limit, "5min");

    let frozen = db::connect(database.options().options([("idle_session_timeout", "200ms")]), PoolSize::EVENT_FUNCTION);
    let process: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&frozen).await.unwrap();
    let open = "select exists (select from pg_stat_activity where pid = $1)";
    while sqlx::query_scalar(open).bind(process).fetch_one(&pool).await.unwrap() {}
    db::ping(&frozen).await.unwrap();
    tokio::join!(pool.close(), frozen.close());
}

/// Not even the first request waits for more than one login.
#[tokio::test]
async fn an_http_function_asks_everything_over_one_connection() {
    let database = TestDatabase::create().await;
    let function = db::connect(database.options(), PoolSize::http_function(&RequestStart::default()));
    let mut processes = BTreeSet::new();
    for _ in 0..10 {
        let process: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&function).await.unwrap();
        processes.insert(process);
    }
    assert_eq!(processes.len(), 1);
    function.close().await;
}

/// The first question of a request makes sure of the connection; those after it cost nothing more.
#[tokio::test]
async fn an_http_function_checks_its_connection_once_per_request() {
    let database = TestDatabase::create().await;
    let others = db::connect(database.options(), PoolSize::EVENT_FUNCTION);
    let start = RequestStart::default();
    let function = db::connect(database.options(), PoolSize::http_function(&start));
    for new_request in [true, false] {
        start.begin();
        let process: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&function).await.unwrap();
        assert!(db::at_rest(&function, Duration::from_secs(10)).await);
        let end = "select pg_terminate_backend($1, 10000)";
        assert!(sqlx::query_scalar::<_, bool>(end).bind(process).fetch_one(&others).await.unwrap());
        if new_request {
            start.begin();
        }
        assert_eq!(db::ping(&function).await.is_ok(), new_request);
    }
    tokio::join!(others.close(), function.close());
}
