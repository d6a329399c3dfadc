use super::*;

/// What a message of 2026-07-28 adds to its `params`.
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;

fn tool(name: &str) -> Message<'_> {
    Message::Tool(name.into())
}

fn agrees(body: &str, headers: &Message<'_>) -> Result<(), &'static str> {
    let body = McpBody::parse(body.as_bytes()).map_err(|MalformedBody| "malformed")?;
    body.agrees(headers).map_err(|HeaderMismatch| "mismatch")
}

/// Each message of an older version, in short.
fn messages(body: &str) -> Result<Vec<String>, MalformedBody> {
    let body = McpBody::parse(body.as_bytes())?;
    let messages = body.messages()?;
    let shown = |message: OldMessage<'_>| match message {
        OldMessage::Free => "free".to_owned(),
        OldMessage::Judged(message) => format!("{message:?}"),
    };
    Ok(messages.into_iter().map(shown).collect())
}

fn id(body: &str) -> Option<&str> {
    McpBody::parse(body.as_bytes()).expect("JSON").id()
}

fn version<'a>(headers: &'a [(&'a [u8], &'a [u8])]) -> Result<HeaderVersion<'a>, Unreadable<'a>> {
    HeaderVersion::of(&Request::from_headers(headers))
}

// === the version ===

#[test]
fn a_version_says_where_its_messages_stand() {
    for older in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let headers: [(&[u8], &[u8]); 3] = [
            (b"mcp-protocol-version", older.as_bytes()),
            // They mean nothing there.
            (b"mcp-method", b"tools/list"),
            (b"mcp-name", b""),
        ];
        for n in 1..=headers.len() {
            assert_eq!(version(&headers[..n]), Ok(HeaderVersion::Older), "{older}");
        }
    }
    assert_eq!(version(&[]), Ok(HeaderVersion::Older));
    // To a server it is not there.
    let respelled: [(&[u8], &[u8]); 1] = [(b"mcp_protocol_version", b"2026-07-28")];
    assert_eq!(version(&respelled), Ok(HeaderVersion::Older));
    let headers: [(&[u8], &[u8]); 3] = [
        (b"mcp-protocol-version", b"2026-07-28"),
        (b"mcp-method", b"tools/call"),
        (b"mcp-name", b"=?base64?Y2Fmw6k=?="),
    ];
    let message = tool("caf\u{e9}");
    assert_eq!(version(&headers), Ok(HeaderVersion::Current(message)));
    assert_eq!(version(&headers[..2]), Err(Unreadable::Headers));
    assert_eq!(version(&headers[..1]), Err(Unreadable::Headers));
}

#[test]
fn any_other_version_is_refused() {
    for requested in [
        "2024-11-05",
        "2025-03-27",
        "2025-11-24",
        "2026-07-29",
        "2025-06-18, 2025-06-18",
        "2025-06",
        "DRAFT-2025-06-18",
    ] {
        let headers: [(&[u8], &[u8]); 1] = [(b"mcp-protocol-version", requested.as_bytes())];
        assert_eq!(version(&headers), Err(Unreadable::Version { requested }));
    }
    for malformed in [
        "",
        " ",
        " 2025-06-18",
        "2025-06-18\t",
        "2025-06-18\u{e9}",
        "2025\u{0}",
    ] {
        let headers: [(&[u8], &[u8]); 1] = [(b"mcp-protocol-version", malformed.as_bytes())];
        assert_eq!(version(&headers), Err(Unreadable::Headers), "{malformed:?}");
    }
}

#[test]
fn a_header_that_is_there_twice_is_of_no_version() {
    let older: (&[u8], &[u8]) = (b"mcp-protocol-version", b"2025-06-18");
    for second in [
        &b"mcp-protocol-version"[..],
        b"mcp_protocol_version",
        b"mcp.protocol-version",
    ] {
        for value in [&b"2025-06-18"[..], b"2026-07-28", b""] {
            let headers = [older, (second, value)];
            assert_eq!(version(&headers), Err(Unreadable::Headers));
            let headers = [(second, value), older];
            assert_eq!(version(&headers), Err(Unreadable::Headers));
        }
    }
    let twice: [(&[u8], &[u8]); 2] = [(b"mcp-method", b"ping"), (b"mcp_method", b"ping")];
    assert_eq!(version(&twice), Err(Unreadable::Headers));
}

// === bodies of 2026-07-28 ===

#[test]
fn a_body_that_says_the_same_agrees() {
    for (headers, body) in [
        (
            tool("search"),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search",META}}"#,
        ),
        // In any order, with more of everything.
        (
            tool("search"),
            r#" {"params":{"arguments":{"name":"delete","method":"x","_meta":{}},META,"uri":"a:b","name":"search"},
               "x":[{"method":"tools/list"}],"method":"tools/call","id":null,"jsonrpc":"2.0"} "#,
        ),
        // Escapes are no other name.
        (
            tool("search"),
            r#"{"jsonrpc":"\u0032.0","\u006dethod":"tools\/call","params":{"na\u006de":"se\u0061rch",META}}"#,
        ),
        (
            tool("caf\u{e9} \u{1f600}\n\0"),
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"caf\u00e9 \ud83d\ude00\n\u0000",META}}"#,
        ),
        (
            Message::Prompt("greet".into()),
            r#"{"jsonrpc":"2.0","method":"prompts/get","params":{"name":"greet",META}}"#,
        ),
        (
            Message::Resource("docs://a/%7eB?c".into()),
            r#"{"jsonrpc":"2.0","method":"resources/read","params":{"uri":"docs://a/%7eB?c","name":"other",META}}"#,
        ),
        (
            Message::Other("tools/list"),
            r#"{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{"name":7,META}}"#,
        ),
        (
            Message::Other("notifications/cancelled"),
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{META}}"#,
        ),
    ] {
        let body = body.replace("META", META);
        assert_eq!(agrees(&body, &headers), Ok(()), "{body}");
    }
}

/// Headers of a call of `search`, and what a lying or broken client could send with them.
#[test]
fn a_body_that_says_something_else_is_a_mismatch() {
    for body in [
        // Another method.
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"Tools/call","params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call\u0000","params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"","params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":null,"params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":["tools/call"],"params":{"name":"search",META}}"#,
        // None, or one that is somewhere else.
        r#"{"jsonrpc":"2.0","id":1,"params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"params":{"method":"tools/call","name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"request":{"method":"tools/call","params":{"name":"search",META}}}"#,
        // Another tool.
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"Search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search ",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search\u0000",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"=?base64?c2VhcmNo?=",META}}"#,
        // No name, or one that is no string, or of something else.
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":null,META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7,META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["search"],META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{"name":"search"},META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"uri":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"search"},META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","name":"search","params":{META}}"#,
        // No params, or none by name.
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["search"]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[{"name":"search",META}]}"#,
        // Another version, or none.
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","_meta":null}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","_meta":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","_meta":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","_meta":{"protocolVersion":"2026-07-28"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","_meta":{"io.modelcontextprotocol/protocolVersion":20260728}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call",META,"params":{"name":"search"}}"#,
        // No JSON-RPC.
        r#"{"id":1,"method":"tools/call","params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"search",META}}"#,
        r#"{"jsonrpc":2.0,"id":1,"method":"tools/call","params":{"name":"search",META}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"name":"search",META}}"#,
        "{}",
        "null",
        "7",
        r#""tools/call""#,
        // No single object.
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search",META}}]"#,
    ] {
        let body = body.replace("META", META);
        assert_eq!(agrees(&body, &tool("search")), Err("mismatch"), "{body}");
    }
}

#[test]
fn a_uri_is_compared_as_it_is_written() {
    for uri in [
        "docs://a/%7Eb",
        "docs://a/~b",
        "DOCS://a/%7eb",
        "docs://A/%7eb",
        "docs://a/./%7eb",
        "docs://a/%7eb/",
        "docs://a/%7eb#",
        "docs://a//%7eb",
    ] {
        let headers = Message::Resource("docs://a/%7eb".into());
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":"{uri}",{META}}}}}"#
        );
        assert_eq!(agrees(&body, &headers), Err("mismatch"), "{uri}");
        // The name of a resource is not its URI.
        let body = body.replace(uri, "docs://a/%7eb");
        assert_eq!(agrees(&body, &headers), Ok(()));
        let body = body.replace("\"uri\"", "\"name\"");
        assert_eq!(agrees(&body, &headers), Err("mismatch"));
    }
}

/// CVE-2026-27896 and its like: a server that reads `Name` as `name` calls another tool than the one that we see.
#[test]
fn a_member_that_some_server_takes_for_another_is_a_mismatch() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search",META}}"#;
    let body = body.replace("META", META);
    assert_eq!(agrees(&body, &tool("search")), Ok(()));
    for (at, more) in [
        ("\"id\":1", r#""Method":"tools/list""#),
        ("\"id\":1", r#""METHOD":"tools/call""#),
        ("\"id\":1", r#""method\u0000":"tools/list""#),
        ("\"id\":1", r#""\u006dethoD":"tools/list""#),
        ("\"id\":1", r#""Params":{"name":"delete"}"#),
        ("\"id\":1", r#""param\u017f":{"name":"delete"}"#),
        ("\"id\":1", r#""paramſ":null"#),
        ("\"id\":1", r#""JSONRPC":"2.0""#),
        ("\"name\":\"search\"", r#""Name":"delete""#),
        ("\"name\":\"search\"", r#""nAME\u0000\u0000":"delete""#),
        ("\"name\":\"search\"", r#""_Meta":{}"#),
        (
            r#""_meta":{"#,
            r#""io.modelcontextprotocol/protocolversion":"2025-11-25""#,
        ),
        (
            r#""_meta":{"#,
            r#""io.modelcontextprotocol/protocolVer\u017fion":"2025-11-25""#,
        ),
    ] {
        let (before, after) = body.split_once(at).expect("a place");
        let both = match at.ends_with('{') {
            true => format!("{before}{at}{more},{after}"),
            false => format!("{before}{at},{more}{after}"),
        };
        assert!(McpBody::parse(both.as_bytes()).is_ok(), "{both}");
        assert_eq!(agrees(&both, &tool("search")), Err("mismatch"), "{both}");
    }
    let alone = body.replace("\"method\"", "\"Method\"");
    assert_eq!(agrees(&alone, &tool("search")), Err("mismatch"));
    // Such as nobody takes for one of ours.
    for more in [
        "names",
        "na\u{0}me",
        "n\u{e4}me",
        "_name",
        "name ",
        "uri",
        "URI",
    ] {
        let name = json::Quoted(more);
        let body = body.replace("{\"name\"", &format!("{{{name}:1,\"name\""));
        assert_eq!(agrees(&body, &tool("search")), Ok(()), "{body}");
    }
    let list = r#"{"jsonrpc":"2.0","method":"tools/list","params":{"Name":"x","URI":"y",META}}"#;
    let list = list.replace("META", META);
    assert_eq!(agrees(&list, &Message::Other("tools/list")), Ok(()));
    // The Kelvin sign.
    assert!(is_taken_for("\u{212a}ey", "key"));
}

// === bodies that are no JSON ===

#[test]
fn what_is_no_strict_json_is_malformed() {
    let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let utf16: Vec<u8> =
        r#"{"jsonrpc":"2.0","method":"ping"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"hello",
        b"{'method':'ping'}",
        b"{\"method\":\"ping\",}",
        b"{\"method\":\"ping\"}{\"method\":\"tools/call\"}",
        b"{\"method\":\"ping\"}\n{\"method\":\"tools/call\"}",
        b"{\"method\":\"ping\"}\0",
        b"{\"method\":\"ping\"} // tools/call",
        // A byte order mark.
        b"\xef\xbb\xbf{\"method\":\"ping\"}",
        &utf16,
        // No UTF-8.
        b"{\"method\":\"pi\xffng\"}",
        b"{\"method\":\"\xed\xa0\x80\"}",
        b"{\"method\":\"\\ud800\"}",
        b"{\"method\":\"a\nb\"}",
        b"{\"id\":1e999}",
        b"{\"id\":NaN}",
        b"{\"id\":01}",
        // The same member twice, anywhere, in any spelling.
        br#"{"method":"ping","method":"tools/call"}"#,
        br#"{"method":"ping","\u006dethod":"tools/call"}"#,
        br#"{"params":{"name":"a","name":"b"}}"#,
        br#"{"params":{"arguments":{"a":1,"a":1}}}"#,
        br#"[{"id":1,"id":1}]"#,
        // A form, and what a browser sends without asking.
        b"method=ping",
        b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{}\r\n--x--\r\n",
        nested.as_bytes(),
    ] {
        let read = McpBody::parse(body);
        assert!(read.is_err(), "{}", String::from_utf8_lossy(body));
    }
}

// === bodies of older versions ===

#[test]
fn messages_of_older_versions_stand_in_the_body() {
    for (body, expected) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}}"#,
            r#"Tool("search")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"caf\u00e9"}}"#,
            r#"Prompt("café")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"docs://a"}}"#,
            r#"Resource("docs://a")"#,
        ),
        // As a notification it is a call all the same.
        (
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"search"}}"#,
            r#"Tool("search")"#,
        ),
        // What looks like an answer too, some servers take for a request.
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{"name":"search"}}"#,
            r#"Tool("search")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""},"method":"tools/list"}"#,
            r#"Other("tools/list")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"Other("tools/list")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":["name"]}"#,
            r#"Other("tools/list")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"search"}}"#,
            r#"Other("Tools/Call")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}"#,
            r#"Other("logging/setLevel")"#,
        ),
        // Only as they are written.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"Ping"}"#,
            r#"Other("Ping")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping "}"#,
            r#"Other("ping ")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"initialized"}"#,
            r#"Other("initialized")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications"}"#,
            r#"Other("notifications")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","method":" notifications/x"}"#,
            r#"Other(" notifications/x")"#,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":""}"#, r#"Other("")"#),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#,
            "free",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "free"),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            "free",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            "free",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "free"),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}"#,
            "free",
        ),
    ] {
        assert_eq!(messages(body), Ok(vec![expected.to_owned()]), "{body}");
    }
}

#[test]
fn every_element_of_a_batch_is_a_message() {
    let batch = r#"[
        {"jsonrpc":"2.0","id":1,"method":"ping"},
        {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"search"}},
        {"jsonrpc":"2.0","id":3,"result":{}},
        {"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"delete"}}
    ]"#;
    let expected = ["free", r#"Tool("search")"#, "free", r#"Tool("delete")"#];
    assert_eq!(messages(batch), Ok(expected.map(str::to_owned).to_vec()));
    let one = r#"[{"jsonrpc":"2.0","method":"tools/list"}]"#;
    assert_eq!(messages(one), Ok(vec![r#"Other("tools/list")"#.to_owned()]));
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let batch_of = |n: usize| format!("[{}]", vec![ping; n].join(","));
    assert_eq!(
        messages(&batch_of(MCP_BATCH)).map(|m| m.len()),
        Ok(MCP_BATCH)
    );
    assert_eq!(messages(&batch_of(MCP_BATCH + 1)), Err(MalformedBody));
}

#[test]
fn what_is_no_message_of_an_older_version_is_malformed() {
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for body in [
        "[]",
        "{}",
        "null",
        "true",
        "7",
        r#""ping""#,
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"params":{"method":"ping"}}"#,
        r#"{"id":1,"method":"ping"}"#,
        r#"{"id":1,"result":{}}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":null,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":["ping"]}"#,
        // A call of nothing.
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["search"]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":null}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"uri":"search"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"name":"docs://a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":["docs://a"]}}"#,
        // What a careless server takes for a second method or name.
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"METHOD":"tools/call","params":{"name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","Name":"delete"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"},"Params":{"name":"delete"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"docs://a","URI":"docs://b"}}"#,
    ] {
        assert_eq!(messages(body), Err(MalformedBody), "{body}");
        // One such element is too many.
        for batch in [format!("[{ping},{body}]"), format!("[{body},{ping}]")] {
            assert_eq!(messages(&batch), Err(MalformedBody), "{batch}");
        }
    }
}

// === ids ===

#[test]
fn an_id_is_repeated_as_it_is_written() {
    let long = format!("\"{}\"", "x".repeat(MCP_ID_BYTES - 2));
    for written in [
        "1",
        "0",
        "-7",
        "1.50",
        "1e2",
        "18446744073709551616",
        "\"a\"",
        "\"\"",
        "\"\\u00e9\\\"\"",
        "\"\u{e9}\"",
        &long,
    ] {
        let body = format!(r#"{{"params":{{"id":9}},"id" : {written} ,"method":"ping"}}"#);
        assert_eq!(id(&body), Some(written));
    }
    assert_eq!(id(r#"{"\u0069d":7}"#), Some("7"));
}

#[test]
fn what_is_no_id_of_a_request_is_not_repeated() {
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(MCP_ID_BYTES - 1));
    for body in [
        "{}",
        r#"{"id":null}"#,
        r#"{"id":true}"#,
        r#"{"id":[1]}"#,
        r#"{"id":{"id":1}}"#,
        r#"{"ID":1}"#,
        r#"{"params":{"id":1}}"#,
        r#"[{"id":1}]"#,
        "1",
        &long,
    ] {
        assert_eq!(id(body), None, "{body}");
    }
}
