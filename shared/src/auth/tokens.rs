//! JSON Web Tokens (RFC 7519), signed with RS256 and nothing else. Keys are parsed once.

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lru::LruCache;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::keys;
use crate::bounded::bounded;
use crate::config::Config;
use crate::db::owners::Owner;
use crate::domain::account::Role;
use crate::domain::{StoreId, TableId, Timestamp};
use crate::error::Code;

/// Who issues the tokens.
pub const ISSUER: &str = "table-order";
/// Whom the tokens are for.
pub const AUDIENCE: &str = "table-order-api";
/// Good tokens remembered, of about 1 kB each.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// `<role>:<id>`.
    pub sub: String,
    /// What the holder may do.
    pub role: Role,
    /// The holder's store; absent for super admins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<StoreId>,
    /// The holder's table, for tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_id: Option<TableId>,
    /// The owner's token version when it was issued.
    pub ver: i32,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Good until, in seconds since 1970.
    pub exp: i64,
}

impl Claims {
    /// Claims for an owner, from now on for `life`.
    pub fn new(owner: Owner, token_version: i32, now: Timestamp, life: TimeDelta) -> Self {
        Self {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: format!("{}:{}", owner.role, owner.id),
            role: owner.role,
            store_id: owner.store_id,
            table_id: if owner.role == Role::Table { TableId::new(owner.id) } else { None },
            ver: token_version,
            iat: now.as_seconds(),
            exp: (now + life).as_seconds(),
        }
    }

    /// The row behind the token. `None` if the claims do not fit together, as none of ours do.
    pub fn owner(&self) -> Option<Owner> {
        let id: i64 = self.sub.strip_prefix(&format!("{}:", self.role))?.parse().ok()?;
        let fits = match self.role {
            Role::Table => self.store_id.is_some() && self.table_id.is_some_and(|table| table.get() == id),
            Role::StoreAdmin => self.store_id.is_some() && self.table_id.is_none(),
            Role::SuperAdmin => self.store_id.is_none() && self.table_id.is_none(),
        };
        (fits && id >= 1).then_some(Owner { role: self.role, id, store_id: self.store_id })
    }

    /// Whether the token's time is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.as_seconds() >= self.exp
    }
}

/// Checks tokens and, with the private key, signs them.
pub struct Tokens {
    published: JwkSet,
    verifying: HashMap<String, DecodingKey>,
    validation: Validation,
    signing: Option<(Header, EncodingKey)>,
    good: Mutex<LruCache<String, Arc<Claims>>>,
}

impl Tokens {
    /// The keys the configuration names. `sign` also reads the private key: only `auth` does.
    pub fn from_config(config: &Config, sign: bool) -> Result<Self, String> {
        let read = |path: &std::path::Path| {
            fs::read_to_string(path).map_err(|error| {
                format!("the key {} cannot be read ({error}): name another in the environment, or make one with `make keys`", path.display())
            })
        };
        let published = match &config.jwt_public_keys {
            Some(text) => keys::read_jwks(text).map_err(|error| format!("JWT_PUBLIC_KEYS is wrong: {error}"))?,
            None => {
                let path = &config.jwt_public_key_path;
                keys::read_public_pems(&read(path)?)
                    .map_err(|error| format!("the key {} is wrong: {error}", path.display()))?
            }
        };
        let private_pem: Option<SecretString> = match (sign, &config.jwt_private_key) {
            (false, _) => None,
            (true, Some(text)) => Some(text.clone()),
            (true, None) => Some(read(&config.jwt_private_key_path)?.into()),
        };
        Self::new(published, private_pem.as_ref().map(ExposeSecret::expose_secret))
    }

    /// Check with these public keys, and sign with this private key, whose public half must be among them.
    pub fn new(published: JwkSet, private_pem: Option<&str>) -> Result<Self, String> {
        let mut verifying = HashMap::new();
        for jwk in &published.keys {
            let key = DecodingKey::from_jwk(jwk).map_err(|error| format!("a public key is wrong: {error}"))?;
            verifying.insert(jwk.common.key_id.clone().unwrap_or_default(), key);
        }
        let signing = private_pem.map(|pem| signing_key(pem, &published)).transpose()?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Checked against our own clock.
        validation.validate_exp = false;
        Ok(Self { published, verifying, validation, signing, good: Mutex::new(bounded(REMEMBERED)) })
    }

    /// The public keys, for whoever wants to check our tokens.
    pub fn published(&self) -> &JwkSet {
        &self.published
    }

    /// Sign claims.
    pub fn sign(&self, claims: &Claims) -> Result<String, crate::Error> {
        let (header, key) = self.signing.as_ref().ok_or_else(|| crate::Error::internal("no private key here"))?;
        jsonwebtoken::encode(header, claims, key).map_err(crate::Error::internal)
    }

    /// The claims of a good token. Costs no I/O; whether the owner still stands is another question.
    ///
    /// A token that was good stays good until it expires, as the keys do not change while the process lives. So its
    /// signature, which costs more than anything else in reading a menu card, is checked once.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, Code> {
        let known = self.good().get(token).cloned();
        let claims = match known {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.verify(token)?);
                self.good().put(token.to_owned(), claims.clone());
                claims
            }
        };
        if claims.is_expired(now) {
            return Err(Code::TokenExpired);
        }
        Ok(claims)
    }

    fn good(&self) -> std::sync::MutexGuard<'_, LruCache<String, Arc<Claims>>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claims of a token that we signed for ourselves, whenever that was.
    fn verify(&self, token: &str) -> Result<Claims, Code> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Code::InvalidToken)?;
        let key = header.kid.as_deref().and_then(|kid| self.verifying.get(kid)).ok_or(Code::InvalidToken)?;
        let verified = jsonwebtoken::decode(token, key, &self.validation).map_err(|_| Code::InvalidToken)?;
        Ok(verified.claims)
    }
}

/// The private key with the header it signs under: the `kid` of the public key that checks it.
///
/// Nothing is signed to find that out: the first signature of a process takes 30 ms, in which aws-lc gathers entropy, and a
/// function starts without it.
fn signing_key(pem: &str, published: &JwkSet) -> Result<(Header, EncodingKey), String> {
    let wrong = |error| format!("the private key is wrong: {error}");
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(wrong)?;
    let public = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(wrong)?.algorithm;
    let jwk = published.keys.iter().find(|jwk| jwk.algorithm == public);
    let kid = jwk.ok_or("the private key belongs to none of the public keys")?.common.key_id.clone();
    Ok((Header { kid, ..Header::new(Algorithm::RS256) }, key))
}
