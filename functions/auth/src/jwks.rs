//! `GET /.well-known/jwks.json`.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use shared::App;
use shared::http::response::Json;
use utoipa::ToSchema;

/// A JSON Web Key Set (RFC 7517). Two keys while one is being replaced.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what jsonwebtoken writes")]
struct Jwks {
    /// The keys, told apart by `kid`.
    keys: Vec<Jwk>,
}

/// An RSA public key.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what jsonwebtoken writes")]
struct Jwk {
    /// Always `RSA`.
    #[schema(pattern = "^RSA$", examples("RSA"))]
    kty: String,
    /// Always `sig`: for signatures.
    #[schema(pattern = "^sig$", examples("sig"))]
    r#use: String,
    /// Always `RS256`.
    #[schema(pattern = "^RS256$", examples("RS256"))]
    alg: String,
    /// The key's id: its thumbprint (RFC 7638).
    #[schema(examples("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"))]
    kid: String,
    /// The modulus, in base64url.
    #[schema(examples(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs…"
    ))]
    n: String,
    /// The exponent, in base64url.
    #[schema(examples("AQAB"))]
    e: String,
}

/// The public keys that tokens are checked with, as a JSON Web Key Set.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "auth",
    operation_id = "auth_jwks",
    security(()),
    responses((status = 200, body = Jwks)),
)]
pub(crate) async fn jwks(State(app): State<App>) -> impl IntoResponse {
    ([(CACHE_CONTROL, "public, max-age=300")], Json(app.tokens.published().clone()))
}
