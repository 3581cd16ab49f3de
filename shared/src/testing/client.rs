//! The tests' HTTP client: straight into the router.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use serde_json::Value;
use tower::ServiceExt;

use super::TestApp;
use super::contract::Described;
use crate::http::address::Peer;

/// A request being written.
#[must_use]
pub struct TestRequest<'a> {
    app: &'a TestApp,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Body,
    peer: SocketAddr,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct TestResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl TestApp {
    /// A request from 192.0.2.1.
    pub fn request(&self, method: Method, path: impl Into<String>) -> TestRequest<'_> {
        TestRequest {
            app: self,
            method,
            path: path.into(),
            headers: HeaderMap::new(),
            body: Body::empty(),
            peer: SocketAddr::from(([192, 0, 2, 1], 40_000)),
        }
    }

    /// A GET.
    pub fn get(&self, path: impl Into<String>) -> TestRequest<'_> {
        self.request(Method::GET, path)
    }

    /// A POST.
    pub fn post(&self, path: impl Into<String>) -> TestRequest<'_> {
        self.request(Method::POST, path)
    }

    /// A PUT.
    pub fn put(&self, path: impl Into<String>) -> TestRequest<'_> {
        self.request(Method::PUT, path)
    }

    /// A PATCH.
    pub fn patch(&self, path: impl Into<String>) -> TestRequest<'_> {
        self.request(Method::PATCH, path)
    }

    /// A DELETE.
    pub fn delete(&self, path: impl Into<String>) -> TestRequest<'_> {
        self.request(Method::DELETE, path)
    }
}

impl<'a> TestRequest<'a> {
    /// With a bearer token.
    pub fn token(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        self
    }

    /// With a header of any bytes that HTTP allows.
    pub fn raw_header(mut self, name: &HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a JSON body.
    pub fn json(self, body: Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// With any body.
    pub fn body(mut self, content_type: &str, body: impl Into<Body>) -> Self {
        self.headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        self.body = body.into();
        self
    }

    /// From another address.
    pub fn from(mut self, address: &str) -> Self {
        self.peer = SocketAddr::new(address.parse().unwrap(), 40_000);
        self
    }

    /// Send it, and give the answer as it begins: for streams.
    pub async fn open(self) -> Response {
        self.begin().await.0
    }

    /// Send it and read the answer to its end.
    pub async fn send(self) -> TestResponse {
        let (response, described) = self.begin().await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        if let Some(described) = described {
            described.check_body(status, &body);
        }
        TestResponse { status, headers, body }
    }

    /// Send it, and hold the beginning of the answer to the API's description.
    async fn begin(self) -> (Response, Option<Described<'a>>) {
        let method = self.method.clone();
        let mut request = Request::builder().method(self.method).uri(self.path).body(self.body).unwrap();
        *request.headers_mut() = self.headers;
        request.extensions_mut().insert(ConnectInfo(Peer { address: self.peer, connection: None }));
        let response = self.app.router().oneshot(request).await.unwrap();
        let described = response.extensions().get::<MatchedPath>().and_then(|path| {
            self.app.contract.check_head(&method, path.as_str(), response.status(), response.headers())
        });
        (response, described)
    }
}

impl TestResponse {
    /// The JSON body of an answer with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        if self.body.is_empty() { Value::Null } else { serde_json::from_str(&self.body).unwrap() }
    }

    /// Check that the answer is this error, and give its details.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["error"]["code"], code, "{body}");
        body["error"]["details"].clone()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
