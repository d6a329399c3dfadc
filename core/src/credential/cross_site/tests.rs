use super::*;

const SITE: &str = "sec-fetch-site";

/// Whether a cookie counts in this request to `app.example.com`, from which `https://www.example.com` may
/// use it.
fn counts(method: &str, headers: &[(&str, &str)]) -> bool {
    counts_at("app.example.com", method, headers)
}

fn counts_at(authority: &str, method: &str, headers: &[(&str, &str)]) -> bool {
    let pseudo = [
        (":method", method),
        (":authority", authority),
        (":path", "/"),
    ];
    let all = pseudo.iter().chain(headers);
    let all: Vec<_> = all.map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    let request = Request::from_headers(&all);
    let cookie = CredentialLocation::Cookie {
        name: "session".into(),
    };
    let allowed = Origin::parse(b"https://www.example.com");
    refuse_cross_site(&request, &cookie, allowed.iter()).is_ok()
}

const EVIL: (&str, &str) = ("origin", "https://evil.example");
const OWN: (&str, &str) = ("origin", "https://app.example.com");
const LISTED: (&str, &str) = ("origin", "https://www.example.com");

#[test]
fn what_changes_nothing_may_come_from_anywhere() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert!(counts(method, &[EVIL, (SITE, "cross-site")]), "{method}");
    }
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "get", "",
    ] {
        assert!(!counts(method, &[EVIL, (SITE, "cross-site")]), "{method}");
        assert!(counts(method, &[(SITE, "same-origin")]), "{method}");
    }
}

#[test]
fn an_upgrade_is_no_request_that_changes_nothing() {
    for name in ["upgrade", ":protocol"] {
        let upgrade = (name, "websocket");
        assert!(!counts("GET", &[upgrade, EVIL]), "{name}");
        assert!(
            !counts("GET", &[upgrade, EVIL, (SITE, "cross-site")]),
            "{name}"
        );
        assert!(counts("GET", &[upgrade, OWN]), "{name}");
        assert!(counts("GET", &[upgrade, LISTED]), "{name}");
        assert!(counts("GET", &[upgrade]), "{name}");
    }
}

#[test]
fn fetch_metadata_decides_where_it_is_there() {
    for (site, expected) in [
        ("same-origin", true),
        ("none", true),
        ("same-site", false),
        ("cross-site", false),
        ("", false),
        ("SAME-ORIGIN", false),
        ("same-origin, none", false),
        ("same-originx", false),
    ] {
        assert_eq!(counts("POST", &[(SITE, site)]), expected, "{site}");
        // The origin adds nothing, unless it is listed.
        assert_eq!(counts("POST", &[(SITE, site), OWN]), expected, "{site}");
        assert_eq!(counts("POST", &[(SITE, site), EVIL]), expected, "{site}");
        assert!(counts("POST", &[(SITE, site), LISTED]), "{site}");
    }
}

#[test]
fn without_fetch_metadata_the_origin_decides() {
    assert!(counts("POST", &[]));
    assert!(counts("POST", &[OWN]));
    assert!(counts("POST", &[LISTED]));
    for origin in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "https://www.example.com:8443",
        "http://www.example.com",
        "https://example.com",
        "null",
        "",
    ] {
        assert!(!counts("POST", &[("origin", origin)]), "{origin}");
    }
    let own = [("origin", "https://app.example.com:8443")];
    assert!(counts_at("app.example.com:8443", "POST", &own));
    assert!(!counts_at("app.example.com:9443", "POST", &own));
}

#[test]
fn doubled_and_respelled_headers_never_permit() {
    let site = (SITE, "same-origin");
    for headers in [
        &[site, site][..],
        &[site, (SITE, "cross-site")],
        &[(SITE, "cross-site"), site],
        &[site, ("sec_fetch_site", "cross-site")],
        &[("sec_fetch_site", "same-origin")],
        &[("sec.fetch.site", "none")],
        &[OWN, OWN],
        &[LISTED, LISTED],
        &[LISTED, EVIL],
        &[("origin", "https://www.example.com,https://evil.example")],
        &[site, OWN, EVIL],
    ] {
        assert!(!counts("POST", headers), "{headers:?}");
    }
}

#[test]
fn other_credentials_come_from_code_that_knows_them() {
    let headers: [(&[u8], &[u8]); 1] = [(b"origin", b"https://evil.example")];
    let request = Request {
        method: b"POST",
        authority: b"app.example.com",
        path: b"/",
        headers: &headers,
    };
    let query = CredentialLocation::Query {
        name: "access_token".into(),
    };
    assert!(refuse_cross_site(&request, &query, [].iter()).is_ok());
}
