//! The first super admin.

use serde_json::{Value, json};
use shared::auth::passwords::{COST, Passwords};
use shared::db::{self, PoolSize, admins};
use shared::testing::TestDatabase;

use crate::config;
use crate::secret::TestSecret;

#[tokio::test]
async fn the_first_super_admin_has_the_password_in_the_secret_and_there_is_no_second() {
    let (database, secret) = (TestDatabase::create().await, TestSecret::create().await);
    let config = config(&[("DATABASE_URL", &database.url()), ("SUPER_ADMIN_SECRET", &secret.arn)]);
    let asked = json!({ "task": "create_super_admin", "username": "owner" });

    let answer = migrate::handle(&config, &asked).await.unwrap();

    let kept: Value = serde_json::from_str(&secret.value("AWSCURRENT").await.unwrap()).unwrap();
    let password = kept["password"].as_str().unwrap();
    assert_eq!((&answer["username"], &answer["secret"]), (&json!("owner"), &json!(secret.arn)));
    assert!(!answer.to_string().contains(password), "{answer}");
    let pool = db::connect(database.options(), PoolSize::EVENT_FUNCTION);
    let account = admins::account(&pool, None, "owner").await.unwrap().unwrap();
    let turn = Passwords::new(COST).turn().await.unwrap();
    turn.verify(password.to_owned(), Some(account.password_hash)).await.unwrap();
    pool.close().await;

    let refusal = migrate::handle(&config, &asked).await.unwrap_err();

    assert!(refusal.to_string().contains("there is a super admin already"), "{refusal}");
    assert_eq!(serde_json::from_str::<Value>(&secret.value("AWSCURRENT").await.unwrap()).unwrap(), kept);
}

#[tokio::test]
async fn without_its_secret_nobody_is_made() {
    let (database, lost) =
        (TestDatabase::create().await, "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:none");
    let config = config(&[("DATABASE_URL", &database.url()), ("SUPER_ADMIN_SECRET", lost)]);

    migrate::handle(&config, &json!({ "task": "create_super_admin" })).await.unwrap_err();

    let pool = db::connect(database.options(), PoolSize::EVENT_FUNCTION);
    assert!(admins::account(&pool, None, "superadmin").await.unwrap().is_none());
    pool.close().await;
}
