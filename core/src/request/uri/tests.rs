#![allow(clippy::unwrap_used)]

use super::*;

/// Whether `text` means the request.
fn means(text: &str, scheme: Scheme, authority: &str, path: &str) -> bool {
    let uri = RequestUri::new(scheme, authority.as_bytes(), path.as_bytes());
    uri.unwrap().is_meant_by(text)
}

#[test]
fn equivalent_uris_mean_the_same_request() {
    for (text, authority, path) in [
        ("https://api.test/a/b", "api.test", "/a/b"),
        // Case (RFC 3986 §6.2.2.1).
        ("HTTPS://API.test/a", "api.TEST", "/a"),
        ("https://api.test/%c3%a9", "api.test", "/%C3%A9"),
        ("https://api.test/%C3%A9", "api.test", "/%c3%a9"),
        // Escapes of unreserved characters (§6.2.2.2).
        ("https://api.test/%7eme/%61", "api.test", "/~me/a"),
        ("https://api.test/~me/a", "api.test", "/%7Eme/%61"),
        ("https://%61pi.test/a", "api.test", "/a"),
        // Dot segments (§6.2.2.3).
        ("https://api.test/a/./b/../c", "api.test", "/a/c"),
        ("https://api.test/a/b/..", "api.test", "/a/"),
        ("https://api.test/a/.", "api.test", "/a/"),
        ("https://api.test/../../a", "api.test", "/a"),
        ("https://api.test/a/%2E%2e/b", "api.test", "/b"),
        // The scheme's default port, and no path (§6.2.3).
        ("https://api.test:443/a", "api.test", "/a"),
        ("https://api.test/a", "api.test:443", "/a"),
        ("https://api.test:/a", "api.test", "/a"),
        ("https://api.test:8443/a", "api.test:8443", "/a"),
        ("https://api.test", "api.test", "/"),
        ("https://api.test?q", "api.test", "/"),
        ("https://api.test#f", "api.test", "/"),
        ("https://[::1]:8443/", "[::1]:8443", "/"),
        ("https://[::1]:/", "[::1]", "/"),
        // A query and a fragment are ignored (RFC 9449 §4.3).
        ("https://api.test/a?x=/y#z", "api.test", "/a"),
        ("https://api.test/a#f?q", "api.test", "/a"),
        // What is not equivalent by these rules stays as it is.
        ("https://api.test/a//b;c/%2F", "api.test", "/a//b;c/%2F"),
    ] {
        assert!(means(text, Scheme::Https, authority, path), "{text}");
    }
    assert!(means("http://a.test:80/", Scheme::Http, "a.test", "/"));
    assert!(means("http://a.test/", Scheme::Http, "a.test:80", "/"));
}

#[test]
fn other_uris_mean_other_requests() {
    for (text, authority, path) in [
        // Another scheme, host, port, path.
        ("http://api.test/a", "api.test", "/a"),
        ("https://other.test/a", "api.test", "/a"),
        ("https://api.test:80/a", "api.test", "/a"),
        ("https://api.test:8443/a", "api.test", "/a"),
        ("https://api.test/a", "api.test:8443", "/a"),
        ("https://api.test/b", "api.test", "/a"),
        ("https://api.test/A", "api.test", "/a"),
        ("https://api.test/a/", "api.test", "/a"),
        ("https://api.test//a", "api.test", "/a"),
        ("https://api.test/a%2Fb", "api.test", "/a/b"),
        ("https://api.test/%252e%252e/a", "api.test", "/a"),
        ("https://api.test/a;x", "api.test", "/a"),
        ("https://api.test", "api.test", "/a"),
        // No such URI.
        ("", "api.test", "/a"),
        ("/a", "api.test", "/a"),
        ("//api.test/a", "api.test", "/a"),
        ("api.test/a", "api.test", "/a"),
        ("https:api.test/a", "api.test", "/a"),
        (" https://api.test/a", "api.test", "/a"),
        ("https://api.test/a ", "api.test", "/a"),
        ("wss://api.test/a", "api.test", "/a"),
        ("https://api.test:443x/a", "api.test", "/a"),
        ("https://api.test:65536/a", "api.test", "/a"),
        ("https://me@api.test/a", "api.test", "/a"),
        ("https://other.test@api.test/a", "api.test", "/a"),
        ("https://api.test\\@other.test/a", "api.test", "/a"),
        ("https://api.test./a", "api.test", "/a"),
        ("https://api.test\\a", "api.test", "/a"),
        ("https://api.test?/a", "api.test", "/a"),
        ("https://other.test?https://api.test/a", "api.test", "/a"),
        ("https://api.test/%", "api.test", "/%25"),
        ("https://api.test/%4", "api.test", "/4"),
        ("https://api.test/%é1", "api.test", "/a"),
        ("https://api.test/é", "api.test", "/%C3%A9"),
        ("https://[0::1]/", "[::1]", "/"),
    ] {
        assert!(!means(text, Scheme::Https, authority, path), "{text}");
    }
}

#[test]
fn a_request_that_can_be_read_in_two_ways_has_no_uri() {
    for (authority, path) in [
        (&b""[..], &b"/"[..]),
        (b"a.test,b.test", b"/"),
        (b"a.test:x", b"/"),
        (b"a.test", b""),
        (b"a.test", b"/../a"),
        (b"a.test", b"/\xff"),
    ] {
        assert_eq!(RequestUri::new(Scheme::Https, authority, path), None);
    }
}
