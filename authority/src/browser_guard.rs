//! Keeps web pages off the admin port: only programs may use it, not the pages in a browser on the same machine.
//!
//! A page of any site can send requests to loopback: those have an `Origin` header. A page whose name was rebound to 127.0.0.1
//! (DNS rebinding) can read the responses too: its requests have its own name in `Host`. No script can change either header.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::refusal::Refusal;

/// The outermost layer of the admin router.
pub async fn inspect(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    match check(request.uri(), request.headers(), &hosts) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(uri: &Uri, headers: &HeaderMap, names: &[String]) -> Result<(), Refusal> {
    if headers.contains_key(ORIGIN) {
        return Err(Refusal::AccessDenied(
            "no web page may ask here: the request has an Origin header",
        ));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default(),
        _ => return Err(Refusal::InvalidRequest("expected one Host header")),
    };
    // RFC 9112 §3.2.2: a request target in absolute form names the host too.
    let target = uri.authority().map(|authority| authority.as_str());
    if is_ours(host, names) && target.is_none_or(|target| is_ours(target, names)) {
        Ok(())
    } else {
        Err(Refusal::AccessDenied(
            "Host: expected localhost, a loopback address or one of admin_hosts",
        ))
    }
}

fn is_ours(host: &str, names: &[String]) -> bool {
    let Some(name) = without_port(host) else {
        return false;
    };
    let is_loopback = |address: IpAddr| address.is_loopback();
    name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(is_loopback)
        || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The host of `uri-host [ ":" port ]` (RFC 9110 §7.2), an IPv6 address without its brackets. `None`: malformed.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_configured_hosts_are_ours() {
        let names = ["authority".to_owned()];
        for ours in [
            "localhost",
            "LocalHost:9001",
            "127.0.0.1",
            "127.0.0.1:9001",
            "127.1.2.3:80",
            "[::1]",
            "[::1]:9001",
            "authority",
            "Authority:9001",
        ] {
            assert!(is_ours(ours, &names), "{ours}");
        }
        for strange in [
            "",
            ":9001",
            "evil.example",
            "evil.example:9001",
            "localhost.evil.example",
            "evil-localhost",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "localhost:9001@evil.example",
            "localhost:evil",
            "localhost:",
            "localhost:9001:9001",
            "localhost,evil.example",
            "localhost ",
            "localhost.",
            "authority.evil.example",
            "0.0.0.0",
            "0.0.0.0:9001",
            "10.0.0.1",
            "2130706433",
            "127.1",
            "0x7f000001",
            "::1",
            "[::1",
            "[::1]9001",
            "[::]",
            "[fe80::1]",
            "[127.0.0.1].evil.example",
        ] {
            assert!(!is_ours(strange, &names), "{strange}");
        }
    }
}
