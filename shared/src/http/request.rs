//! How requests are read: every part checked, every refusal in the contract's form.

use std::fmt;
use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use garde::Validate;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

use crate::app::App;
use crate::error::{Code, Error, Result};

/// A JSON body that keeps the rules of its type.
#[derive(Clone, Copy, Debug)]
pub struct Valid<T>(pub T);

impl<T: DeserializeOwned + Validate<Context = ()>> FromRequest<App> for Valid<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        if !is_json(request.headers()) {
            return Err(Code::UnsupportedMediaType.into());
        }
        let body = Bytes::from_request(request, app).await.map_err(refused_body)?;
        read_json(&body).map(Self)
    }
}

impl<T: DeserializeOwned + Validate<Context = ()>> OptionalFromRequest<App> for Valid<T> {
    type Rejection = Error;

    /// No body at all is `None`, whatever its type is said to be.
    async fn from_request(request: Request, app: &App) -> Result<Option<Self>> {
        let is_json = is_json(request.headers());
        let body = Bytes::from_request(request, app).await.map_err(refused_body)?;
        if body.is_empty() {
            return Ok(None);
        }
        if !is_json {
            return Err(Code::UnsupportedMediaType.into());
        }
        read_json(&body).map(Self).map(Some)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

fn refused_body(rejection: BytesRejection) -> Error {
    if rejection.into_response().status().as_u16() == Code::PayloadTooLarge.status() {
        return Code::PayloadTooLarge.into();
    }
    Error::field("", "the body could not be read")
}

fn read_json<T: DeserializeOwned + Validate<Context = ()>>(body: &[u8]) -> Result<T> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let Object(value) = serde_path_to_error::deserialize::<_, Object<T>>(&mut json).map_err(|error| {
        let path = error.path().to_string();
        Error::field(if path == "." { "" } else { &path }, reason(&error.inner().to_string()))
    })?;
    json.end().map_err(|error| Error::field("", reason(&error.to_string())))?;
    check_rules(&value)?;
    Ok(value)
}

/// A JSON object and nothing else: by itself serde reads a struct from an array, too, by position.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// For a field that is an array of objects: `#[serde(deserialize_with = "objects")]`.
pub fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

fn check_rules<T: Validate<Context = ()>>(value: &T) -> Result<()> {
    value.validate().map_err(|report| Error::fields(report.iter().map(|(path, error)| (path, error))))
}

/// The parser's sentence, without what could be as long as the body.
fn reason(text: &str) -> String {
    text.chars().take(200).collect()
}

/// A query string that keeps the rules of its type.
#[derive(Clone, Copy, Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned + Validate<Context = ()>> FromRequestParts<App> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let Query(value) = Query::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            // `Failed to deserialize query string: page: invalid digit found in string`
            let text = rejection.body_text();
            let text = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest);
            let (field, why) = text.split_once(": ").unwrap_or(("", text));
            Error::field(field, reason(why))
        })?;
        check_rules(&value)?;
        Ok(Self(value))
    }
}

/// The id in the path.
#[derive(Clone, Copy, Debug)]
pub struct Id<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Id<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        match Path::<T>::from_request_parts(parts, app).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(Error::field("id", "is not an id of this kind")),
        }
    }
}

/// Request rule for `page`: from 1, and small enough to count the items before it.
pub fn page_number(page: &Option<i64>, _: &()) -> garde::Result {
    in_range(*page, 1, i64::from(i32::MAX))
}

/// Request rule for `page_size`: 1 to 100.
pub fn page_size(size: &Option<i64>, _: &()) -> garde::Result {
    in_range(*size, 1, 100)
}

fn in_range(value: Option<i64>, least: i64, most: i64) -> garde::Result {
    if value.is_none_or(|value| (least..=most).contains(&value)) {
        return Ok(());
    }
    Err(garde::Error::new(format!("must be between {least} and {most}")))
}
