//! Which tokens are good: shown at `/me`, and below HTTP where a test needs the private key itself.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

use chrono::TimeDelta;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, EncodingKey, Header, decode_header, encode};
use serde_json::{Value, json};
use shared::Code;
use shared::auth::keys;
use shared::auth::tokens::{Claims, Tokens};
use shared::db::owners::Owner;
use shared::domain::account::Role;
use shared::domain::{StoreId, TableId, Timestamp};
use shared::testing::{moment, test_keys};

use crate::{Given, Kind, given};

/// A pair of keys with the private half at hand.
struct Keys {
    private_pem: String,
    public_pem: String,
}

impl Keys {
    fn new() -> Self {
        let name = shared::hex(&shared::clock::random::<8>());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let (private, public) = (folder.join("private.pem"), folder.join("public.pem"));
        keys::write_new(&private, &public).unwrap();
        let keys =
            Self { private_pem: fs::read_to_string(private).unwrap(), public_pem: fs::read_to_string(public).unwrap() };
        fs::remove_dir_all(folder).unwrap();
        keys
    }

    fn signing(&self) -> EncodingKey {
        EncodingKey::from_rsa_pem(self.private_pem.as_bytes()).unwrap()
    }

    fn published(&self) -> JwkSet {
        keys::read_public_pems(&self.public_pem).unwrap()
    }

    fn kid(&self) -> String {
        self.published().keys[0].common.key_id.clone().unwrap()
    }

    /// What checks tokens with this key alone.
    fn tokens(&self) -> Tokens {
        Tokens::new(self.published(), None).unwrap()
    }
}

/// JSON as a part of a token.
fn part(json: &Value) -> String {
    let token = encode(&Header::default(), json, &EncodingKey::from_secret(b"any")).unwrap();
    token.split('.').nth(1).unwrap().to_owned()
}

/// A token of these parts, whatever they say.
fn forge(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn noon() -> Timestamp {
    moment("2026-02-09T03:00:00.000Z")
}

/// Claims of a store admin, for tests without a database.
fn some_claims() -> Claims {
    let store_id = serde_json::from_value(json!("11111111-1111-4111-8111-111111111111")).unwrap();
    Claims::new(Owner { role: Role::StoreAdmin, id: 1, store_id: Some(store_id) }, 1, noon(), TimeDelta::hours(1))
}

impl Given {
    /// What the given store admin's token says.
    fn admin_claims(&self) -> Claims {
        self.claims(&json!(self.store.admin.token))
    }

    /// The `kid` that the service signs under.
    fn kid(&self) -> String {
        decode_header(&self.store.admin.token).unwrap().kid.unwrap()
    }

    /// A token with these claims, signed by the service itself.
    fn sign(&self, claims: &Claims) -> String {
        self.app.app.tokens.sign(claims).unwrap()
    }

    /// Check that this is no store admin's token.
    async fn refuse(&self, token: &str) {
        self.me(Kind::Admin, token).await.expect_error(401, "INVALID_TOKEN");
    }
}

#[tokio::test]
async fn without_a_token_nobody_gets_in() {
    let given = given().await;
    for kind in Kind::ALL {
        let answer = given.app.get(kind.path("me")).send().await;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        answer.expect_error(401, "TOKEN_MISSING");
    }
}

#[tokio::test]
async fn a_header_that_is_no_bearer_token_is_refused() {
    let given = given().await;
    let token = &given.store.admin.token;
    let (message, signature) = token.rsplit_once('.').unwrap();
    let send = |header: &str| given.app.get("/api/admin/auth/me").header("authorization", header).send();
    for header in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Bearer ..",
        token,
        &format!("Basic {token}"),
        &format!("Bearer {token} more"),
        &format!("Bearer {message}"),
        &format!("Bearer {message}."),
        &format!("Bearer {token}.{signature}"),
        &format!("Bearer {}", token.to_lowercase()),
        &format!("Bearer {}", &token[..token.len() - 8]),
    ] {
        send(header).await.expect_error(401, "INVALID_TOKEN");
    }
    send(&format!("bearer {token}")).await.expect(200);
}

#[tokio::test]
async fn claims_that_were_changed_are_refused() {
    let given = given().await;
    let parts: Vec<_> = given.store.admin.token.split('.').collect();
    let other = given.app.store().await;
    let mut claims = serde_json::to_value(given.admin_claims()).unwrap();
    assert_eq!(part(&claims).len(), parts[1].len());
    given.me(Kind::Admin, &[parts[0], parts[1], parts[2]].join(".")).await.expect(200);

    claims["store_id"] = json!(other.id);
    claims["sub"] = json!(format!("store_admin:{}", other.admin.id));

    given.refuse(&[parts[0], &part(&claims), parts[2]].join(".")).await;
    given.refuse(&[parts[0], other.admin.token.split('.').nth(1).unwrap(), parts[2]].join(".")).await;
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let given = given().await;
    let claims = part(&serde_json::to_value(given.admin_claims()).unwrap());
    let signature = given.store.admin.token.rsplit('.').next().unwrap();
    for algorithm in ["none", "None", "NONE", ""] {
        for header in [json!({"alg": algorithm, "typ": "JWT", "kid": given.kid()}), json!({"alg": algorithm})] {
            let header = part(&header);
            given.refuse(&format!("{header}.{claims}.")).await;
            given.refuse(&format!("{header}.{claims}")).await;
            given.refuse(&format!("{header}.{claims}.{signature}")).await;
        }
    }
    let header = part(&json!({"typ": "JWT", "kid": given.kid()}));
    given.refuse(&format!("{header}.{claims}.{signature}")).await;
}

/// The public key is no secret, so it must not do as one.
#[tokio::test]
async fn a_token_that_is_signed_with_the_public_key_as_a_secret_is_refused() {
    let given = given().await;
    let claims = serde_json::to_value(given.admin_claims()).unwrap();
    let pem = &test_keys().public_pem;
    for secret in [pem.as_str(), pem.trim_end(), ""] {
        let key = EncodingKey::from_secret(secret.as_bytes());
        for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)]
        {
            for kid in [json!(given.kid()), json!(null)] {
                let header = json!({"alg": name, "typ": "JWT", "kid": kid});
                given.refuse(&forge(&header, &claims, &key, algorithm)).await;
            }
        }
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": given.kid()});
        given.refuse(&forge(&header, &claims, &key, Algorithm::HS256)).await;
    }
}

#[tokio::test]
async fn a_token_of_another_key_is_refused_whatever_it_says_of_its_key() {
    let given = given().await;
    let claims = serde_json::to_value(given.admin_claims()).unwrap();
    let keys = Keys::new();
    let jwk = serde_json::to_value(&keys.published().keys[0]).unwrap();
    for header in [
        json!({"alg": "RS256", "kid": given.kid()}),
        json!({"alg": "RS256", "kid": keys.kid()}),
        json!({"alg": "RS256", "kid": ""}),
        json!({"alg": "RS256"}),
        json!({"alg": "RS256", "kid": given.kid(), "jwk": jwk}),
        json!({"alg": "RS256", "jwk": jwk}),
        json!({"alg": "RS256", "kid": given.kid(), "jku": "https://example.com/jwks.json"}),
        json!({"alg": "RS256", "kid": keys.kid(), "jku": "https://example.com/jwks.json"}),
        json!({"alg": "RS256", "kid": keys.kid(), "x5u": "https://example.com/key.pem"}),
        json!({"alg": "RS256", "kid": given.kid(), "x5u": "https://example.com/key.pem"}),
        json!({"alg": "RS256", "kid": given.kid(), "x5c": [keys.public_pem]}),
        json!({"alg": "RS256", "kid": "../../../../dev/null"}),
        json!({"alg": "RS256", "kid": "x' or '1'='1"}),
    ] {
        given.refuse(&forge(&header, &claims, &keys.signing(), Algorithm::RS256)).await;
    }
}

#[tokio::test]
async fn a_token_for_somebody_else_or_from_somebody_else_is_refused() {
    let given = given().await;
    let claims = given.admin_claims();
    for text in ["", "table-order", "table-order-api ", "TABLE-ORDER-API", "https://example.com"] {
        given.refuse(&given.sign(&Claims { aud: text.to_owned(), ..claims.clone() })).await;
    }
    for text in ["", "table-order-api", "table-order ", "https://example.com"] {
        given.refuse(&given.sign(&Claims { iss: text.to_owned(), ..claims.clone() })).await;
    }
    given.me(Kind::Admin, &given.sign(&claims)).await.expect(200);
}

#[tokio::test]
async fn a_token_is_good_until_its_last_second() {
    for (kind, life) in [(Kind::Admin, 16), (Kind::SuperAdmin, 16), (Kind::Customer, 24)] {
        let given = given().await;
        let token = given.token(kind);

        given.app.clock.advance(TimeDelta::hours(life) - TimeDelta::seconds(1));
        given.me(kind, token).await.expect(200);
        given.app.clock.advance(TimeDelta::seconds(1));
        given.me(kind, token).await.expect_error(401, "TOKEN_EXPIRED");
        given.app.clock.advance(TimeDelta::days(365));
        given.me(kind, token).await.expect_error(401, "TOKEN_EXPIRED");
    }
}

/// Who forges a token learns nothing by letting it be old.
#[tokio::test]
async fn only_a_good_signature_makes_a_token_expired() {
    let given = given().await;
    let old = Claims { exp: noon().as_seconds() - 1, ..given.admin_claims() };
    let forged = forge(
        &json!({"alg": "RS256", "kid": given.kid()}),
        &serde_json::to_value(&old).unwrap(),
        &Keys::new().signing(),
        Algorithm::RS256,
    );

    given.me(Kind::Admin, &given.sign(&old)).await.expect_error(401, "TOKEN_EXPIRED");
    given.refuse(&forged).await;
}

#[tokio::test]
async fn claims_that_do_not_fit_together_are_refused() {
    let given = given().await;
    let other = given.app.store().await;
    let claims = |kind: Kind| given.claims(&json!(given.token(kind)));
    let (table, admin, super_admin) = (claims(Kind::Customer), claims(Kind::Admin), claims(Kind::SuperAdmin));
    let sub = |text: &str| text.to_owned();
    let store_id: Option<StoreId> = Some(given.store.id);
    let table_id: Option<TableId> = Some(given.table.id);
    for (kind, claims) in [
        (Kind::Customer, Claims { sub: sub("store_admin:1"), ..table.clone() }),
        (Kind::Customer, Claims { sub: sub("super_admin:1"), ..table.clone() }),
        (Kind::Customer, Claims { sub: sub("table:"), ..table.clone() }),
        (Kind::Customer, Claims { sub: sub("table:x"), ..table.clone() }),
        (Kind::Customer, Claims { sub: sub("table:0"), ..table.clone() }),
        (Kind::Customer, Claims { sub: sub("table:999"), ..table.clone() }),
        (Kind::Customer, Claims { sub: sub(""), ..table.clone() }),
        (Kind::Customer, Claims { table_id: TableId::new(999), ..table.clone() }),
        (Kind::Customer, Claims { table_id: None, ..table.clone() }),
        (Kind::Customer, Claims { store_id: None, ..table.clone() }),
        (Kind::Customer, Claims { store_id: Some(other.id), ..table.clone() }),
        (Kind::Admin, Claims { sub: sub("table:1"), ..admin.clone() }),
        (Kind::Admin, Claims { sub: super_admin.sub.clone(), ..admin.clone() }),
        (Kind::Admin, Claims { sub: format!("store_admin:{}", given.super_admin.id), ..admin.clone() }),
        (Kind::Admin, Claims { sub: format!("store_admin:{}", other.admin.id), ..admin.clone() }),
        (Kind::Admin, Claims { sub: sub("store_admin:-1"), ..admin.clone() }),
        (Kind::Admin, Claims { table_id, ..admin.clone() }),
        (Kind::Admin, Claims { store_id: None, ..admin.clone() }),
        (Kind::Admin, Claims { store_id: Some(other.id), ..admin.clone() }),
        (Kind::SuperAdmin, Claims { sub: admin.sub.clone(), ..super_admin.clone() }),
        (Kind::SuperAdmin, Claims { sub: format!("super_admin:{}", given.store.admin.id), ..super_admin.clone() }),
        (Kind::SuperAdmin, Claims { store_id, ..super_admin.clone() }),
        (Kind::SuperAdmin, Claims { table_id, ..super_admin.clone() }),
    ] {
        let answer = given.me(kind, &given.sign(&claims)).await;
        assert_eq!(answer.status.as_u16(), 401, "{claims:?}: {}", answer.body);
        answer.expect_error(401, "INVALID_TOKEN");
    }
}

#[tokio::test]
async fn the_role_is_what_the_token_says_and_not_what_the_account_could_be() {
    let given = given().await;
    let owner = Owner { role: Role::SuperAdmin, id: given.store.admin.id.get(), store_id: None };
    let claims = Claims::new(owner, 1, given.app.clock.now(), TimeDelta::hours(1));

    given.me(Kind::SuperAdmin, &given.sign(&claims)).await.expect_error(401, "INVALID_TOKEN");
    given.me(Kind::Admin, &given.sign(&claims)).await.expect_error(403, "INSUFFICIENT_PERMISSIONS");
}

/// Good tokens are remembered; only they themselves are.
#[test]
fn a_token_that_was_good_vouches_for_no_other() {
    let keys = Keys::new();
    let tokens = keys.tokens();
    let header = json!({"alg": "RS256", "kid": keys.kid()});
    let claims = serde_json::to_value(some_claims()).unwrap();
    let good = forge(&header, &claims, &keys.signing(), Algorithm::RS256);
    assert_eq!(tokens.check(&good, noon()), Ok(some_claims().into()));

    for at in 0..good.len() {
        let mut other = good.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        // The last character's low bits say nothing: another may stand for the same signature.
        let refused = tokens.check(&other, noon()).is_err();
        assert!(refused || at == good.len() - 1, "{other}");
    }
    assert_eq!(tokens.check(&good[..good.len() - 1], noon()), Err(Code::InvalidToken));
    assert_eq!(tokens.check(&good, noon()), Ok(some_claims().into()));
}

#[test]
fn a_token_without_one_of_its_claims_is_refused() {
    let keys = Keys::new();
    let header = json!({"alg": "RS256", "kid": keys.kid()});
    let whole = serde_json::to_value(some_claims()).unwrap();
    let check = |claims: &Value| {
        let token = forge(&header, claims, &keys.signing(), Algorithm::RS256);
        keys.tokens().check(&token, noon())
    };
    assert_eq!(check(&whole), Ok(some_claims().into()));

    for claim in ["iss", "aud", "sub", "role", "ver", "iat", "exp"] {
        let mut claims = whole.clone();
        claims.as_object_mut().unwrap().remove(claim).unwrap();
        assert_eq!(check(&claims), Err(Code::InvalidToken), "without {claim}");
        claims[claim] = json!(null);
        assert_eq!(check(&claims), Err(Code::InvalidToken), "{claim}: null");
    }
    for (claim, value) in [
        ("exp", json!("4102444800")),
        ("exp", json!(1e300)),
        ("exp", json!(-1e300)),
        ("ver", json!("1")),
        ("role", json!("owner")),
        ("aud", json!(["table-order-api", "other"])),
        ("store_id", json!("한빛식당")),
    ] {
        let mut claims = whole.clone();
        claims[claim] = value;
        assert_eq!(check(&claims), Err(Code::InvalidToken), "{claims}");
    }
}

#[test]
fn a_good_signature_under_another_algorithm_or_no_known_kid_is_refused() {
    let keys = Keys::new();
    let claims = serde_json::to_value(some_claims()).unwrap();
    let check = |header: Value, algorithm| {
        let token = forge(&header, &claims, &keys.signing(), algorithm);
        keys.tokens().check(&token, noon()).map(|claims| claims.ver)
    };
    let kid = keys.kid();
    assert_eq!(check(json!({"alg": "RS256", "kid": kid}), Algorithm::RS256), Ok(1));

    for (name, algorithm) in [
        ("RS384", Algorithm::RS384),
        ("RS512", Algorithm::RS512),
        ("PS256", Algorithm::PS256),
        ("PS384", Algorithm::PS384),
        ("PS512", Algorithm::PS512),
    ] {
        assert_eq!(check(json!({"alg": name, "kid": kid}), algorithm), Err(Code::InvalidToken), "{name}");
        assert_eq!(check(json!({"alg": "RS256", "kid": kid}), algorithm), Err(Code::InvalidToken), "{name}");
    }
    for header in [
        json!({"alg": "RS256"}),
        json!({"alg": "RS256", "kid": null}),
        json!({"alg": "RS256", "kid": ""}),
        json!({"alg": "RS256", "kid": "no-such-key"}),
        json!({"alg": "RS256", "kid": kid.to_lowercase()}),
        json!({"alg": "RS256", "kid": [kid]}),
    ] {
        assert_eq!(check(header.clone(), Algorithm::RS256), Err(Code::InvalidToken), "{header}");
    }
}

/// A key is one of ours or none, and nobody is asked for another.
#[test]
fn where_a_header_says_the_key_lies_is_ignored_and_nothing_is_fetched() {
    let (keys, other) = (Keys::new(), Keys::new());
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}/key", elsewhere.local_addr().unwrap());
    let claims = serde_json::to_value(some_claims()).unwrap();
    let jwk = serde_json::to_value(&other.published().keys[0]).unwrap();
    for (name, value) in [("jku", json!(url)), ("x5u", json!(url)), ("jwk", jwk), ("x5c", json!([other.public_pem]))] {
        let mut header = json!({"alg": "RS256", "kid": keys.kid()});
        header[name] = value;
        let own = forge(&header, &claims, &keys.signing(), Algorithm::RS256);
        let foreign = forge(&header, &claims, &other.signing(), Algorithm::RS256);
        header["kid"] = json!(other.kid());
        let unknown = forge(&header, &claims, &other.signing(), Algorithm::RS256);

        assert_eq!(keys.tokens().check(&own, noon()), Ok(some_claims().into()), "{name}");
        assert_eq!(keys.tokens().check(&foreign, noon()), Err(Code::InvalidToken), "{name}");
        assert_eq!(keys.tokens().check(&unknown, noon()), Err(Code::InvalidToken), "{name}");
    }
    let asked = elsewhere.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(asked, Err(ErrorKind::WouldBlock), "somebody has asked there for a key");
}

#[test]
fn while_a_key_is_rotated_the_tokens_of_both_are_good_and_the_new_one_signs() {
    let (old, new, strange) = (Keys::new(), Keys::new(), Keys::new());
    let both = JwkSet { keys: [old.published().keys, new.published().keys].concat() };
    let signed_by = |published: &JwkSet, keys: &Keys| {
        let tokens = Tokens::new(published.clone(), Some(&keys.private_pem)).unwrap();
        tokens.sign(&some_claims()).unwrap()
    };
    let kid = |token: &str| decode_header(token).unwrap().kid.unwrap();

    let (by_old, by_new) = (signed_by(&both, &old), signed_by(&both, &new));

    assert_eq!((kid(&by_old), kid(&by_new)), (old.kid(), new.kid()));
    let tokens = Tokens::new(both.clone(), None).unwrap();
    assert_eq!(tokens.published(), &both);
    assert_eq!(tokens.check(&by_old, noon()), Ok(some_claims().into()));
    assert_eq!(tokens.check(&by_new, noon()), Ok(some_claims().into()));
    let by_strange = signed_by(&strange.published(), &strange);
    assert_eq!(tokens.check(&by_strange, noon()), Err(Code::InvalidToken));
    assert_eq!(new.tokens().check(&by_old, noon()), Err(Code::InvalidToken), "after the rotation");
    assert!(Tokens::new(both, Some(&strange.private_pem)).is_err(), "nobody could check what it signs");
}

#[test]
fn two_keys_may_come_as_pem_or_as_a_key_set() {
    let (old, new) = (Keys::new(), Keys::new());
    let both = JwkSet { keys: [old.published().keys, new.published().keys].concat() };

    let pems = format!("{}\n{}", old.public_pem, new.public_pem);

    assert_eq!(keys::read_public_pems(&pems).unwrap(), both);
    assert_eq!(keys::read_jwks(&serde_json::to_string(&both).unwrap()).unwrap(), both);
}

#[test]
fn a_private_key_signs_under_the_name_of_its_public_half_which_must_be_published() {
    let (own, other) = (Keys::new(), Keys::new());
    let both = JwkSet { keys: [other.published().keys, own.published().keys].concat() };

    let token = Tokens::new(both, Some(&own.private_pem)).unwrap().sign(&some_claims()).unwrap();

    assert_eq!(decode_header(&token).unwrap().kid, Some(own.kid()));
    let refused = Tokens::new(other.published(), Some(&own.private_pem)).err().unwrap();
    assert!(refused.contains("belongs to none"), "{refused}");
}
