//! What upstreams learn about the caller, and from nobody else.

use portcullis_core::effects;
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, claims, decode, sha256};
use super::harness::policy::{api_key, provider};
use super::harness::{Filter, PASSES, get, preflight};

const SIX: [&str; 6] = [
    "x-auth-subject",
    "x-auth-client-id",
    "x-auth-scopes",
    "x-auth-tenant",
    "x-auth-provider",
    "x-auth-key-id",
];

fn config(key: &Key, forward: Value) -> Value {
    json!({
        "providers": { "corp": amended(provider([key]), json!({ "tenant_claim": "org.tenant" })) },
        "api_keys": { "keys": [api_key("ci", &sha256("an-api-key-of-ci"))] },
        "rules": [
            { "match": { "path": { "prefix": "/open" } }, "access": "anonymous" },
            { "match": { "path": { "prefix": "/optional" } }, "access": "optional" },
            {},
        ],
        "forward": forward,
    })
}

#[test]
fn the_six_headers() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let mut seen = |claims: Value| {
        let answer = filter.ask(&get("/").bearer(key.token(claims)));
        SIX.map(|name| answer.forwarded(name).join("|"))
    };
    for (changes, expected) in [
        (json!({}), ["alice", "", "", "", "corp", ""]),
        (
            json!({ "client_id": "app", "azp": "other", "scope": "b a b", "scp": ["c"], "org": { "tenant": "acme" } }),
            ["alice", "app", "b a c", "acme", "corp", ""],
        ),
        (
            json!({ "azp": "app" }),
            ["alice", "app", "", "", "corp", ""],
        ),
        (json!({ "sub": "Ünï" }), ["Ünï", "", "", "", "corp", ""]),
        (json!({ "sub": null }), ["", "", "", "", "corp", ""]),
        (
            json!({ "client_id": 7, "azp": "app", "org": { "tenant": ["acme"] } }),
            ["alice", "app", "", "", "corp", ""],
        ),
    ] {
        assert_eq!(seen(changes.clone()), expected, "{changes}");
    }
}

#[test]
fn a_clients_own_copies_are_removed_on_every_rule() {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let mut filter = Filter::new(config(&key, json!({ "payload_header": "x-auth-claims" })));
    for ask in [
        get("/open"),
        get("/optional"),
        get("/").bearer(&token),
        get("/").with("x-api-key", "an-api-key-of-ci"),
        preflight("/", "GET"),
    ] {
        let mut spoofed = ask;
        for name in SIX.iter().chain(&["x-auth-claims"]) {
            for name in [
                (*name).to_owned(),
                (*name).to_owned(),
                name.replace('-', "_"),
                name.replacen('-', "_", 1),
                // PHP and its heirs read dots as underscores, too.
                name.replace('-', "."),
                name.replacen('-', ".", 1),
                name.replacen('-', "~", 1).to_uppercase(),
                name.to_uppercase(),
                name.to_uppercase().replace('-', "_"),
            ] {
                spoofed = spoofed.with(&name, "root");
            }
        }
        let spoofed = spoofed
            .with("x-auth-subjects", "kept")
            .with("xx-auth-subject", "kept")
            .with("x-auth2subject", "kept");
        let answer = filter.ask(&spoofed);
        assert_eq!(answer.code(), PASSES);
        let upstream = answer.upstream.unwrap().0;
        assert!(
            upstream.iter().all(|(_, value)| value != b"root"),
            "{upstream:?}"
        );
        assert_eq!(
            upstream
                .iter()
                .filter(|(_, value)| value == b"kept")
                .count(),
            3
        );
    }
}

#[test]
fn identity_is_set_once_beside_spoofed_copies() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    let ask = get("/")
        .with("x-auth-subject", "root")
        .with("X_AUTH_SUBJECT", "root")
        .bearer(key.token(json!({})));
    assert_eq!(filter.ask(&ask).forwarded("x-auth-subject"), ["alice"]);
}

#[test]
fn nobody_is_nobody() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(config(&key, json!({})));
    for ask in [get("/open").bearer(key.token(json!({}))), get("/optional")] {
        let answer = filter.ask(&ask);
        for name in SIX {
            assert_eq!(answer.forwarded(name), [""; 0], "{name}");
        }
    }
}

#[test]
fn any_claim_may_be_forwarded() {
    let key = Key::new("ES256", "k");
    let forward = json!({ "headers": { "x-department": "claim:org.department", "X-Roles": "claim:roles" }, "payload_header": "x-claims" });
    let mut filter = Filter::new(config(&key, forward));
    let mut seen = |claims: Value| {
        let answer = filter.ask(&get("/").bearer(key.token(claims)));
        (
            answer.forwarded("x-department").join("|"),
            answer.forwarded("x-roles").join("|"),
        )
    };
    let text = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(seen(json!({})), text("", ""));
    assert_eq!(
        seen(json!({ "org": { "department": "sales" }, "roles": ["a", "b", 1, true] })),
        text("sales", "a,b,1,true")
    );
    assert_eq!(
        seen(json!({ "org": { "department": { "a": [1.50, "x"] } }, "roles": 7 })),
        text(r#"{"a":[1.5,"x"]}"#, "7")
    );
    assert_eq!(
        seen(json!({ "roles": [18_446_744_073_709_551_615_u64, -9_223_372_036_854_775_808_i64] })),
        text("", "18446744073709551615,-9223372036854775808")
    );
    let answer = filter.ask(&get("/").bearer(key.token(json!({}))));
    let payload: Value = serde_json::from_slice(&decode(&answer.forwarded("x-claims")[0])).unwrap();
    assert_eq!(payload, claims(json!({})));
    // These replace the six.
    assert_eq!(answer.forwarded("x-auth-subject"), [""; 0]);
}

#[test]
fn what_could_break_out_of_a_header_refuses_the_request() {
    let key = Key::new("ES256", "k");
    let forward = json!({ "headers": { "x-sub": "subject", "x-roles": "claim:roles", "x-tenant": "tenant", "x-client": "client_id" } });
    let mut filter = Filter::new(config(&key, forward));
    let mut rows = Vec::new();
    for bad in [
        "a\r\nx-admin: 1",
        "a\nb",
        "a\rb",
        "a\0b",
        "\u{7f}",
        "a\tb",
        "\u{1b}[2J",
        "\u{85}",
        "\u{9f}",
        "\u{1}",
    ] {
        for claims in [
            json!({ "sub": bad }),
            json!({ "roles": bad }),
            json!({ "roles": ["a", bad] }),
            json!({ "roles": ["a", ["b", [bad]]] }),
            json!({ "org": { "tenant": bad } }),
            json!({ "client_id": bad }),
        ] {
            rows.push((bad, get("/").bearer(key.token(claims)), "INVALID_TOKEN"));
        }
    }
    // HTTP takes white space at the ends away: `admin ` would arrive as `admin`.
    for bad in [" admin", "admin ", " ", "admin\u{a0}", "\u{2003}admin"] {
        for claims in [
            json!({ "sub": bad }),
            json!({ "roles": bad }),
            json!({ "roles": ["a", bad, "b"] }),
            json!({ "org": { "tenant": bad } }),
            json!({ "client_id": bad }),
        ] {
            rows.push((bad, get("/").bearer(key.token(claims)), "INVALID_TOKEN"));
        }
    }
    rows.push((
        "white space within",
        get("/").bearer(key.token(json!({ "sub": "a b", "roles": ["c d", ""] }))),
        PASSES,
    ));
    // Within JSON it is written as an escape, and what is not forwarded is no matter.
    rows.push((
        "in an object",
        get("/").bearer(key.token(json!({ "roles": { "a\n": "b\r\nc" } }))),
        PASSES,
    ));
    rows.push((
        "elsewhere",
        get("/").bearer(key.token(json!({ "note": "a\r\nb" }))),
        PASSES,
    ));
    filter.table(&rows);
}

/// Beyond 64 bits an integer becomes a double: two tenants could become one.
#[test]
fn a_number_that_lost_digits_is_not_forwarded() {
    let key = Key::new("ES256", "k");
    let forward = json!({ "headers": { "x-roles": "claim:roles" } });
    let mut filter = Filter::new(config(&key, forward));
    let mut rows = Vec::new();
    for (number, expected) in [
        ("9007199254740993", PASSES),
        ("9007199254740991.0", PASSES),
        ("0.1", PASSES),
        ("1e9", PASSES),
        ("9007199254740992.0", "INVALID_TOKEN"),
        ("-9007199254740992.0", "INVALID_TOKEN"),
        ("18446744073709551616", "INVALID_TOKEN"),
        ("-9223372036854775809", "INVALID_TOKEN"),
        ("123456789012345678901234567890", "INVALID_TOKEN"),
        ("1e300", "INVALID_TOKEN"),
    ] {
        for roles in [
            number.to_owned(),
            format!("[\"a\", {number}]"),
            format!("{{\"id\": [{number}]}}"),
        ] {
            let rest = claims(json!({})).to_string();
            let text = format!("{{\"roles\": {roles}, {}", &rest[1..]);
            let token = key.seal(r#"{"alg":"ES256","kid":"k"}"#, text);
            rows.push((number, get("/").bearer(token), expected));
        }
    }
    // What is not forwarded may have any number.
    let rest = claims(json!({})).to_string();
    let text = format!("{{\"id\": 18446744073709551616, {}", &rest[1..]);
    let token = key.seal(r#"{"alg":"ES256","kid":"k"}"#, text);
    rows.push(("elsewhere", get("/").bearer(token), PASSES));
    filter.table(&rows);
}

/// There are upstreams that take trailers for headers.
#[test]
fn trailers_bring_no_identity_and_no_credential() {
    let key = Key::new("ES256", "k");
    let trailers: Vec<(&[u8], &[u8])> = [
        "grpc-status",
        "x-auth-subject",
        "X_Auth.Subject",
        "x-auth-claims",
        "authorization",
        "x-api-key",
        "cookie",
        "digest",
    ]
    .map(|name| (name.as_bytes(), &b"root"[..]))
    .into();
    let removed = |changes: Value| {
        let forward = json!({ "payload_header": "x-auth-claims" });
        let filter = Filter::new(amended(config(&key, forward), changes));
        effects::removed_trailers(&filter.policy, &trailers)
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let identity = "x-auth-subject X_Auth.Subject x-auth-claims";
    let credentials = "authorization x-api-key";
    assert_eq!(removed(json!({})), format!("{identity} {credentials}"));
    let cookies = amended(
        provider([&key]),
        json!({ "from": { "cookies": ["session"] } }),
    );
    let cookie = json!({ "providers": { "corp": cookies } });
    assert_eq!(removed(cookie), format!("{identity} x-api-key cookie"));
    let kept = json!({ "forward": { "credential": "keep", "payload_header": "x-auth-claims" } });
    assert_eq!(removed(kept), format!("{identity} {credentials}"));
    assert_eq!(removed(json!({ "mode": "shadow" })), identity);
}

/// What a rule has compared must not be said otherwise where the check does not look.
#[test]
fn trailers_bring_nothing_that_a_rule_compares() {
    let key = Key::new("ES256", "k");
    let names = [
        "x-tenant",
        "X_Tenant",
        "x-kind",
        "x-kinds",
        "digest",
        "mcp-method",
        "Mcp_Name",
    ];
    let trailers = names.map(|name| (name.as_bytes(), &b"globex"[..]));
    let rules = json!([
        { "match": { "headers": [{ "name": "x-kind", "present": true }] }, "access": "deny" },
        { "claims": [{ "claim": "tenant", "equals": { "header": "x-tenant" } }] },
    ]);
    let tools = json!([{ "mcp": { "body": "server" } }]);
    let removed = |changes: Value| {
        let filter = Filter::new(amended(config(&key, json!({})), changes));
        effects::removed_trailers(&filter.policy, &trailers)
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(removed(json!({})), "");
    assert_eq!(
        removed(json!({ "rules": rules })),
        "x-tenant X_Tenant x-kind"
    );
    assert_eq!(removed(json!({ "rules": tools })), "mcp-method Mcp_Name");
    let shadow = json!({ "rules": rules, "mode": "shadow" });
    assert_eq!(removed(shadow), "");
}

/// Envoy's router compares text: it is to read the path that was judged. What needs no escape stays, for `normalize_path`
/// has decoded it before.
#[test]
fn escapes_go_on_in_the_spelling_that_was_judged() {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let from = amended(
        provider([&key]),
        json!({ "from": { "query": ["access_token"] } }),
    );
    let config = json!({ "providers": { "corp": from }, "rules": [{}] });
    let mut filter = Filter::new(config.clone());
    for (sent, arrives) in [
        ("/caf%c3%a9?access_token=T", "/caf%C3%A9"),
        ("/caf%c3%A9?a=%c3&access_token=T&b", "/caf%C3%A9?a=%c3&b"),
        ("/caf%C3%A9?access_token=T&c=%a9", "/caf%C3%A9?c=%a9"),
        ("/%7euser%2b?access_token=T", "/%7euser%2B"),
        ("/%7euser?access_token=T&", "/%7euser?"),
    ] {
        let answer = filter.ask(&get(&sent.replace('T', &token)));
        assert_eq!(answer.forwarded(":path"), [arrives], "{sent}");
    }
    let mut kept = Filter::new(amended(
        config,
        json!({ "forward": { "credential": "keep" } }),
    ));
    let answer = kept.ask(&get(&format!("/%2b?access_token={token}&a=%2b")));
    let path = format!("/%2B?access_token={token}&a=%2b");
    assert_eq!(answer.forwarded(":path"), [path]);
}
