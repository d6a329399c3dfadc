//! Which rule a request meets, and what the rule asks.

use serde_json::{Value, json};

use crate::harness::client::{Request, get, request};
use crate::harness::gateway::Gateway;
use crate::harness::keys::{Key, amended, fresh_api_key, sha256};
use crate::harness::policy::{AUDIENCE, only, provider};
use crate::harness::refusal::{self, Challenge, expect};

#[test]
fn a_rule_is_found_by_path_method_and_host() {
    let key = Key::new("ES256", "k");
    let open = |part: Value| json!({ "match": part, "access": "anonymous" });
    let policy = json!({
        "providers": { "corp": provider([&key]) },
        "rules": [
            { "match": { "path": { "exact": "/first/denied" } }, "access": "deny" },
            open(json!({ "path": { "prefix": "/first" } })),
            { "match": { "path": { "prefix": "/first/late" } }, "access": "deny" },
            open(json!({ "path": { "exact": "/exact" } })),
            open(json!({ "path": { "prefix": "/v1/chat" } })),
            open(json!({ "path": { "template": "/users/{id}/files/**" } })),
            open(json!({ "path": { "template": "/items/{id}" } })),
            open(json!({ "path": { "regex": "/r/[0-9]+(/x)?" } })),
            open(json!({ "path": { "regex": "/(a.|a.)*([a.]*)*b" } })),
            open(json!({ "path": { "exact": "/~%C3%BCn%C3%AF" } })),
            open(json!({ "path": { "prefix": "/methods" }, "methods": ["POST", "PUT"] })),
            open(json!({ "path": { "prefix": "/hosts" }, "hosts": ["api.example.com", "*.wild.example"] })),
        ],
    });
    let matched: [(&str, &[&str]); 13] = [
        (
            "/exact",
            &["/exact", "/exact?a=/../b//c", "/%65xact", "/exact?"],
        ),
        (
            "/v1/chat",
            &[
                "/v1/chat",
                "/v1/chat/",
                "/v1/chat/x/y",
                "/v1/%63hat",
                "/v1/chat?x",
            ],
        ),
        (
            "/users/{id}/files/**",
            &[
                "/users/7/files",
                "/users/7/files/a",
                "/users/7/files/a/b/c",
                "/users/%41/files",
            ],
        ),
        ("/items/{id}", &["/items/7", "/items/a.b", "/items/%20"]),
        ("/r/[0-9]+(/x)?", &["/r/1", "/r/123/x", "/r/%31"]),
        ("/~ünï", &["/~%C3%BCn%C3%AF", "/%7E%C3%BC%6e%C3%AF"]),
        ("/first", &["/first", "/first/x", "/first/late"]),
        (
            "dots that are no dot segments",
            &[
                "/exact?",
                "/first/...",
                "/first/.x",
                "/first/x..",
                "/first/..x",
            ],
        ),
        (
            "a percent that is none",
            &["/first/%25", "/first/%25zz", "/first/100%25"],
        ),
        (
            "other escapes",
            &["/first/%20", "/first/%3F", "/first/%23", "/first/%5B"],
        ),
        ("absolute form", &["http://api.example.com/exact"]),
        ("plus is plus", &["/first/a+b"]),
        ("punctuation", &["/first/:@!$&'()*,="]),
    ];
    let unmatched = [
        "/",
        "/exact/",
        "/Exact",
        "/exactly",
        "/v1/cha",
        "/v1/chatter",
        "/v1",
        "/V1/chat",
        "/users/7",
        "/users/files",
        "/users/7/filesx",
        "/users/7/8/files",
        "/items",
        "/items/",
        "/items/7/8",
        "/r/",
        "/r/x",
        "/r/1/y",
        "/xr/1",
        "/r/1/xx",
        "/methods",
        "/exact%20",
        "/exact%3Fa",
    ];
    let gateway = Gateway::start(policy);
    gateway.table(|rows| {
        for (rule, paths) in matched {
            for path in paths {
                rows.passes(&format!("{rule} takes {path}"), get(path));
            }
        }
        for path in unmatched {
            rows.refuses(&format!("nothing takes {path}"), get(path), "NO_RULE");
        }
        let long = format!("/{}c", "a.".repeat(2000));
        rows.refuses(
            "a regular expression takes linear time",
            get(long),
            "NO_RULE",
        );
        rows.refuses("the first match wins", get("/first/denied"), "RULE_DENIES");
        rows.arrives_at(
            "what is forwarded stays as it was",
            get("/%65xact?%41"),
            "/%65xact?%41",
        );

        for method in ["POST", "PUT"] {
            rows.passes(method, request(method, "/methods"));
        }
        for method in ["GET", "DELETE", "PATCH", "HEAD2", "post", "OPTIONS"] {
            rows.refuses_or_envoy_does(method, request(method, "/methods"), "NO_RULE");
        }
        rows.refuses(
            "an overridden method",
            get("/methods").header("x-http-method-override", "POST"),
            "NO_RULE",
        );
        let elsewhere = get("/nowhere")
            .header("x-original-url", "/exact")
            .header("x-rewrite-url", "/exact")
            .header("x-envoy-original-path", "/exact");
        rows.refuses("an overridden path", elsewhere, "NO_RULE");

        for host in [
            "api.example.com",
            "API.Example.COM",
            "api.example.com:8443",
            "api.example.com.",
            "api.example.com.:80",
            "a.wild.example",
            "a.b.c.wild.example",
            "A.Wild.Example:1",
        ] {
            rows.passes(host, get("/hosts").host(host));
        }
        for host in [
            "example.com",
            "xapi.example.com",
            "api.example.com.evil.example",
            "wild.example",
            "xwild.example",
            "api.example.org",
            "127.0.0.1",
            "[::1]:80",
        ] {
            rows.refuses_or_envoy_does(host, get("/hosts").host(host), "NO_RULE");
        }
        rows.refuses(
            "an overridden host",
            get("/hosts")
                .host("evil.example")
                .header("x-forwarded-host", "api.example.com"),
            "NO_RULE",
        );
        for host in [
            "api.example.com,evil.example",
            "evil@api.example.com",
            "api.example.com evil.example",
            "",
            "api.example.com\tx",
        ] {
            for path in ["/hosts", "/exact", "/nowhere"] {
                rows.refuses_or_envoy_does(
                    &format!("host {host:?} at {path}"),
                    get(path).host(host),
                    "AMBIGUOUS_HOST",
                );
            }
        }
    });
    assert!(gateway.upstream_calls() > 0);
}

#[test]
fn an_ambiguous_path_meets_no_rule() {
    let key = Key::new("ES256", "k");
    let allow = |path: &str, what: Value| {
        json!({
            "match": { "path": { "prefix": path } }, "access": "anonymous", "danger_allow_in_path": what,
        })
    };
    let policy = json!({
        "providers": { "corp": provider([&key]) },
        "rules": [
            allow("/slash", json!(["encoded_slash"])),
            allow("/double", json!(["double_slash"])),
            allow("/semicolon", json!(["semicolon"])),
            { "match": { "path": { "prefix": "/slash" } }, "access": "deny" },
            { "access": "anonymous" },
        ],
    });
    let ambiguous = [
        "/..",
        "/.",
        "/a/../b",
        "/a/./b",
        "/a/..",
        "/a/.",
        "/../a",
        "/./a",
        "/%2e%2e/a",
        "/%2E%2e/a",
        "/.%2e/a",
        "/a/%2e",
        "/a/%2e/b",
        "//",
        "//a",
        "/a//b",
        "/a//",
        "///",
        "/a%2fb",
        "/a%2Fb",
        "/%2f",
        "/a%2f..%2fb",
        "/a\\b",
        "/a%5cb",
        "/a%5Cb",
        "/..\\a",
        "/a;b",
        "/a;",
        "/;/a",
        "/a;x=1/b",
        "/a/..;/b",
        "/a%3bb",
        "/a%3Bb",
        "/a%00",
        "/%00",
        "/a%0a",
        "/a%0d",
        "/a%09b",
        "/a%1f",
        "/a%7f",
        "/a%7F",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%2z",
        "/a%%20",
        "/%",
        "/a%252e",
        "/a%252e%252e/b",
        "/a%252fb",
        "/%2541",
        "/a%25%32%65",
    ];
    let gateway = Gateway::start(policy);
    gateway.table(|rows| {
        for path in ambiguous {
            rows.refuses_or_envoy_does(path, get(path), "AMBIGUOUS_PATH");
            rows.refuses_or_envoy_does(
                &format!("{path} with a query"),
                get(format!("{path}?a=1")),
                "AMBIGUOUS_PATH",
            );
        }
        rows.refuses_or_envoy_does("OPTIONS *", request("OPTIONS", "*"), "AMBIGUOUS_PATH");
        rows.refuses_or_envoy_does("no path", request("CONNECT", "a:1"), "AMBIGUOUS_PATH");
        rows.refuses_or_envoy_does("no leading slash", get("a/b"), "AMBIGUOUS_PATH");
        rows.refuses_or_envoy_does("an empty path", get("?a=1"), "AMBIGUOUS_PATH");
        for query in [
            "/?a=/../b",
            "/?a=//",
            "/?%2f%5c%00%0a%zz%252e;\\",
            "/?/a;b",
            "/?a?b=%",
        ] {
            rows.arrives_at(
                &format!("{query}: a query may hold anything"),
                get(query),
                query,
            );
        }

        rows.arrives_at(
            "encoded slash where allowed",
            get("/slash/a%2Fb"),
            "/slash/a%2Fb",
        );
        rows.passes("double slash where allowed", get("/double//a///b"));
        rows.passes("semicolon where allowed", get("/semicolon/a;x=1/b;c"));
        rows.passes("nothing ambiguous", get("/slash"));
        for path in [
            "/slash/a;b",
            "/slash//a",
            "/double/a%2fb",
            "/double/a;b",
            "/semicolon//a",
            "/semicolon/a%2fb",
            "/slash/a%2f/;",
        ] {
            rows.refuses(
                &format!("{path}: what is not named stays ambiguous"),
                get(path),
                "AMBIGUOUS_PATH|NO_RULE",
            );
        }
        for path in [
            "/slash/..%2fa",
            "/slash/a%2f..%2fb",
            "/double//../a",
            "/semicolon/..;/a",
            "/slash/%5c",
            "/slash/%252f",
            "/semicolon/.;a/b",
        ] {
            rows.refuses(
                &format!("{path}: allowed, but still a dot segment or worse"),
                get(path),
                "AMBIGUOUS_PATH",
            );
        }
    });
}

#[test]
fn a_rule_asks_for_scopes_claims_and_audiences() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let rule = |path: &str, more: Value| {
        amended(
            json!({ "name": path, "match": { "path": { "exact": path } } }),
            more,
        )
    };
    let asks = |claim: Value| json!({ "claims": [claim] });
    let policy = json!({
        "providers": {
            "corp": amended(provider([&key]), json!({ "audiences": ["one", "two"] })),
            "partner": amended(provider([&key]), json!({ "issuer": "partner", "scope_claims": ["permissions"] })),
        },
        "api_keys": { "keys": [{ "id": "robot", "hash": sha256(&secret), "scopes": ["read"], "tenant": "acme" }] },
        "rules": [
            rule("/all", json!({ "scopes": { "all": ["read", "write"] } })),
            rule("/any", json!({ "scopes": { "any": ["admin", "write"] } })),
            rule("/both", json!({ "scopes": { "all": ["read"], "any": ["b", "c"] } })),
            rule("/none", json!({ "scopes": { "all": [], "any": [] } })),
            rule("/key", json!({ "credentials": ["api_keys"], "scopes": { "all": ["write"] } })),
            rule("/optional", json!({ "access": "optional", "scopes": { "all": ["read"] } })),
            rule("/audience", json!({ "audiences": ["two"] })),
            rule("/equals", asks(json!({ "claim": "tenant", "equals": "acme" }))),
            rule("/number", asks(json!({ "claim": "level", "equals": 3 }))),
            rule("/one-of", asks(json!({ "claim": "tenant", "one_of": ["acme", "other"] }))),
            rule("/contains", asks(json!({ "claim": "realm_access.roles", "contains": "admin" }))),
            rule("/literal", asks(json!({ "claim": ["https://x.com/roles"], "contains": "admin" }))),
            rule("/present", asks(json!({ "claim": "a.b", "present": true }))),
            rule("/two-claims", json!({ "claims": [{ "claim": "tenant", "equals": "acme" }, { "claim": "email_verified", "equals": true }] })),
            rule("/partner", json!({ "scopes": { "all": ["read"] } })),
        ],
    });
    let at = |path: &str, changes: Value| {
        get(path).bearer(key.token(amended(json!({ "aud": "one" }), changes)))
    };
    let scoped = |path: &str, scope: &str| at(path, json!({ "scope": scope }));
    let gateway = Gateway::start(policy);
    gateway.table(|rows| {
        rows.passes("all", scoped("/all", "write read"));
        rows.passes(
            "all, as an array",
            at("/all", json!({ "scp": ["read", "write"] })),
        );
        rows.passes(
            "all, from two claims",
            at("/all", json!({ "scope": "read", "scp": ["write"] })),
        );
        rows.passes("any", scoped("/any", "write"));
        rows.passes("all and any", scoped("/both", "c read"));
        rows.passes("none asked", at("/none", json!({})));
        rows.passes("none on an optional rule", get("/optional"));
        for (path, scope) in [
            ("/all", "read"),
            ("/all", "readwrite"),
            ("/all", "READ write"),
            ("/all", "read,write"),
            ("/all", ""),
            ("/all", "*"),
            ("/all", "read write:x"),
            ("/any", "read"),
            ("/any", "admi"),
            ("/both", "read"),
            ("/both", "b c"),
            ("/optional", "write"),
        ] {
            rows.refuses(
                &format!("{path} with {scope:?}"),
                scoped(path, scope),
                "INSUFFICIENT_SCOPE",
            );
        }
        rows.refuses(
            "only a space separates scopes",
            scoped("/all", "read\twrite"),
            "INSUFFICIENT_SCOPE|INVALID_TOKEN",
        );
        rows.refuses(
            "no scope at all",
            at("/all", json!({})),
            "INSUFFICIENT_SCOPE",
        );
        for scope in [
            json!(7),
            json!({ "read": 1, "write": 1 }),
            json!(["read write"]),
            json!(true),
        ] {
            rows.refuses(
                &format!("scope {scope}"),
                at("/all", json!({ "scope": scope })),
                "INSUFFICIENT_SCOPE|MALFORMED_TOKEN|INVALID_TOKEN",
            );
        }
        rows.refuses(
            "an API key's scopes",
            get("/all").header("x-api-key", &secret),
            "INSUFFICIENT_SCOPE",
        );
        rows.refuses_key(
            "an API key's scopes, where they alone count",
            get("/key").header("x-api-key", &secret),
            "INSUFFICIENT_SCOPE",
        );
        rows.row(
            "the challenge lists all, then any",
            scoped("/both", "x"),
            |answer| {
                refusal::check(answer, &["INSUFFICIENT_SCOPE"], Challenge::Bearer)?;
                let parsed = refusal::parse(&answer.header("www-authenticate").unwrap_or_default());
                let scope = parsed.and_then(|(_, parameters)| {
                    parameters.into_iter().find(|(name, _)| name == "scope")
                });
                expect(
                    "scope",
                    &scope.map(|(_, value)| value),
                    &Some("read b c".to_owned()),
                )
            },
        );
        let partner = |changes: Value| {
            get("/partner").bearer(key.token(amended(
                json!({ "iss": "partner", "aud": AUDIENCE }),
                changes,
            )))
        };
        rows.passes(
            "scopes under a name of their own",
            partner(json!({ "permissions": "read" })),
        );
        rows.refuses(
            "and not under the usual one",
            partner(json!({ "scope": "read" })),
            "INSUFFICIENT_SCOPE",
        );

        rows.passes(
            "the provider's audience",
            at("/none", json!({ "aud": "one" })),
        );
        rows.passes(
            "the rule's audience",
            at("/audience", json!({ "aud": "two" })),
        );
        rows.refuses(
            "not the rule's audience",
            at("/audience", json!({ "aud": "one" })),
            "INVALID_AUDIENCE",
        );

        let good = [
            ("/equals", json!({ "tenant": "acme" })),
            ("/number", json!({ "level": 3 })),
            ("/one-of", json!({ "tenant": "other" })),
            (
                "/contains",
                json!({ "realm_access": { "roles": ["user", "admin"] } }),
            ),
            (
                "/contains",
                json!({ "realm_access": { "roles": "user admin" } }),
            ),
            ("/literal", json!({ "https://x.com/roles": ["admin"] })),
            ("/present", json!({ "a": { "b": false } })),
            (
                "/two-claims",
                json!({ "tenant": "acme", "email_verified": true }),
            ),
        ];
        for (path, claims) in good {
            rows.passes(&format!("{path} with {claims}"), at(path, claims.clone()));
        }
        let bad = [
            ("/equals", json!({})),
            ("/equals", json!({ "tenant": "Acme" })),
            ("/equals", json!({ "tenant": ["acme"] })),
            ("/number", json!({ "level": "3" })),
            ("/number", json!({ "level": 4 })),
            ("/number", json!({ "level": [3] })),
            ("/one-of", json!({ "tenant": "third" })),
            ("/one-of", json!({ "tenant": ["acme"] })),
            (
                "/contains",
                json!({ "realm_access": { "roles": ["user"] } }),
            ),
            (
                "/contains",
                json!({ "realm_access": { "roles": ["administrator"] } }),
            ),
            (
                "/contains",
                json!({ "realm_access": { "roles": "administrator" } }),
            ),
            (
                "/contains",
                json!({ "realm_access": { "roles": [["admin"]] } }),
            ),
            (
                "/contains",
                json!({ "realm_access": { "roles": { "admin": true } } }),
            ),
            ("/contains", json!({ "realm_access": "admin" })),
            ("/contains", json!({ "realm_access.roles": ["admin"] })),
            ("/contains", json!({ "roles": ["admin"] })),
            (
                "/literal",
                json!({ "https://x": { "com/roles": ["admin"] } }),
            ),
            ("/present", json!({ "a": {} })),
            ("/present", json!({ "a.b": 1 })),
            ("/two-claims", json!({ "tenant": "acme" })),
            (
                "/two-claims",
                json!({ "tenant": "acme", "email_verified": "true" }),
            ),
            ("/two-claims", json!({ "email_verified": true })),
        ];
        for (path, claims) in bad {
            rows.refuses(
                &format!("{path} with {claims}"),
                at(path, claims.clone()),
                "CLAIM_MISMATCH",
            );
        }
        // It would arrive as another tenant than it is.
        let tenant = at("/equals", json!({ "tenant": "acme " }));
        rows.refuses("outer white space", tenant, "INVALID_TOKEN");
        rows.refuses("an unmatched path", at("/nowhere", json!({})), "NO_RULE");
    });
}

#[test]
fn unmatched_may_be_anonymous() {
    let key = Key::new("ES256", "k");
    let policy = json!({
        "providers": { "corp": provider([&key]) },
        "rules": [{ "match": { "path": { "prefix": "/private" } } }],
        "unmatched": "anonymous",
    });
    Gateway::start(policy).table(|rows| {
        rows.forwards(
            "unmatched",
            get("/public").header("x-auth-subject", "root").bearer("x"),
            &[("x-auth-subject", &[]), ("authorization", &[])],
        );
        rows.refuses("matched", get("/private"), "MISSING_TOKEN");
        rows.refuses(
            "ambiguous all the same",
            get("/public//private"),
            "AMBIGUOUS_PATH",
        );
    });
}

#[test]
fn a_preflight_passes_where_a_token_would_be_missing() {
    let key = Key::new("ES256", "k");
    let policy = json!({
        "providers": { "corp": provider([&key]) },
        "rules": [
            { "match": { "path": { "prefix": "/post" }, "methods": ["POST"] } },
            { "match": { "path": { "prefix": "/deny" } }, "access": "deny" },
            { "match": { "path": { "prefix": "/all" } }, "scopes": { "all": ["x"] } },
            { "match": { "path": { "prefix": "/options" }, "methods": ["OPTIONS"] } },
        ],
    });
    let asked = |path: &str, method: &str| -> Request {
        request("OPTIONS", path)
            .header("origin", "https://app.example")
            .header("access-control-request-method", method)
    };
    let token = key.token(json!({}));
    Gateway::start(policy.clone()).table(|rows| {
        rows.sees("a preflight", asked("/post", "POST"), |seen| {
            expect("method", &seen.method.as_str(), &"OPTIONS")
        });
        rows.passes("on a rule for all methods", asked("/all", "DELETE"));
        let spoofed = asked("/post", "POST").header("x-auth-subject", "root");
        rows.forwards(
            "with a spoofed identity",
            spoofed,
            &[("x-auth-subject", &[])],
        );
        rows.refuses(
            "the method it asks for matches nothing",
            asked("/post", "DELETE"),
            "NO_RULE",
        );
        rows.refuses("nor does its own", asked("/options", "GET"), "NO_RULE");
        rows.refuses("deny", asked("/deny", "POST"), "RULE_DENIES");
        rows.refuses("no rule", asked("/nowhere", "POST"), "NO_RULE");
        rows.refuses(
            "an ambiguous path",
            asked("/post//", "POST"),
            "AMBIGUOUS_PATH",
        );
        rows.refuses(
            "a bad credential",
            asked("/all", "POST").bearer("rubbish"),
            "MALFORMED_TOKEN",
        );
        rows.refuses(
            "a good credential without the scope",
            asked("/all", "POST").bearer(&token),
            "INSUFFICIENT_SCOPE",
        );
        let half = request("OPTIONS", "/all").header("origin", "https://app.example");
        rows.refuses("without the method it asks for", half, "MISSING_TOKEN");
        let half = request("OPTIONS", "/all").header("access-control-request-method", "POST");
        rows.refuses("without an origin", half, "MISSING_TOKEN");
        let get = get("/all")
            .header("origin", "https://app.example")
            .header("access-control-request-method", "POST");
        rows.refuses("another method", get, "MISSING_TOKEN");
        rows.refuses(
            "a plain OPTIONS",
            request("OPTIONS", "/options"),
            "MISSING_TOKEN",
        );
    });
    Gateway::start(amended(policy, json!({ "allow_cors_preflight": false }))).table(|rows| {
        rows.refuses("not allowed", asked("/all", "POST"), "MISSING_TOKEN");
        rows.refuses(
            "nor matched as another method",
            asked("/post", "POST"),
            "NO_RULE",
        );
    });
}

#[test]
fn the_realm_may_be_chosen() {
    let policy = amended(
        only(provider([&Key::new("ES256", "k")])),
        json!({ "realm": "my \"own\" realm" }),
    );
    let realm = |answer: &crate::harness::client::Answer| {
        let (_, parameters) =
            refusal::parse(&answer.header("www-authenticate").unwrap_or_default())?;
        parameters
            .into_iter()
            .find(|(name, _)| name == "realm")
            .map(|(_, value)| value)
    };
    Gateway::start(only(provider([&Key::new("ES256", "k")]))).table(|rows| {
        rows.row("default", get("/"), |answer| {
            expect("realm", &realm(answer).as_deref(), &Some("portcullis"))
        });
    });
    // A realm that needs escapes may also be a load error.
    if let Ok(gateway) = crate::harness::gateway::Setup::of(policy).try_start() {
        gateway.table(|rows| {
            rows.row("quoted", get("/"), |answer| {
                expect(
                    "realm",
                    &realm(answer).as_deref(),
                    &Some("my \"own\" realm"),
                )
            });
        });
    }
    Gateway::start(amended(
        only(provider([&Key::new("ES256", "k")])),
        json!({ "realm": "example" }),
    ))
    .table(|rows| {
        rows.row("chosen", get("/"), |answer| {
            expect("realm", &realm(answer).as_deref(), &Some("example"))
        });
    });
}

#[test]
fn shadow_mode_lets_everything_pass_and_tells() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({}));
    let expired = key.token(json!({ "exp": 1 }));
    let policy = json!({
        "mode": "shadow",
        "providers": { "corp": provider([&key]) },
        "api_keys": { "keys": [{ "id": "robot", "hash": sha256(&secret) }] },
        "rules": [{ "match": { "path": { "prefix": "/deny" } }, "access": "deny" }, { "match": { "path": { "prefix": "/in" } } }],
    });
    let gateway = Gateway::start(policy);
    gateway.table(|rows| {
        let bearer = format!("Bearer {token}");
        rows.forwards(
            "good",
            get("/in").bearer(&token).header("x-auth-subject", "root"),
            &[
                ("authorization", &[&bearer]),
                ("x-auth-subject", &["alice"]),
            ],
        );
        let bearer = format!("Bearer {expired}");
        rows.forwards(
            "expired",
            get("/in/expired")
                .bearer(&expired)
                .header("x-auth-subject", "root"),
            &[
                ("authorization", &[&bearer]),
                ("x-auth-subject", &[]),
                ("x-auth-provider", &[]),
            ],
        );
        rows.forwards(
            "missing",
            get("/in/missing").header("x-auth-subject", "root"),
            &[("x-auth-subject", &[])],
        );
        rows.passes("denied", get("/deny"));
        rows.passes("no rule", get("/nowhere"));
        rows.arrives_at("an ambiguous path", get("/in//x"), "/in//x");
        rows.passes(
            "two credentials",
            get("/in").bearer(&token).header("x-api-key", &secret),
        );
    });
    gateway.assert_counts(&[
        ("portcullis.shadow_denied.token_expired", 1),
        ("portcullis.shadow_denied.missing_token", 1),
        ("portcullis.shadow_denied.rule_denies", 1),
        ("portcullis.shadow_denied.no_rule", 1),
        ("portcullis.shadow_denied.ambiguous_path", 1),
        ("portcullis.shadow_denied.ambiguous_credentials", 1),
        ("portcullis.denied.token_expired", 0),
    ]);
    let audit = gateway
        .audit("/in/expired")
        .unwrap_or_else(|| panic!("no audit line:\n{}", gateway.log_tail()));
    assert_eq!(
        (&audit["decision"], &audit["code"]),
        (&json!("shadow_deny"), &json!("TOKEN_EXPIRED")),
        "{audit}"
    );
    let access = gateway.access("/in/expired").expect("an access log entry");
    assert_eq!(
        (&access["decision"], &access["code"]),
        (&json!("shadow_deny"), &json!("TOKEN_EXPIRED")),
        "{access}"
    );
}
