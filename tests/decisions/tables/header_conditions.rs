//! Rules for requests with certain headers, and what a client gains by lying in them.

use serde_json::{Value, json};

use super::{Ask, PASSES, Tables, get, preflight};
use crate::harness::keys::Key;
use crate::harness::policy::provider;

const NO_RULE: &str = "NO_RULE";
const NO_SCOPE: &str = "INSUFFICIENT_SCOPE";
const DENIED: &str = "RULE_DENIES";
const MISSING: &str = "MISSING_TOKEN";

judged! {
    tests_of_a_value,
    all_conditions_must_hold,
    a_header_that_comes_twice_matches_nothing,
    a_comma_counts_as_twice_where_envoy_joins,
    a_client_chooses_among_the_rules_for_its_headers_alone,
    preflights_announce_headers,
}

/// Each rule has its path; what no rule matches is refused.
fn open(conditions: &[(&str, Value)]) -> Value {
    let rules = conditions.iter().map(|(path, headers)| {
        json!({ "match": { "path": { "exact": path }, "headers": headers }, "access": "anonymous" })
    });
    let key = Key::new("ES256", "k");
    json!({ "providers": { "corp": provider([&key]) }, "rules": rules.collect::<Vec<_>>() })
}

fn kind(path: &str, value: impl AsRef<[u8]>) -> Ask {
    get(path).with("x-kind", value)
}

fn tests_of_a_value(tables: &mut Tables) {
    let config = open(&[
        ("/equals", json!([{ "name": "X-Kind", "equals": "code" }])),
        (
            "/one",
            json!([{ "name": "x-kind", "one_of": ["code", "analysis"] }]),
        ),
        ("/prefix", json!([{ "name": "x-kind", "prefix": "co" }])),
        ("/present", json!([{ "name": "x-kind", "present": true }])),
        ("/comma", json!([{ "name": "x-kind", "equals": "a, b" }])),
    ]);
    tables.judge(
        config,
        &[
            ("equal", kind("/equals", "code"), PASSES),
            (
                "equal, by another spelling of the name",
                get("/equals").with("x_kind", "code"),
                PASSES,
            ),
            ("another value", kind("/equals", "chat"), NO_RULE),
            ("another case", kind("/equals", "Code"), NO_RULE),
            ("longer", kind("/equals", "codes"), NO_RULE),
            ("no UTF-8", kind("/equals", b"code\xff"), NO_RULE),
            ("empty", kind("/equals", ""), NO_RULE),
            ("none", get("/equals"), NO_RULE),
            ("the first of two", kind("/one", "code"), PASSES),
            ("the second of two", kind("/one", "analysis"), PASSES),
            ("neither", kind("/one", "chat"), NO_RULE),
            ("both", kind("/one", "code,analysis"), NO_RULE),
            ("it begins so", kind("/prefix", "code"), PASSES),
            ("it is no more", kind("/prefix", "co"), PASSES),
            ("it begins otherwise", kind("/prefix", "decode"), NO_RULE),
            ("there", kind("/present", "x"), PASSES),
            ("there and empty", kind("/present", ""), PASSES),
            ("not there", get("/present").with("x-kinds", "x"), NO_RULE),
            ("a comma is a character", kind("/comma", "a, b"), PASSES),
        ],
    );
}

fn all_conditions_must_hold(tables: &mut Tables) {
    let both = json!([{ "name": "x-a", "equals": "1" }, { "name": "x-b", "equals": "2" }]);
    let config = open(&[("/", both)]);
    let ask = || get("/");
    tables.judge(
        config,
        &[
            ("both", ask().with("x-a", "1").with("x-b", "2"), PASSES),
            (
                "in another order",
                ask().with("x-b", "2").with("x-a", "1"),
                PASSES,
            ),
            ("the first alone", ask().with("x-a", "1"), NO_RULE),
            ("the second alone", ask().with("x-b", "2"), NO_RULE),
            (
                "exchanged",
                ask().with("x-a", "2").with("x-b", "1"),
                NO_RULE,
            ),
            (
                "one of them twice",
                ask().with("x-a", "1").with("x-b", "2").with("x-b", "2"),
                NO_RULE,
            ),
        ],
    );
}

fn a_header_that_comes_twice_matches_nothing(tables: &mut Tables) {
    let config = open(&[
        ("/equals", json!([{ "name": "x-kind", "equals": "code" }])),
        ("/present", json!([{ "name": "x-kind", "present": true }])),
        ("/folded", json!([{ "name": "x_kind", "present": true }])),
    ]);
    let twice = |path: &str, second: &str, value: &str| kind(path, "code").with(second, value);
    let mut rows = vec![("once, folded", kind("/folded", "code"), PASSES)];
    for path in ["/equals", "/present", "/folded"] {
        rows.extend([
            ("the same", twice(path, "x-kind", "code"), NO_RULE),
            ("another value", twice(path, "x-kind", "chat"), NO_RULE),
            ("an empty one", twice(path, "x-kind", ""), NO_RULE),
            ("by CGI's reading", twice(path, "x_kind", "chat"), NO_RULE),
            ("by PHP's reading", twice(path, "x.kind", "chat"), NO_RULE),
            (
                "none of them spelled so",
                get(path).with("x_kind", "code").with("x.kind", "code"),
                NO_RULE,
            ),
            ("another header", twice(path, "x-kind-", "chat"), PASSES),
        ]);
    }
    tables.judge(config, &rows);
}

fn a_comma_counts_as_twice_where_envoy_joins(tables: &mut Tables) {
    let config = open(&[
        ("/accept", json!([{ "name": "accept", "prefix": "text/" }])),
        ("/agent", json!([{ "name": "user-agent", "present": true }])),
        (
            "/origin",
            json!([{ "name": "origin", "equals": "https://app.example.com" }]),
        ),
        (
            "/type",
            json!([{ "name": "content-type", "equals": "application/json" }]),
        ),
    ]);
    let json = "application/json";
    let ours = "https://app.example.com";
    let evil = "https://evil.example";
    tables.judge(
        config,
        &[
            (
                "one media type",
                get("/accept").with("accept", "text/html"),
                PASSES,
            ),
            (
                "two",
                get("/accept").with("accept", "text/html,image/png"),
                NO_RULE,
            ),
            (
                "two headers",
                get("/accept")
                    .with("accept", "text/html")
                    .with("accept", "image/png"),
                NO_RULE,
            ),
            (
                "an agent",
                get("/agent").with("user-agent", "curl/8"),
                PASSES,
            ),
            (
                "an agent with a comma",
                get("/agent").with("user-agent", "x (KHTML, like Gecko)"),
                NO_RULE,
            ),
            ("an origin", get("/origin").with("origin", ours), PASSES),
            (
                "two origins",
                get("/origin").with("origin", ours).with("origin", evil),
                NO_RULE,
            ),
            (
                "two origins, reversed",
                get("/origin").with("origin", evil).with("origin", ours),
                NO_RULE,
            ),
            ("a type", get("/type").with("content-type", json), PASSES),
            (
                "a type twice",
                get("/type")
                    .with("content-type", json)
                    .with("content-type", json),
                NO_RULE,
            ),
            (
                "a type by another name too",
                get("/type")
                    .with("content-type", json)
                    .with("content_type", "x"),
                NO_RULE,
            ),
        ],
    );
}

/// A header is the client's word: it leads to one of the rules that the operator wrote, never past all of them.
fn a_client_chooses_among_the_rules_for_its_headers_alone(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([
        { "match": { "headers": [{ "name": "x-kind", "equals": "code" }] }, "scopes": { "all": ["code"] } },
        { "match": { "headers": [{ "name": "x-kind", "equals": "chat" }] }, "scopes": { "all": ["chat"] } },
        { "match": { "path": { "prefix": "/default" } }, "scopes": { "all": ["chat"] } },
        { "access": "deny" },
    ]);
    let config = json!({ "providers": { "corp": provider([&key]) }, "rules": rules });
    let chat = key.token(json!({ "scope": "chat" }));
    let ask = |path: &str| get(path).bearer(&chat);
    tables.judge(
        config,
        &[
            (
                "the kind that it may",
                ask("/").with("x-kind", "chat"),
                PASSES,
            ),
            (
                "the kind that it may not",
                ask("/").with("x-kind", "code"),
                NO_SCOPE,
            ),
            // Nothing here knows what the prompt is: the upstream reads the header that was judged.
            (
                "the wrong kind said",
                ask("/default").with("x-kind", "chat"),
                PASSES,
            ),
            ("no kind said", ask("/"), DENIED),
            ("no kind said where that is a rule", ask("/default"), PASSES),
            (
                "both kinds said",
                ask("/").with("x-kind", "chat").with("x-kind", "code"),
                DENIED,
            ),
            ("an unknown kind", ask("/").with("x-kind", "x"), DENIED),
            ("no token", get("/").with("x-kind", "chat"), MISSING),
        ],
    );
}

fn preflights_announce_headers(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([
        { "match": { "headers": [{ "name": "x-kind", "equals": "closed" }, { "name": "x-b", "present": true }] }, "access": "deny" },
        { "match": { "headers": [{ "name": "x-kind", "equals": "code" }] } },
        { "match": { "path": { "exact": "/closed" } }, "access": "deny" },
    ]);
    let config = json!({ "providers": { "corp": provider([&key]) }, "rules": rules });
    let asks = |names: &str| preflight("/", "POST").with("access-control-request-headers", names);
    tables.judge(
        config.clone(),
        &[
            ("named", asks("x-kind"), PASSES),
            (
                "named among others",
                asks("content-type, x-kind ,x-c"),
                PASSES,
            ),
            ("named in capitals", asks("X-Kind"), PASSES),
            ("named as CGI spells it", asks("x_kind"), PASSES),
            ("all of them named", asks("x-kind,x-b"), DENIED),
            ("others named", asks("x-kinds,kind"), NO_RULE),
            ("none named", preflight("/", "POST"), NO_RULE),
            ("an empty list", asks(""), NO_RULE),
            (
                "sent instead of named",
                preflight("/", "POST").with("x-kind", "code"),
                NO_RULE,
            ),
            // No preflight: its own headers count.
            (
                "no preflight",
                get("/")
                    .method("OPTIONS")
                    .with("access-control-request-headers", "x-kind"),
                NO_RULE,
            ),
            (
                "no preflight, with the header",
                get("/").method("OPTIONS").with("x-kind", "code"),
                MISSING,
            ),
        ],
    );
}
