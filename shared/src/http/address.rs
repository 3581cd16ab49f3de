//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use axum::serve::IncomingStream;
use lambda_http::request::RequestContext;
use secrecy::ExposeSecret;

use crate::app::App;
use crate::config::{AppEnv, Config};
use crate::error::Error;
use crate::http::connection::Connection;
use crate::http::server::Sockets;

/// The client's address, if it is known.
///
/// That is CloudFront's viewer address when CloudFront proves itself with the origin secret, else the other end of the connection. Of
/// an IPv6 address only the network counts.
/// No other header is believed: clients write what they like into `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        Ok(Self(client_address(&parts.headers, &parts.extensions, &app.config)))
    }
}

/// The other end of a connection, which [`server`](super::server) notes on every request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The connection, where there is one.
    pub connection: Option<Connection>,
}

impl Connected<IncomingStream<'_, Sockets>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Sockets>) -> Self {
        Self { address: *stream.remote_addr(), connection: Some(stream.io().get_ref().connection()) }
    }
}

/// See [`ClientAddress`].
pub fn client_address(headers: &HeaderMap, extensions: &Extensions, config: &Config) -> Option<IpAddr> {
    viewer_address(headers, config).or_else(|| peer_address(extensions)).map(network)
}

/// What stands for one client: an IPv4 address, or the /64 network that an IPv6 client has to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

/// Whether the request has come the way that all requests must come: in production, where there is a CloudFront, through it.
/// Past it there is no firewall, and nobody who says where a request comes from.
pub fn is_let_in(headers: &HeaderMap, config: &Config) -> bool {
    config.app_env != AppEnv::Production || config.origin_secret.is_none() || is_from_cloudfront(headers, config)
}

/// Whether CloudFront proves itself.
fn is_from_cloudfront(headers: &HeaderMap, config: &Config) -> bool {
    let Some(secret) = &config.origin_secret else { return false };
    let Some(sent) = headers.get("x-origin-secret") else { return false };
    verify_slices_are_equal(secret.expose_secret().as_bytes(), sent.as_bytes()).is_ok()
}

fn viewer_address(headers: &HeaderMap, config: &Config) -> Option<IpAddr> {
    if !is_from_cloudfront(headers, config) {
        return None;
    }
    // `192.0.2.1:443`, or `2001:db8::1:443` without brackets.
    let (address, _port) = headers.get("cloudfront-viewer-address")?.to_str().ok()?.rsplit_once(':')?;
    address.parse().ok()
}

fn peer_address(extensions: &Extensions) -> Option<IpAddr> {
    if let Some(ConnectInfo(Peer { address, .. })) = extensions.get() {
        return Some(address.ip());
    }
    match extensions.get::<RequestContext>()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn address(headers: &[(&'static str, &str)]) -> Option<IpAddr> {
        let config = Config::read(&HashMap::from([("ORIGIN_SECRET".to_owned(), "s3cret".to_owned())])).unwrap();
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(Peer { address: SocketAddr::from(([127, 0, 0, 1], 9)), connection: None }));
        let headers = headers.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        client_address(&headers, &extensions, &config)
    }

    #[test]
    fn only_cloudfront_may_name_the_client() {
        let peer = Some("127.0.0.1".parse().unwrap());
        let viewer = ("cloudfront-viewer-address", "2001:db8::1:443");
        assert_eq!(address(&[]), peer);
        assert_eq!(address(&[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")]), peer);
        assert_eq!(address(&[viewer]), peer);
        assert_eq!(address(&[viewer, ("x-origin-secret", "guess")]), peer);
        assert_eq!(address(&[viewer, ("x-origin-secret", "s3cret")]), Some("2001:db8::".parse().unwrap()));
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let of = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
    }
}
