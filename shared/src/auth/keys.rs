//! RSA keys: made, written as PEM, read back, and published as a JSON Web Key Set (RFC 7517).

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

/// A fresh pair of RSA keys of 2,048 bits, as PEM.
#[derive(Debug)]
pub struct NewKeys {
    /// PKCS#8.
    pub private_pem: secrecy::SecretString,
    /// SubjectPublicKeyInfo.
    pub public_pem: String,
}

/// Make a pair of keys. Takes about 0.1 s.
pub fn generate() -> Result<NewKeys, aws_lc_rs::error::Unspecified> {
    let pair = KeyPair::generate(KeySize::Rsa2048)?;
    Ok(NewKeys {
        private_pem: pem("PRIVATE KEY", pair.as_der()?.as_ref()).into(),
        public_pem: pem("PUBLIC KEY", pair.public_key().as_der()?.as_ref()),
    })
}

/// Make a pair of keys and write them to files that did not exist, the private one for its owner's eyes only.
pub fn write_new(private_path: &Path, public_path: &Path) -> io::Result<()> {
    let keys = generate().map_err(io::Error::other)?;
    for path in [private_path, public_path] {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
    }
    write_file(public_path, &keys.public_pem, 0o644)?;
    write_file(private_path, secrecy::ExposeSecret::expose_secret(&keys.private_pem), 0o600)
}

fn write_file(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(text.as_bytes())
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line)).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The public keys in a text of one or more PEM blocks, each with its thumbprint (RFC 7638) as `kid`.
pub fn read_public_pems(text: &str) -> Result<JwkSet, String> {
    const END: &str = "-----END PUBLIC KEY-----";
    let blocks = text.split_inclusive(END).filter(|block| block.contains(END));
    let keys = blocks.map(|block| public_jwk(block.trim())).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err("there is no PEM block \"PUBLIC KEY\"".to_owned());
    }
    Ok(JwkSet { keys })
}

/// The key set in a JWKS text. Every key needs a `kid`.
pub fn read_jwks(text: &str) -> Result<JwkSet, String> {
    let set: JwkSet = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if set.keys.is_empty() || set.keys.iter().any(|key| key.common.key_id.is_none()) {
        return Err("it must hold at least one key, and each needs a kid".to_owned());
    }
    Ok(set)
}

/// The public half of a private key, with its thumbprint (RFC 7638) as `kid`.
pub fn public_of_private(pem: &str) -> Result<Jwk, String> {
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
    published(Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(|error| error.to_string())?)
}

fn public_jwk(pem: &str) -> Result<Jwk, String> {
    let key = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
    published(Jwk::from_decoding_key(&key, Some(Algorithm::RS256)).map_err(|error| error.to_string())?)
}

fn published(mut jwk: Jwk) -> Result<Jwk, String> {
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).map_err(|error| error.to_string())?);
    jwk.common.key_algorithm = Some(KeyAlgorithm::RS256);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(jwk)
}
