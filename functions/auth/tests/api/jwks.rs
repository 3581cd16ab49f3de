//! `GET /.well-known/jwks.json`.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use shared::testing::PASSWORD;

use crate::{Kind, given};

#[tokio::test]
async fn publishes_the_public_key_and_nothing_more_to_everybody() {
    let given = given().await;

    let answer = given.app.get("/.well-known/jwks.json").send().await;

    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let set = answer.expect(200);
    let key = &set["keys"][0];
    let expected = json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": key["kid"], "n": key["n"], "e": "AQAB"});
    assert_eq!(set, json!({"keys": [expected]}));
    assert_eq!(key["kid"].as_str().unwrap().len(), 43, "a SHA-256 thumbprint in base64url");
    assert_eq!(key["n"].as_str().unwrap().len(), 342, "2,048 bits in base64url");
}

#[tokio::test]
async fn whoever_reads_it_can_check_every_token() {
    let given = given().await;
    let set = given.app.get("/.well-known/jwks.json").send().await.expect(200);
    let set: JwkSet = serde_json::from_value(set).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&["table-order"]);
    validation.set_audience(&["table-order-api"]);
    // The test's time is not the system's.
    validation.validate_exp = false;
    for kind in Kind::ALL {
        let answer = given.log_in(kind, PASSWORD).send().await.expect(200);
        let token = answer["access_token"].as_str().unwrap();

        let header = decode_header(token).unwrap();
        assert_eq!(header.alg, Algorithm::RS256);
        let key = DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
        let claims = decode::<Value>(token, &key, &validation).unwrap().claims;

        let owner = given.owner(kind);
        assert_eq!(claims["sub"], format!("{}:{}", owner.role, owner.id));
        assert_eq!(claims["role"], json!(owner.role));
        assert_eq!(claims.get("store_id"), owner.store_id.map(|id| json!(id)).as_ref());
        let table_id = (kind == Kind::Customer).then(|| json!(given.table.id));
        assert_eq!(claims.get("table_id"), table_id.as_ref());
        assert_eq!(claims["iat"], json!(given.app.clock.now().as_seconds()));
    }
}
