use super::*;

type Headers<'a> = Vec<(&'a [u8], &'a [u8])>;

fn headers<'a>(list: &[(&'a str, &'a str)]) -> Headers<'a> {
    list.iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect()
}

/// A GET of `path` at `host`.
fn read(path: &str, host: &str) -> Result<(String, String), AmbiguousTarget> {
    let headers = headers(&[(":method", "GET"), (":authority", host), (":path", path)]);
    let target = RequestTarget::from_request(&Request::from_headers(&headers))?;
    Ok((target.path().into(), target.host().into()))
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    use AmbiguousTarget::{Host, Path};
    for (path, host, expected) in [
        ("", "a.example", Path),
        ("*", "a.example", Path),
        ("?x=/a", "a.example", Path),
        ("http://b.example/a", "a.example", Path),
        ("/a#b", "a.example", Path),
        ("/a?b#/c", "a.example", Path),
        ("/public/..?x", "a.example", Path),
        ("/public/..", "a.example", Path),
        ("/public/%2e%2e/admin", "", Path),
        ("/a", "", Host),
        ("/a", "a.example,b.example", Host),
        ("/a", "a.example@b.example", Host),
    ] {
        assert_eq!(read(path, host), Err(expected), "{host} {path}");
    }
}

#[test]
fn the_query_is_no_part_of_the_path() {
    for (path, canonical, query) in [
        ("/a", "/a", None),
        ("/a?", "/a", Some("")),
        ("/admin?/health", "/admin", Some("/health")),
        ("/a?b?c", "/a", Some("b?c")),
        (
            "/a?x=../../b//c\\%2e%zz;d",
            "/a",
            Some("x=../../b//c\\%2e%zz;d"),
        ),
        ("/%61?%61", "/a", Some("%61")),
    ] {
        let headers = headers(&[(":authority", "A.Example:443"), (":path", path)]);
        let request = Request::from_headers(&headers);
        let target = RequestTarget::from_request(&request).unwrap();
        assert_eq!(target.path(), canonical);
        assert_eq!(target.host(), "a.example");
        assert_eq!(request.query(), query.map(str::as_bytes), "{path}");
    }
}

#[test]
fn the_raw_path_is_known_also_where_it_is_refused() {
    for (path, raw) in [("/a/../b?c", "/a/../b"), ("", ""), ("?c", ""), ("*", "*")] {
        let headers = headers(&[(":path", path)]);
        assert_eq!(
            Request::from_headers(&headers).raw_path(),
            raw.as_bytes(),
            "{path}"
        );
    }
}

#[test]
fn missing_pseudo_headers_are_empty_and_of_two_the_first_counts() {
    let request = Request::from_headers(&[]);
    assert_eq!(
        (request.method, request.authority, request.path),
        (&b""[..], &b""[..], &b""[..])
    );
    let headers = headers(&[("x", "1"), (":path", "/a"), (":path", "/b"), ("x", "2")]);
    let request = Request::from_headers(&headers);
    assert_eq!(request.path, b"/a");
    assert_eq!(request.header("x"), Some(&b"1"[..]));
    assert_eq!(request.values("x").count(), 2);
    assert_eq!(request.header("y"), None);
}

#[test]
fn headers_that_name_another_target_mean_nothing() {
    let headers = headers(&[
        (":method", "GET"),
        (":authority", "a.example"),
        (":path", "/admin"),
        ("x-original-url", "/health"),
        ("x-rewrite-url", "/health"),
        ("x-forwarded-uri", "/health"),
        ("x-forwarded-host", "b.example"),
        ("x-http-method-override", "OPTIONS"),
        ("host", "b.example"),
    ]);
    let target = RequestTarget::from_request(&Request::from_headers(&headers)).unwrap();
    assert_eq!(target.path(), "/admin");
    assert_eq!(target.host(), "a.example");
    assert_eq!(target.method(), b"GET");
}

#[test]
fn grpc_is_what_envoy_takes_for_grpc() {
    for (value, expected) in [
        ("application/grpc-web", false),
        ("application/grpc-web+proto", false),
        ("application/grpcx", false),
        ("application/json", false),
        ("Application/grpc", false),
        (" application/grpc", false),
        ("", false),
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc;charset=utf-8", true),
    ] {
        let headers = headers(&[("content-type", value)]);
        let request = Request::from_headers(&headers);
        assert_eq!(request.is_grpc(), expected, "{value}");
    }
    assert!(!Request::from_headers(&[]).is_grpc());
}

#[test]
fn a_preflight_is_options_with_one_origin_and_one_requested_method() {
    const ORIGIN: (&str, &str) = ("origin", "https://app.example");
    const ASKED: &str = "access-control-request-method";
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a str>);
    let rows: &[Row<'_>] = &[
        ("OPTIONS", &[], None),
        ("OPTIONS", &[ORIGIN], None),
        ("OPTIONS", &[(ASKED, "POST")], None),
        ("OPTIONS", &[("origin", ""), (ASKED, "POST")], None),
        ("OPTIONS", &[ORIGIN, ORIGIN, (ASKED, "POST")], None),
        ("OPTIONS", &[ORIGIN, (ASKED, "")], None),
        ("OPTIONS", &[ORIGIN, (ASKED, "GET,POST")], None),
        ("OPTIONS", &[ORIGIN, (ASKED, "POST HTTP/1.1")], None),
        ("OPTIONS", &[ORIGIN, (ASKED, "GET"), (ASKED, "POST")], None),
        ("OPTIONS", &[ORIGIN, (ASKED, "GET"), (ASKED, "GET")], None),
        ("options", &[ORIGIN, (ASKED, "POST")], None),
        ("GET", &[ORIGIN, (ASKED, "POST")], None),
        ("POST", &[ORIGIN, (ASKED, "POST")], None),
        ("", &[ORIGIN, (ASKED, "POST")], None),
        ("OPTIONS", &[ORIGIN, (ASKED, "POST")], Some("POST")),
        (
            "OPTIONS",
            &[("origin", "null"), (ASKED, "PURGE")],
            Some("PURGE"),
        ),
    ];
    for (method, rest, expected) in rows {
        let mut list = vec![(":method", *method), (":authority", "a.example")];
        list.push((":path", "/%61"));
        list.extend_from_slice(rest);
        let headers = headers(&list);
        let target = RequestTarget::from_request(&Request::from_headers(&headers)).unwrap();
        assert_eq!(target.is_preflight(), expected.is_some(), "{list:?}");
        // As it stands it is the request that came.
        assert_eq!(target.method(), method.as_bytes());
        let preflighted = target.preflighted();
        let asked = preflighted
            .as_ref()
            .map(|t| (t.method(), t.path(), t.host()));
        assert_eq!(
            asked,
            expected.map(|m| (m.as_bytes(), "/a", "a.example")),
            "{list:?}"
        );
    }
}
