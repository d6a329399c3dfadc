//! Tenants: a caller reaches what belongs to its own tenant, however the request names the other one.

use serde_json::{Value, json};

use super::{PASSES, Tables, get, preflight};
use crate::harness::keys::{Key, amended, sha256};
use crate::harness::policy::{api_key, provider};

const MISMATCH: &str = "CLAIM_MISMATCH";
const PATH: &str = "AMBIGUOUS_PATH";
const HOST: &str = "AMBIGUOUS_HOST";
const NO_RULE: &str = "NO_RULE";
const MISSING: &str = "MISSING_TOKEN";

judged! {
    tenants_in_a_path,
    tenants_in_a_path_that_may_have_quirks,
    tenants_in_a_header,
    tenants_in_a_header_that_envoy_joins,
    tenants_in_a_host,
    a_tenant_is_one_string,
    tenants_of_api_keys,
    an_api_key_has_four_claims,
    preflights_of_tenants,
}

fn policy(key: &Key, rules: Value) -> Value {
    json!({ "providers": { "corp": provider([key]) }, "rules": rules })
}

fn by(part: Value) -> Value {
    json!([{ "claim": "tenant", "equals": part }])
}

fn tenants_in_a_path(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([
        { "match": { "path": { "template": "/v1/{region}/tenants/{tenant}/**" } }, "claims": by(json!({ "path": "tenant" })) },
        { "match": { "path": { "template": "/t/{tenant}" } }, "claims": by(json!({ "path": "tenant" })) },
    ]);
    let acme = key.token(json!({ "tenant": "acme" }));
    let ask = |path: &str| get(path).bearer(&acme);
    let cafe = key.token(json!({ "tenant": "café" }));
    tables.judge(
        policy(&key, rules),
        &[
            ("its own", ask("/t/acme"), PASSES),
            ("its own, below", ask("/v1/eu/tenants/acme/users/7"), PASSES),
            ("its own, escaped", ask("/t/%61cm%65"), PASSES),
            ("its own, and a query", ask("/t/acme?tenant=globex"), PASSES),
            ("another's", ask("/t/globex"), MISMATCH),
            (
                "another's, below",
                ask("/v1/eu/tenants/globex/users/7"),
                MISMATCH,
            ),
            ("another's, escaped", ask("/t/%67lobex"), MISMATCH),
            (
                "its own as another part",
                ask("/v1/acme/tenants/globex/x"),
                MISMATCH,
            ),
            (
                "its own further down",
                ask("/v1/eu/tenants/globex/acme"),
                MISMATCH,
            ),
            ("another case", ask("/t/ACME"), MISMATCH),
            ("another case, escaped", ask("/t/%41CME"), MISMATCH),
            ("longer", ask("/t/acme2"), MISMATCH),
            ("shorter", ask("/t/acm"), MISMATCH),
            ("a trailing dot", ask("/t/acme."), MISMATCH),
            ("an escaped space behind it", ask("/t/acme%20"), MISMATCH),
            ("a plus sign is no space", ask("/t/acme+"), MISMATCH),
            ("two escapes of one letter", ask("/t/%2561cme"), PATH),
            ("a way around", ask("/t/globex/../acme"), PATH),
            ("a way around, escaped", ask("/t/globex%2f..%2facme"), PATH),
            ("an escaped slash", ask("/t/acme%2fglobex"), PATH),
            ("a parameter", ask("/t/acme;tenant=globex"), PATH),
            ("a double slash", ask("/t//acme"), PATH),
            ("no tenant", ask("/t/"), NO_RULE),
            ("no UTF-8", ask("/t/acme%ff"), MISMATCH),
            ("UTF-8", get("/t/caf%c3%a9").bearer(&cafe), PASSES),
            ("Latin-1", get("/t/caf%e9").bearer(&cafe), MISMATCH),
            ("decomposed", get("/t/cafe%cc%81").bearer(&cafe), MISMATCH),
            ("nobody", get("/t/acme"), MISSING),
        ],
    );
}

/// A rule that takes the risk compares what an upstream finds that decodes once.
fn tenants_in_a_path_that_may_have_quirks(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([{
        "match": { "path": { "template": "/t/{tenant}/**" } },
        "danger_allow_in_path": ["encoded_slash", "semicolon", "double_slash"],
        "claims": by(json!({ "path": "tenant" })),
    }]);
    let ask = |path: &str, tenant: &str| get(path).bearer(key.token(json!({ "tenant": tenant })));
    tables.judge(
        policy(&key, rules),
        &[
            ("a slash in a tenant", ask("/t/a%2Fb/x", "a/b"), PASSES),
            ("its first half", ask("/t/a%2Fb/x", "a"), MISMATCH),
            ("its second half", ask("/t/a%2Fb/x", "b"), MISMATCH),
            ("with a parameter", ask("/t/acme;x/y", "acme"), MISMATCH),
            (
                "with a parameter, literally",
                ask("/t/acme;x/y", "acme;x"),
                PASSES,
            ),
            ("dots behind it", ask("/t/acme/%2e%2e/globex", "acme"), PATH),
            (
                "an empty segment before it",
                ask("/t//globex/acme", "acme"),
                PATH,
            ),
            (
                "an empty segment behind it",
                ask("/t/acme//x", "acme"),
                PASSES,
            ),
        ],
    );
}

fn tenants_in_a_header(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([{ "claims": by(json!({ "header": "X-Tenant" })) }]);
    let acme = key.token(json!({ "tenant": "acme" }));
    let ask = || get("/").bearer(&acme);
    let tenant = |value: &str| ask().with("x-tenant", value);
    let comma = key.token(json!({ "tenant": "acme,globex" }));
    let empty = key.token(json!({ "tenant": "" }));
    tables.judge(
        policy(&key, rules),
        &[
            ("its own", tenant("acme"), PASSES),
            (
                "its own, as CGI spells it",
                ask().with("x_tenant", "acme"),
                PASSES,
            ),
            ("none", ask(), MISMATCH),
            ("empty", tenant(""), MISMATCH),
            (
                "empty on both sides",
                get("/").bearer(&empty).with("x-tenant", ""),
                MISMATCH,
            ),
            ("another's", tenant("globex"), MISMATCH),
            ("another case", tenant("Acme"), MISMATCH),
            ("escaped", tenant("%61cme"), MISMATCH),
            ("quoted", tenant("\"acme\""), MISMATCH),
            ("a list", tenant("acme,globex"), MISMATCH),
            ("a list, reversed", tenant("globex, acme"), MISMATCH),
            (
                "a list that is the claim",
                get("/").bearer(&comma).with("x-tenant", "acme,globex"),
                PASSES,
            ),
            ("twice", tenant("acme").with("x-tenant", "globex"), MISMATCH),
            (
                "twice, reversed",
                tenant("globex").with("x-tenant", "acme"),
                MISMATCH,
            ),
            (
                "twice the same",
                tenant("acme").with("x-tenant", "acme"),
                MISMATCH,
            ),
            (
                "twice, once empty",
                tenant("acme").with("x-tenant", ""),
                MISMATCH,
            ),
            (
                "twice by CGI's reading",
                tenant("acme").with("x_tenant", "globex"),
                MISMATCH,
            ),
            (
                "twice by CGI's reading, reversed",
                ask().with("x_tenant", "globex").with("x-tenant", "acme"),
                MISMATCH,
            ),
            (
                "twice by PHP's reading",
                tenant("acme").with("x.tenant", "globex"),
                MISMATCH,
            ),
            (
                "another header beside it",
                tenant("acme").with("x-tenant-id", "globex"),
                PASSES,
            ),
            ("no UTF-8", ask().with("x-tenant", b"acme\xff"), MISMATCH),
        ],
    );
}

/// Envoy hands on two of these as one with a comma.
fn tenants_in_a_header_that_envoy_joins(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([{ "claims": by(json!({ "header": "x-forwarded-host" })) }]);
    let ask = |tenant: &str| get("/").bearer(key.token(json!({ "tenant": tenant })));
    tables.judge(
        policy(&key, rules),
        &[
            ("once", ask("acme").with("x-forwarded-host", "acme"), PASSES),
            (
                "a list",
                ask("acme,acme").with("x-forwarded-host", "acme,acme"),
                MISMATCH,
            ),
            (
                "twice",
                ask("acme,globex")
                    .with("x-forwarded-host", "acme")
                    .with("x-forwarded-host", "globex"),
                MISMATCH,
            ),
            (
                "twice the same",
                ask("acme")
                    .with("x-forwarded-host", "acme")
                    .with("x-forwarded-host", "acme"),
                MISMATCH,
            ),
        ],
    );
}

fn tenants_in_a_host(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([
        { "match": { "hosts": ["*.example.com"] }, "claims": by(json!({ "host": 0 })) },
        { "claims": by(json!({ "host": 1 })) },
    ]);
    let acme = key.token(json!({ "tenant": "acme" }));
    let ask = |host: &str| get("/").host(host).bearer(&acme);
    let of = |tenant: &str, host: &str| {
        get("/")
            .host(host)
            .bearer(key.token(json!({ "tenant": tenant })))
    };
    let config = policy(&key, rules);
    tables.judge(
        config.clone(),
        &[
            ("its own", ask("acme.example.com"), PASSES),
            ("its own in capitals", ask("ACME.Example.COM"), PASSES),
            ("its own with a port", ask("acme.example.com:8443"), PASSES),
            ("another's", ask("globex.example.com"), MISMATCH),
            (
                "another's label first",
                ask("globex.acme.example.com"),
                MISMATCH,
            ),
            (
                "its own label first",
                ask("acme.globex.example.com"),
                PASSES,
            ),
            ("longer", ask("acme2.example.com"), MISMATCH),
            ("the other label", ask("www.acme.org"), PASSES),
            ("no such label", ask("acme"), MISMATCH),
            (
                "claims have their case",
                of("ACME", "acme.example.com"),
                MISMATCH,
            ),
            ("an address", of("0", "192.0.2.1"), MISMATCH),
            ("an address with a port", of("0", "192.0.2.1:80"), MISMATCH),
            ("an address in another form", of("0x0", "192.0x0"), MISMATCH),
            ("an IPv6 address", of("db8", "[2001:db8::1]"), MISMATCH),
            (
                "two hosts",
                ask("acme.example.com,globex.example.com"),
                HOST,
            ),
            (
                "user information",
                ask("acme.example.com@globex.example.com"),
                HOST,
            ),
        ],
    );
    // Envoy takes a trailing dot away.
    tables.judge_natively(
        config,
        &[("a trailing dot", ask("acme.example.com."), HOST)],
    );
}

fn a_tenant_is_one_string(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([{
        "match": { "path": { "template": "/t/{tenant}" } },
        "claims": by(json!({ "path": "tenant" })),
    }]);
    let ask = |path: &str, claims: Value| get(path).bearer(key.token(claims));
    tables.judge(
        policy(&key, rules),
        &[
            ("a string", ask("/t/7", json!({ "tenant": "7" })), PASSES),
            ("a number", ask("/t/7", json!({ "tenant": 7 })), MISMATCH),
            (
                "a boolean",
                ask("/t/true", json!({ "tenant": true })),
                MISMATCH,
            ),
            ("null", ask("/t/null", json!({ "tenant": null })), MISMATCH),
            (
                "several",
                ask("/t/acme", json!({ "tenant": ["acme", "globex"] })),
                MISMATCH,
            ),
            (
                "one of one",
                ask("/t/acme", json!({ "tenant": ["acme"] })),
                MISMATCH,
            ),
            (
                "words",
                ask("/t/acme", json!({ "tenant": "acme globex" })),
                MISMATCH,
            ),
            (
                "an object",
                ask("/t/acme", json!({ "tenant": { "id": "acme" } })),
                MISMATCH,
            ),
            ("none", ask("/t/acme", json!({})), MISMATCH),
            (
                "another claim",
                ask("/t/acme", json!({ "tenants": "acme" })),
                MISMATCH,
            ),
        ],
    );
}

fn keys(rules: Value) -> Value {
    let key = |id: &str, more: Value| amended(api_key(id, &sha256(id)), more);
    json!({
        "api_keys": { "keys": [
            key("a-key", json!({ "client": "ci", "tenant": "acme", "scopes": ["read", "write"] })),
            key("bare-key", json!({})),
        ] },
        "rules": rules,
    })
}

fn tenants_of_api_keys(tables: &mut Tables) {
    let rules = json!([{
        "match": { "path": { "template": "/t/{tenant}" } },
        "claims": by(json!({ "path": "tenant" })),
    }]);
    let ask = |key: &str, path: &str| get(path).with("x-api-key", key);
    tables.judge(
        keys(rules),
        &[
            ("its own", ask("a-key", "/t/acme"), PASSES),
            ("another's", ask("a-key", "/t/globex"), MISMATCH),
            ("none", ask("bare-key", "/t/acme"), MISMATCH),
            (
                "its id is no tenant",
                ask("bare-key", "/t/bare-key"),
                MISMATCH,
            ),
        ],
    );
}

fn an_api_key_has_four_claims(tables: &mut Tables) {
    let condition = |path: &str, claim: Value, test: Value| json!({ "match": { "path": { "exact": path } }, "claims": [amended(json!({ "claim": claim }), test)] });
    let rules = json!([
        condition("/sub", json!("sub"), json!({ "equals": "ci" })),
        condition(
            "/client",
            json!("client_id"),
            json!({ "one_of": ["ci", "bare-key"] })
        ),
        condition("/tenant", json!(["tenant"]), json!({ "present": true })),
        condition("/scope", json!("scope"), json!({ "contains": "read" })),
        condition("/whole", json!("scope"), json!({ "equals": "read write" })),
        condition("/present", json!("scope"), json!({ "present": true })),
        condition("/id", json!("key_id"), json!({ "present": true })),
        condition("/scp", json!("scp"), json!({ "present": true })),
        condition("/deep", json!("tenant.id"), json!({ "present": true })),
        condition("/dotted", json!(["sub.sub"]), json!({ "present": true })),
    ]);
    let key = |path: &str| get(path).with("x-api-key", "a-key");
    let bare = |path: &str| get(path).with("x-api-key", "bare-key");
    tables.judge(
        keys(rules),
        &[
            ("sub is the client", key("/sub"), PASSES),
            ("of another client", bare("/sub"), MISMATCH),
            ("client_id is the client", key("/client"), PASSES),
            ("the client is the id by default", bare("/client"), PASSES),
            ("a tenant", key("/tenant"), PASSES),
            ("no tenant", bare("/tenant"), MISMATCH),
            ("a scope", key("/scope"), PASSES),
            ("all scopes", key("/whole"), PASSES),
            ("no scope", bare("/scope"), MISMATCH),
            ("no scope at all", bare("/present"), MISMATCH),
            ("no other claim", key("/id"), MISMATCH),
            ("no other name of one", key("/scp"), MISMATCH),
            ("nothing below one", key("/deep"), MISMATCH),
            ("no name with dots", key("/dotted"), MISMATCH),
        ],
    );
}

fn preflights_of_tenants(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rules = json!([
        { "match": { "path": { "template": "/t/{tenant}" } }, "claims": by(json!({ "path": "tenant" })) },
        { "match": { "path": { "exact": "/h" } }, "claims": by(json!({ "header": "x-tenant" })) },
    ]);
    let acme = key.token(json!({ "tenant": "acme" }));
    tables.judge(
        policy(&key, rules),
        &[
            (
                "without a credential",
                preflight("/t/globex", "POST"),
                PASSES,
            ),
            (
                "with one, to its own",
                preflight("/t/acme", "POST").bearer(&acme),
                PASSES,
            ),
            (
                "with one, to another's",
                preflight("/t/globex", "POST").bearer(&acme),
                MISMATCH,
            ),
            (
                "with one, and a header that is only announced",
                preflight("/h", "POST")
                    .bearer(&acme)
                    .with("access-control-request-headers", "x-tenant"),
                MISMATCH,
            ),
        ],
    );
}
