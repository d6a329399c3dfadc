//! What a rule asks, and which rule it is.

use serde_json::{Value, json};

use super::{PASSES, Tables, get, preflight};
use crate::harness::keys::{Key, amended};
use crate::harness::policy::provider;

const NO_SCOPE: &str = "INSUFFICIENT_SCOPE";
const MISMATCH: &str = "CLAIM_MISMATCH";
const MISSING: &str = "MISSING_TOKEN";
const NO_RULE: &str = "NO_RULE";
const PATH: &str = "AMBIGUOUS_PATH";
const HOST: &str = "AMBIGUOUS_HOST";

judged! {
    scopes,
    scopes_are_split_at_u_0020_alone_also_where_they_are_not_forwarded,
    claims,
    a_rules_audiences_narrow_the_providers,
    a_remembered_token_meets_each_rule_anew,
    the_first_match_decides,
    what_can_be_read_in_two_ways_is_not_read,
    a_quirk_is_for_rules_that_allow_it,
    unmatched_requests,
    preflights,
}

fn with_rules(key: &Key, rules: Value) -> Value {
    json!({ "providers": { "corp": provider([key]) }, "rules": rules })
}

fn scopes(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([
        { "match": { "path": { "exact": "/read" } }, "scopes": { "all": ["read"] } },
        { "match": { "path": { "exact": "/both" } }, "scopes": { "all": ["read", "write"] } },
        { "match": { "path": { "exact": "/either" } }, "scopes": { "any": ["read", "write"] } },
        { "match": { "path": { "exact": "/mixed" } }, "scopes": { "all": ["read"], "any": ["a", "b"] } },
        { "match": { "path": { "exact": "/one" } }, "scopes": { "all": ["1"] } },
        { "match": { "path": { "exact": "/nothing" } }, "scopes": { "all": [], "any": [] } },
    ]);
    let ask = |path: &str, claims: Value| get(path).bearer(key.token(claims));
    let scope = |scope: Value| ask("/read", json!({ "scope": scope }));
    tables.judge(
        with_rules(&key, rules),
        &[
            ("granted", scope(json!("read")), PASSES),
            (
                "granted among others",
                scope(json!("write read admin")),
                PASSES,
            ),
            ("in an array", scope(json!(["write", "read"])), PASSES),
            ("in scp", ask("/read", json!({ "scp": ["read"] })), PASSES),
            (
                "in scp as a string",
                ask("/read", json!({ "scp": "read" })),
                PASSES,
            ),
            (
                "in scp beside scope",
                ask("/both", json!({ "scp": "read", "scope": "write" })),
                PASSES,
            ),
            ("granted twice", scope(json!("read read")), PASSES),
            ("more spaces", scope(json!("  write   read ")), PASSES),
            ("none", ask("/read", json!({})), NO_SCOPE),
            ("empty", scope(json!("")), NO_SCOPE),
            ("an empty array", scope(json!([])), NO_SCOPE),
            ("another", scope(json!("write")), NO_SCOPE),
            (
                "a longer one",
                scope(json!("readonly read:all xread")),
                NO_SCOPE,
            ),
            ("another case", scope(json!("READ Read")), NO_SCOPE),
            ("a wildcard", scope(json!("* read:* *:*")), NO_SCOPE),
            ("separated by commas", scope(json!("write,read")), NO_SCOPE),
            (
                "separated by other white space",
                scope(json!("write\u{a0}read\u{2003}x")),
                NO_SCOPE,
            ),
            (
                "in an array's element",
                scope(json!(["write read"])),
                NO_SCOPE,
            ),
            ("in a nested array", scope(json!([["read"]])), NO_SCOPE),
            ("in an object", scope(json!({ "read": true })), NO_SCOPE),
            ("true", scope(json!(true)), NO_SCOPE),
            ("a number", ask("/one", json!({ "scope": 1 })), NO_SCOPE),
            (
                "a number in an array",
                ask("/one", json!({ "scope": [1] })),
                NO_SCOPE,
            ),
            (
                "in scopes, where nobody looks",
                ask("/read", json!({ "scopes": "read" })),
                NO_SCOPE,
            ),
            (
                "one of both",
                ask("/both", json!({ "scope": "read" })),
                NO_SCOPE,
            ),
            (
                "both",
                ask("/both", json!({ "scope": "write read" })),
                PASSES,
            ),
            (
                "either",
                ask("/either", json!({ "scope": "write" })),
                PASSES,
            ),
            ("neither", ask("/either", json!({ "scope": "a" })), NO_SCOPE),
            (
                "all but not any",
                ask("/mixed", json!({ "scope": "read" })),
                NO_SCOPE,
            ),
            (
                "any but not all",
                ask("/mixed", json!({ "scope": "a" })),
                NO_SCOPE,
            ),
            (
                "all and any",
                ask("/mixed", json!({ "scope": "read b" })),
                PASSES,
            ),
            ("nothing is asked", ask("/nothing", json!({})), PASSES),
            // Scopes go into a header: what could break out of it refuses the request.
            (
                "separated by a tab",
                scope(json!("write\tread")),
                "INVALID_TOKEN",
            ),
            (
                "separated by a line feed",
                scope(json!("write\nread")),
                "INVALID_TOKEN",
            ),
        ],
    );
}

fn scopes_are_split_at_u_0020_alone_also_where_they_are_not_forwarded(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let policy = json!({
        "providers": { "corp": provider([&key]) },
        "rules": [{ "scopes": { "all": ["read"] } }],
        "forward": { "headers": {} },
    });
    let mut rows = Vec::new();
    for separator in ["\t", "\n", "\r\n", "\u{b}", "\u{c}", "\0", "\u{85}"] {
        let token = key.token(json!({ "scope": format!("write{separator}read") }));
        rows.push((separator, get("/").bearer(token), NO_SCOPE));
    }
    tables.judge(policy, &rows);
}

fn claims(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let on = |path: &str, condition: Value| json!({ "match": { "path": { "exact": path } }, "claims": [condition] });
    let rules = json!([
        on("/contains", json!({ "claim": "realm_access.roles", "contains": "admin" })),
        on("/literal", json!({ "claim": ["https://x.com/roles"], "contains": "admin" })),
        on("/equals", json!({ "claim": "level", "equals": 1 })),
        on("/big", json!({ "claim": "level", "equals": 9007199254740993_i64 })),
        on("/huge", json!({ "claim": "level", "equals": 18446744073709551616.0 })),
        on("/64", json!({ "claim": "level", "equals": u64::MAX })),
        on("/text", json!({ "claim": "level", "equals": "1" })),
        on("/flag", json!({ "claim": "level", "equals": true })),
        on("/one_of", json!({ "claim": "level", "one_of": ["a", 2] })),
        on("/present", json!({ "claim": "level", "present": true })),
        on("/number", json!({ "claim": "levels", "contains": 2 })),
        { "match": { "path": { "exact": "/two" } }, "claims": [
            { "claim": "a", "equals": "1" }, { "claim": "b", "equals": "2" },
        ] },
    ]);
    let ask = |path: &str, claims: Value| get(path).bearer(key.token(claims));
    let roles = |roles: Value| ask("/contains", json!({ "realm_access": { "roles": roles } }));
    let level = |path: &str, level: Value| ask(path, json!({ "level": level }));
    let raw = |path: &str, text: &str| {
        let claims = crate::harness::keys::claims(json!({})).to_string();
        get(path).bearer(key.seal(
            r#"{"alg":"ES256"}"#,
            format!("{{\"level\":{text},{}", &claims[1..]),
        ))
    };
    tables.judge(
        with_rules(&key, rules),
        &[
            ("an element", roles(json!(["user", "admin"])), PASSES),
            ("a word", roles(json!("user admin")), PASSES),
            ("no element", roles(json!(["user"])), MISMATCH),
            ("an empty array", roles(json!([])), MISMATCH),
            (
                "a longer element",
                roles(json!(["administrator", "xadmin", "admin "])),
                MISMATCH,
            ),
            ("another case", roles(json!(["Admin"])), MISMATCH),
            (
                "a word of an element",
                roles(json!(["user admin"])),
                MISMATCH,
            ),
            (
                "an element of an element",
                roles(json!([["admin"]])),
                MISMATCH,
            ),
            ("a part of a word", roles(json!("administrator")), MISMATCH),
            ("separated by a comma", roles(json!("user,admin")), MISMATCH),
            ("separated by a tab", roles(json!("user\tadmin")), MISMATCH),
            ("a member's name", roles(json!({ "admin": true })), MISMATCH),
            ("no such claim", ask("/contains", json!({})), MISMATCH),
            (
                "half the path",
                ask("/contains", json!({ "realm_access": ["admin"] })),
                MISMATCH,
            ),
            (
                "the path as one name",
                ask("/contains", json!({ "realm_access.roles": ["admin"] })),
                MISMATCH,
            ),
            (
                "literally named",
                ask("/literal", json!({ "https://x.com/roles": ["admin"] })),
                PASSES,
            ),
            (
                "a literal name is no path",
                ask(
                    "/literal",
                    json!({ "https://x": { "com/roles": ["admin"] } }),
                ),
                MISMATCH,
            ),
            ("equal", level("/equals", json!(1)), PASSES),
            ("equal in another form", raw("/equals", "1.0e0"), PASSES),
            (
                "a string is no number",
                level("/equals", json!("1")),
                MISMATCH,
            ),
            ("true is no number", level("/equals", json!(true)), MISMATCH),
            (
                "a list is no number",
                level("/equals", json!([1])),
                MISMATCH,
            ),
            ("null is no number", raw("/equals", "null"), MISMATCH),
            ("a number is no string", level("/text", json!(1)), MISMATCH),
            (
                "a word is not the string",
                level("/text", json!("1 2")),
                MISMATCH,
            ),
            ("a number is not true", level("/flag", json!(1)), MISMATCH),
            (
                "a string is not true",
                level("/flag", json!("true")),
                MISMATCH,
            ),
            ("true", level("/flag", json!(true)), PASSES),
            (
                "beyond a double, equal",
                raw("/big", "9007199254740993"),
                PASSES,
            ),
            (
                "beyond a double, its neighbour",
                raw("/big", "9007199254740992"),
                MISMATCH,
            ),
            (
                "beyond 64 bits, equal as a double",
                raw("/huge", "18446744073709551617"),
                PASSES,
            ),
            (
                "64 bits, compared with more",
                raw("/huge", "18446744073709551615"),
                PASSES,
            ),
            (
                "another double",
                raw("/huge", "18446744073709555713"),
                MISMATCH,
            ),
            (
                "64 bits exactly",
                raw("/64", "18446744073709551615"),
                PASSES,
            ),
            (
                "64 bits, its neighbour",
                raw("/64", "18446744073709551614"),
                MISMATCH,
            ),
            ("infinite", raw("/equals", "1e999"), "MALFORMED_TOKEN"),
            (
                "minus infinity",
                raw("/equals", "-1e309"),
                "MALFORMED_TOKEN",
            ),
            ("one of them", level("/one_of", json!(2)), PASSES),
            ("none of them", level("/one_of", json!("2")), MISMATCH),
            (
                "a list of one of them",
                level("/one_of", json!(["a"])),
                MISMATCH,
            ),
            ("present", level("/present", json!("")), PASSES),
            ("absent", ask("/present", json!({})), MISMATCH),
            (
                "a number within",
                ask("/number", json!({ "levels": [1, 2] })),
                PASSES,
            ),
            (
                "a string within",
                ask("/number", json!({ "levels": ["2"] })),
                MISMATCH,
            ),
            (
                "a number in a text",
                ask("/number", json!({ "levels": "1 2" })),
                MISMATCH,
            ),
            (
                "both hold",
                ask("/two", json!({ "a": "1", "b": "2" })),
                PASSES,
            ),
            (
                "one holds",
                ask("/two", json!({ "a": "1", "b": "1" })),
                MISMATCH,
            ),
        ],
    );
}

fn a_rules_audiences_narrow_the_providers(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let corp = amended(provider([&key]), json!({ "audiences": ["a", "b"] }));
    let policy = json!({
        "providers": { "corp": corp },
        "rules": [{ "match": { "path": { "exact": "/b" } }, "audiences": ["b", "c"] }, {}],
    });
    let ask = |path: &str, aud: Value| get(path).bearer(key.token(json!({ "aud": aud })));
    tables.judge(
        policy,
        &[
            ("the provider's", ask("/", json!("a")), PASSES),
            // Remembered from the row above.
            (
                "the provider's, but not the rule's",
                ask("/b", json!("a")),
                "INVALID_AUDIENCE",
            ),
            ("both's", ask("/b", json!("b")), PASSES),
            ("several", ask("/b", json!(["a", "b"])), PASSES),
            (
                "the rule's, but not the provider's",
                ask("/b", json!("c")),
                "INVALID_AUDIENCE",
            ),
            ("one for each", ask("/b", json!(["a", "c"])), PASSES),
        ],
    );
}

fn a_remembered_token_meets_each_rule_anew(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([
        { "match": { "path": { "exact": "/admin" } }, "scopes": { "all": ["admin"] } },
        { "match": { "path": { "exact": "/tenant" } }, "claims": [{ "claim": "tenant", "equals": "acme" }] },
        { "match": { "path": { "exact": "/closed" } }, "access": "deny" },
        {},
    ]);
    let token = key.token(json!({ "scope": "read" }));
    let ask = |path: &str| get(path).bearer(&token);
    tables.judge(
        with_rules(&key, rules),
        &[
            ("it passes", ask("/"), PASSES),
            ("its scopes", ask("/admin"), NO_SCOPE),
            ("its claims", ask("/tenant"), MISMATCH),
            ("a closed rule", ask("/closed"), "RULE_DENIES"),
            ("it still passes", ask("/"), PASSES),
        ],
    );
}

fn the_first_match_decides(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([
        { "name": "health", "match": { "path": { "exact": "/health" } }, "access": "anonymous" },
        { "name": "post", "match": { "path": { "prefix": "/v1" }, "methods": ["POST"] }, "access": "deny" },
        { "name": "v1", "match": { "path": { "prefix": "/v1" } }, "access": "anonymous" },
        { "name": "files", "match": { "path": { "template": "/users/{id}/files/**" } }, "access": "anonymous" },
        { "name": "regex", "match": { "path": { "regex": "/item/[0-9]+" } }, "access": "anonymous" },
        { "name": "host", "match": { "path": { "exact": "/h" }, "hosts": ["a.example", "*.b.example"] }, "access": "anonymous" },
        { "name": "admin", "match": { "path": { "prefix": "/admin" } } },
    ]);
    let policy = with_rules(&key, rules);
    let upgrade = get("/admin")
        .with("upgrade", "websocket")
        .with("connection", "upgrade");
    // Envoy by itself knows no method in lower case, and no upgrade that it was not told of.
    tables.judge_natively(
        policy.clone(),
        &[
            (
                "a method in lower case is another",
                get("/v1/x").method("post"),
                PASSES,
            ),
            ("an upgrade is no way around", upgrade, MISSING),
        ],
    );
    tables.judge(
        policy,
        &[
            ("exact", get("/health"), PASSES),
            ("with a query", get("/health?x=/admin"), PASSES),
            ("an encoded letter", get("/he%61lth"), PASSES),
            ("longer", get("/health/"), NO_RULE),
            ("another case", get("/Health"), NO_RULE),
            ("a prefix", get("/v1"), PASSES),
            ("below a prefix", get("/v1/x"), PASSES),
            ("half a segment", get("/v10"), NO_RULE),
            ("a method", get("/v1/x").method("POST"), "RULE_DENIES"),
            (
                "an override means nothing",
                get("/v1/x").with("x-http-method-override", "POST"),
                PASSES,
            ),
            ("a template", get("/users/7/files/a/b"), PASSES),
            ("a template, nothing more", get("/users/7/files"), PASSES),
            (
                "a template, two segments for one",
                get("/users/7/8/files"),
                NO_RULE,
            ),
            ("a regex", get("/item/42"), PASSES),
            ("a regex is for the whole path", get("/item/42/x"), NO_RULE),
            (
                "a regex does not see the query",
                get("/x?/item/42"),
                NO_RULE,
            ),
            ("a host", get("/h").host("A.example:8443"), PASSES),
            ("below a domain", get("/h").host("x.y.b.example"), PASSES),
            ("the domain itself", get("/h").host("b.example"), NO_RULE),
            ("another host", get("/h").host("a.example.org"), NO_RULE),
            (
                "a forwarded host means nothing",
                get("/h").with("x-forwarded-host", "a.example"),
                NO_RULE,
            ),
            ("a guarded path", get("/admin"), MISSING),
            ("a guarded path in escapes", get("/%61dmin"), MISSING),
            (
                "a guarded path behind a public query",
                get("/admin?/health"),
                MISSING,
            ),
            (
                "another path's name in a header",
                get("/admin")
                    .with("x-original-url", "/health")
                    .with("x-forwarded-uri", "/health")
                    .with("x-rewrite-url", "/health")
                    .with("x-envoy-original-path", "/health"),
                MISSING,
            ),
            ("nobody's path", get("/"), NO_RULE),
        ],
    );
}

fn what_can_be_read_in_two_ways_is_not_read(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let mut rows = Vec::new();
    for path in [
        "",
        "*",
        "admin",
        "/public/../admin",
        "/public/..",
        "/./admin",
        "/public/%2e%2e/admin",
        "/public/.%2E/admin",
        "//admin",
        "/public//admin",
        "/public%2fadmin",
        "/public%2F..%2Fadmin",
        "/public\\admin",
        "/public%5cadmin",
        "/admin;a=b",
        "/public;/../admin",
        "/public%3badmin",
        "/..;/admin",
        "/admin%00",
        "/admin%0a",
        "/admin%0d%0ax:y",
        "/admin%7f",
        "/admin%",
        "/admin%4",
        "/admin%zz",
        "/%2561dmin",
        "/admin%252f",
        "/%25%32%65",
        "/a b",
        "/admin#x",
        "/a?b#c",
        "/é",
        "/%c0%ae%c0%ae/admin",
        "/a\tb",
    ] {
        rows.push((path, get(path), PATH));
    }
    for host in [
        "",
        "a,b",
        "a@b",
        "user:pw@a",
        "a b",
        " a",
        "a ",
        "a\tb",
        "a:80:80",
        "a:port",
        "a:65536",
        "a..b",
        ".a",
        "a:",
        "a..:80",
        "[0::1]",
        "[::1]:",
        "a/b",
        "[::1",
        "[x]",
        "a%2eb",
        "a\0",
        "é.example",
    ] {
        rows.push((host, get("/public").host(host), HOST));
    }
    for public in [
        "/public",
        "/public/%20",
        "/public/%c3%a9",
        "/public/a%25",
        "/public/...",
        "/public/.x",
        "/public/",
    ] {
        rows.push((public, get(public), PASSES));
    }
    let rules =
        json!([{ "match": { "path": { "prefix": "/public" } }, "access": "anonymous" }, {}]);
    let policy = with_rules(&key, rules);
    // Over HTTP/1.1 Envoy splits the absolute form itself, and takes one trailing dot away.
    tables.judge_natively(
        policy.clone(),
        &[
            ("absolute form", get("http://other/admin"), PATH),
            ("a trailing dot", get("/public").host("a."), HOST),
            (
                "a trailing dot and a port",
                get("/public").host("a.:80"),
                HOST,
            ),
        ],
    );
    tables.judge(policy, &rows);
}

fn a_quirk_is_for_rules_that_allow_it(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([
        { "match": { "path": { "prefix": "/slash" } }, "access": "anonymous", "danger_allow_in_path": ["encoded_slash"] },
        { "match": { "path": { "prefix": "/double" } }, "access": "anonymous", "danger_allow_in_path": ["double_slash"] },
        { "match": { "path": { "prefix": "/semi" } }, "access": "anonymous", "danger_allow_in_path": ["semicolon"] },
        { "access": "anonymous" },
    ]);
    tables.judge(
        with_rules(&key, rules),
        &[
            ("an encoded slash", get("/slash/a%2fb"), PASSES),
            ("a double slash", get("/double//x"), PASSES),
            ("a semicolon", get("/semi/a;b=c"), PASSES),
            ("an encoded slash elsewhere", get("/semi/a%2fb"), PATH),
            ("a double slash elsewhere", get("/slash//x"), PATH),
            ("a semicolon elsewhere", get("/double/a;b"), PATH),
            ("more than is allowed", get("/slash/a%2fb;c"), PATH),
            ("on the open rule", get("/x//y"), PATH),
            (
                "dot segments between encoded slashes",
                get("/slash/%2f..%2f"),
                PATH,
            ),
            ("a backslash is never allowed", get("/slash/a%5cb"), PATH),
        ],
    );
}

fn unmatched_requests(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let config = json!({ "providers": { "corp": provider([&key]) }, "rules": [{ "match": { "path": { "exact": "/a" } } }] });
    tables.judge(
        config.clone(),
        &[
            (
                "a good token does not help",
                get("/b").bearer(key.token(json!({}))),
                NO_RULE,
            ),
            ("nor does none", get("/b"), NO_RULE),
        ],
    );
    tables.judge(
        amended(config, json!({ "unmatched": "anonymous" })),
        &[
            ("open by the operator's word", get("/b"), PASSES),
            ("the rule stands", get("/a"), MISSING),
            ("an ambiguous path stays one", get("/b//c"), PATH),
            ("an ambiguous host stays one", get("/b").host("a,b"), HOST),
        ],
    );
}

fn preflights(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let rules = json!([
        { "match": { "path": { "prefix": "/post" }, "methods": ["POST"] }, "scopes": { "all": ["write"] } },
        { "match": { "path": { "prefix": "/closed" } }, "access": "deny" },
        { "match": { "path": { "prefix": "/any" } } },
    ]);
    let config = json!({ "providers": { "corp": provider([&key]) }, "rules": rules });
    tables.judge(
        config.clone(),
        &[
            (
                "for a method that has a rule",
                preflight("/post", "POST"),
                PASSES,
            ),
            ("for any method", preflight("/any", "DELETE"), PASSES),
            (
                "for a method without a rule",
                preflight("/post", "GET"),
                NO_RULE,
            ),
            (
                "for a closed rule",
                preflight("/closed", "GET"),
                "RULE_DENIES",
            ),
            ("for no rule", preflight("/", "GET"), NO_RULE),
            ("for an ambiguous path", preflight("/any//x", "GET"), PATH),
            (
                "for an ambiguous host",
                preflight("/any", "GET").host("a,b"),
                HOST,
            ),
            (
                "with two credentials",
                preflight("/any", "GET").bearer("x").bearer("y"),
                "AMBIGUOUS_CREDENTIALS",
            ),
            (
                "with a bad credential",
                preflight("/any", "GET").bearer("x"),
                "MALFORMED_TOKEN",
            ),
            (
                "with a good credential",
                preflight("/any", "GET").bearer(&token),
                PASSES,
            ),
            (
                "with one that lacks the scope",
                preflight("/post", "POST").bearer(&token),
                NO_SCOPE,
            ),
            (
                "without a method",
                get("/any").method("OPTIONS").with("origin", "https://a"),
                MISSING,
            ),
            (
                "without an origin",
                get("/any")
                    .method("OPTIONS")
                    .with("access-control-request-method", "GET"),
                MISSING,
            ),
            (
                "with two methods",
                preflight("/any", "GET").with("access-control-request-method", "PUT"),
                MISSING,
            ),
            (
                "with what is no method",
                preflight("/any", "GET, PUT"),
                MISSING,
            ),
            (
                "not by OPTIONS",
                preflight("/any", "GET").method("GET"),
                MISSING,
            ),
        ],
    );
    let lower_case = preflight("/any", "GET").method("options");
    tables.judge_natively(config.clone(), &[("by options", lower_case, MISSING)]);
    tables.judge(
        amended(config, json!({ "allow_cors_preflight": false })),
        &[
            ("switched off", preflight("/any", "GET"), MISSING),
            (
                "switched off, matched as it is",
                preflight("/post", "POST"),
                NO_RULE,
            ),
        ],
    );
}
