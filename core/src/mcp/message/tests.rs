use super::*;

fn read(headers: &[(&str, &str)]) -> Result<String, String> {
    let headers: Vec<(&[u8], &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    match Message::read(&Request::from_headers(&headers)) {
        Ok(message) => Ok(format!("{message:?}")),
        Err(Unreadable::Headers) => Err("headers".into()),
        Err(Unreadable::Version { requested }) => Err(requested.into()),
    }
}

/// A `tools/call` with this `Mcp-Name`.
fn tool(name: &str) -> Result<String, String> {
    read(&[
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "tools/call"),
        ("mcp-name", name),
    ])
}

#[test]
fn a_message_is_read_from_its_headers() {
    let version = ("mcp-protocol-version", VERSION);
    for (method, name, expected) in [
        ("tools/call", "search", r#"Tool("search")"#),
        ("prompts/get", "greet", r#"Prompt("greet")"#),
        ("resources/read", "docs://a", r#"Resource("docs://a")"#),
        ("tools/list", "ignored", r#"Other("tools/list")"#),
        ("tools/Call", "search", r#"Other("tools/Call")"#),
        ("initialize", "", r#"Other("initialize")"#),
    ] {
        let headers = [version, ("mcp-method", method), ("mcp-name", name)];
        assert_eq!(read(&headers), Ok(expected.into()));
    }
    let headers = [version, ("mcp-method", "tools/list")];
    assert_eq!(read(&headers), Ok(r#"Other("tools/list")"#.into()));
}

#[test]
fn headers_that_are_missing_empty_or_malformed_name_no_message() {
    let (version, method) = (
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "tools/call"),
    );
    let name = ("mcp-name", "search");
    for headers in [
        &[][..],
        &[method, name],
        &[version, name],
        &[version, method],
        &[("mcp-protocol-version", ""), method, name],
        &[("mcp-protocol-version", " 2026-07-28"), method, name],
        &[("mcp-protocol-version", "2026-07-28\u{e9}"), method, name],
        &[version, ("mcp-method", ""), name],
        &[version, ("mcp-method", "tools/call "), name],
        &[version, ("mcp-method", "tools/call\u{0}"), name],
        &[version, ("mcp-method", "\u{e9}")],
        &[version, method, ("mcp-name", "")],
        &[version, method, ("mcp-name", " search")],
        &[version, method, ("mcp-name", "search\t")],
        &[version, method, ("mcp-name", "caf\u{e9}")],
        &[version, method, ("mcp-name", "a\u{7f}b")],
    ] {
        assert_eq!(read(headers), Err("headers".into()), "{headers:?}");
    }
    let long = "2".repeat(MCP_VERSION_BYTES + 1);
    let headers = [("mcp-protocol-version", long.as_str()), method, name];
    assert_eq!(read(&headers), Err("headers".into()));
}

#[test]
fn a_header_that_an_upstream_may_find_twice_names_no_message() {
    let message = [
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "tools/list"),
        ("mcp-name", "search"),
    ];
    for second in [
        ("mcp-protocol-version", VERSION),
        ("mcp_protocol-version", VERSION),
        ("mcp-method", "tools/list"),
        ("mcp_method", "tools/call"),
        ("mcp.method", ""),
        // Also where the method needs no name.
        ("mcp-name", "search"),
        ("mcp_name", "delete_user"),
    ] {
        let mut headers = message.to_vec();
        headers.push(second);
        assert_eq!(read(&headers), Err("headers".into()), "{second:?}");
        headers.rotate_right(1);
        assert_eq!(read(&headers), Err("headers".into()), "{second:?}");
    }
}

#[test]
fn a_header_in_a_careless_spelling_alone_is_no_header() {
    let message = [
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "tools/call"),
        ("mcp-name", "search"),
    ];
    for (i, respelled) in ["mcp_protocol_version", "mcp.method", "mcp_name"]
        .into_iter()
        .enumerate()
    {
        let mut headers = message;
        headers[i].0 = respelled;
        assert_eq!(read(&headers), Err("headers".into()), "{respelled}");
    }
}

#[test]
fn another_version_is_named_whatever_else_is_there() {
    for version in ["2025-11-25", "2025-03-26", "2026-07-29", "DRAFT-2026", "1"] {
        let headers = [("mcp-protocol-version", version)];
        assert_eq!(read(&headers), Err(version.into()));
        let headers = [
            ("mcp-protocol-version", version),
            ("mcp-method", "tools/list"),
        ];
        assert_eq!(read(&headers), Err(version.into()));
    }
}

#[test]
fn a_name_in_base64_is_the_name_in_the_body() {
    for (value, name) in [
        ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, \u{4e16}\u{754c}"),
        ("=?base64?IHBhZGRlZCA=?=", " padded "),
        ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
        ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
        ("=?base64?c2VhcmNo?=", "search"),
        // The markers have no other spelling.
        ("=?BASE64?c2VhcmNo?=", "=?BASE64?c2VhcmNo?="),
        ("=?utf-8?c2VhcmNo?=", "=?utf-8?c2VhcmNo?="),
        ("=?base64?c2VhcmNo", "=?base64?c2VhcmNo"),
        ("c2VhcmNo?=", "c2VhcmNo?="),
        ("x=?base64?c2VhcmNo?=", "x=?base64?c2VhcmNo?="),
    ] {
        assert_eq!(tool(value), Ok(format!("Tool({name:?})")), "{value}");
    }
}

#[test]
fn what_looks_like_base64_and_is_none_names_no_message() {
    for value in [
        "=?base64?=",
        "=?base64??=",
        // Without its padding, with another alphabet, white space, bits left over.
        "=?base64?YQ?=",
        "=?base64?YQ=?=",
        "=?base64?YQ===?=",
        "=?base64?-_-_?=",
        "=?base64?YW Jj?=",
        "=?base64?YR==?=",
        "=?base64?YQ==YQ==?=",
        // No UTF-8: overlong, a lone surrogate, cut off.
        "=?base64?wK4=?=",
        "=?base64?7aCA?=",
        "=?base64?w6k=w?=",
        "=?base64?/w==?=",
    ] {
        assert_eq!(tool(value), Err("headers".into()), "{value}");
    }
}

#[test]
fn only_names_come_in_base64() {
    let headers = [
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "=?base64?dG9vbHMvY2FsbA==?="),
    ];
    let expected = r#"Other("=?base64?dG9vbHMvY2FsbA==?=")"#;
    assert_eq!(read(&headers), Ok(expected.into()));
}
