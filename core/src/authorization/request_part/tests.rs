use super::*;
use crate::request::Request;
use crate::request::header_name::HeaderName;

fn holds(
    authority: &str,
    path: &str,
    headers: &[(&str, &str)],
    part: &RequestPart,
    claim: &str,
) -> bool {
    let pseudo = [
        (":method", "GET"),
        (":authority", authority),
        (":path", path),
    ];
    let all = pseudo.iter().chain(headers);
    let all: Vec<_> = all.map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    let target = RequestTarget::from_request(&Request::from_headers(&all))
        .unwrap_or_else(|e| panic!("{authority} {path}: {e}"));
    equals(&target, part, claim)
}

#[test]
fn a_segment_is_compared_decoded_and_byte_for_byte() {
    let segment = RequestPart::Segment(1);
    for (path, claim, same) in [
        ("/t/acme", "acme", true),
        ("/t/acme/", "acme", true),
        ("/t/acme/x?tenant=globex", "acme", true),
        ("/t/%61cme", "acme", true),
        ("/t/a%20b", "a b", true),
        ("/t/%C3%A9", "é", true),
        ("/t/%c3%a9", "é", true),
        ("/t/a%2Bb", "a+b", true),
        ("/t/a+b", "a+b", true),
        // Of a form, not of a path.
        ("/t/a+b", "a b", false),
        ("/t/50%25", "50%", true),
        ("/t/a%40b", "a@b", true),
        ("/t/ACME", "acme", false),
        ("/t/acme", "ACME", false),
        ("/t/acme2", "acme", false),
        ("/t/acm", "acme", false),
        ("/t/acme.", "acme", false),
        ("/t/acme%20", "acme", false),
        // The same text to a reader, and other bytes.
        ("/t/e%CC%81", "é", false),
        // No UTF-8.
        ("/t/%FF", "\u{fffd}", false),
        ("/t/%E9", "é", false),
        ("/t", "t", false),
        ("/t/", "", false),
        ("/acme/t", "acme", false),
    ] {
        assert_eq!(
            holds("a", path, &[], &segment, claim),
            same,
            "{path} {claim}"
        );
    }
}

#[test]
fn a_header_is_compared_where_it_is_there_once() {
    let tenant = RequestPart::Header(HeaderName::new("X-Tenant"));
    let once = |headers: &[(&str, &str)]| holds("a", "/", headers, &tenant, "acme");
    assert!(once(&[("x-tenant", "acme")]));
    assert!(once(&[("x_tenant", "acme")]));
    assert!(once(&[("x.tenant", "acme")]));
    assert!(once(&[("x-tenants", "globex"), ("x-tenant", "acme")]));
    for headers in [
        &[][..],
        &[("x-tenant", "")],
        &[("x-tenant", "globex")],
        &[("x-tenant", "ACME")],
        &[("x-tenant", "acme,globex")],
        &[("x-tenant", "acme"), ("x-tenant", "acme")],
        &[("x-tenant", "acme"), ("x-tenant", "globex")],
        &[("x-tenant", "acme"), ("x_tenant", "globex")],
        &[("x_tenant", "globex"), ("x-tenant", "acme")],
    ] {
        assert!(!once(headers), "{headers:?}");
    }
    assert!(!holds("a", "/", &[("x-tenant", "")], &tenant, ""));

    // Envoy joins what is doubled here, so a comma counts as twice, also in a claim.
    let agent = RequestPart::Header(HeaderName::new("user-agent"));
    assert!(holds("a", "/", &[("user-agent", "a b")], &agent, "a b"));
    assert!(!holds("a", "/", &[("user-agent", "a,b")], &agent, "a,b"));
}

#[test]
fn a_label_of_the_host_is_compared_in_lower_case_and_without_port() {
    for (authority, label, claim, same) in [
        ("acme.example.com", 0, "acme", true),
        ("ACME.example.com:8443", 0, "acme", true),
        ("acme.example.com", 1, "example", true),
        ("acme.example.com", 2, "com", true),
        ("acme.example.com", 3, "", false),
        ("acme.example.com", 0, "ACME", false),
        ("globex.acme.example.com", 0, "acme", false),
        ("acme", 0, "acme", true),
        ("acme:80", 0, "acme", true),
        // Addresses have no labels, in whatever form a resolver takes them.
        ("192.0.2.1", 0, "192", false),
        ("192.0.2.1:80", 3, "1", false),
        ("acme.1", 0, "acme", false),
        ("0x7f000001", 0, "0x7f000001", false),
        ("127.0x1", 0, "127", false),
        ("[2001:db8::1]", 0, "[2001:db8::1]", false),
    ] {
        let part = RequestPart::HostLabel(label);
        assert_eq!(
            holds(authority, "/", &[], &part, claim),
            same,
            "{authority} {label}"
        );
    }
}
