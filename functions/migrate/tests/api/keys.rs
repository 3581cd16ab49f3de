//! The key that signs tokens, and the drill of changing it.

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::auth::keys::read_jwks;
use shared::auth::tokens::{Claims, Tokens};
use shared::clock::Clock;
use shared::config::Config;
use shared::db::owners::Owner;
use shared::domain::account::Role;
use shared::testing::{TestDatabase, TestRabbitMq};

use crate::config;
use crate::secret::TestSecret;

/// Somebody who checks tokens with these public keys, and signs with this private key if there is one.
fn tokens(public_keys: &Value, private_key: Option<&str>) -> Tokens {
    Tokens::new(read_jwks(&public_keys.to_string()).unwrap(), private_key).unwrap()
}

fn signed(tokens: &Tokens) -> String {
    let owner = Owner { role: Role::SuperAdmin, id: 1, store_id: None };
    tokens.sign(&Claims::new(owner, 0, Clock::system().now(), TimeDelta::hours(1))).unwrap()
}

fn is_good(tokens: &Tokens, token: &str) -> bool {
    tokens.check(token, Clock::system().now()).is_ok()
}

async fn step(config: &Config, task: &str) -> Value {
    migrate::handle(config, &json!({ "task": task })).await.unwrap()["public_keys"].clone()
}

#[tokio::test]
async fn a_key_changes_in_three_steps_in_which_every_token_stays_good() {
    let (database, rabbitmq, secret) =
        (TestDatabase::create_empty().await, TestRabbitMq::create().await, TestSecret::create().await);
    let config = config(&[
        ("DATABASE_URL", &database.url()),
        ("RABBITMQ_URL", rabbitmq.url()),
        ("SIGNING_KEY_SECRET", &secret.arn),
    ]);

    // A deployment makes the first key, and the next one finds it.
    let first = migrate::handle(&config, &json!({})).await.unwrap()["public_keys"].clone();
    assert_eq!(first["keys"].as_array().unwrap().len(), 1);
    assert_eq!(migrate::handle(&config, &json!({})).await.unwrap()["public_keys"], first);
    let before = secret.value("AWSCURRENT").await.unwrap();
    let old = signed(&tokens(&first, Some(&before)));

    // The next key is known to whoever checks, before anything is signed with it. Done again, the step makes no other.
    let both = step(&config, "prepare_key").await;
    assert_eq!(step(&config, "prepare_key").await, both);
    assert_eq!(both["keys"].as_array().unwrap().len(), 2);
    assert_eq!(both["keys"][0], first["keys"][0]);
    assert_eq!(secret.value("AWSCURRENT").await.as_ref(), Some(&before));
    assert!(is_good(&tokens(&both, None), &old));

    // From now on it signs. Who has not been deployed again since the step before checks both.
    let promoted = step(&config, "promote_key").await;
    let after = secret.value("AWSCURRENT").await.unwrap();
    assert_ne!(after, before);
    assert_eq!(promoted["keys"][0], both["keys"][1]);
    let new = signed(&tokens(&promoted, Some(&after)));
    for known in [&both, &promoted] {
        assert!(is_good(&tokens(known, None), &old) && is_good(&tokens(known, None), &new));
    }

    // What the key before signed is no good any more.
    let left = step(&config, "retire_key").await;
    assert_eq!(left["keys"].as_array().unwrap().len(), 1);
    assert!(!is_good(&tokens(&left, None), &old) && is_good(&tokens(&left, None), &new));
    // A deployment afterwards brings nothing back.
    assert_eq!(migrate::handle(&config, &json!({})).await.unwrap()["public_keys"], left);
}

#[tokio::test]
async fn a_key_that_was_not_prepared_cannot_be_promoted() {
    let secret = TestSecret::create().await;
    let config = config(&[("SIGNING_KEY_SECRET", &secret.arn)]);

    let error = migrate::handle(&config, &json!({ "task": "promote_key" })).await.unwrap_err();

    assert!(error.to_string().contains("prepare one first"), "{error}");
    assert_eq!(secret.value("AWSCURRENT").await, None);
}
