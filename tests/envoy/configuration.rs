//! Configurations that load, and many that must not.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::get;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, encode, hmac_sha256, sha256};
use crate::harness::policy::{AUDIENCE, only, provider};
use crate::harness::poll;

/// What Envoy says when it refuses to start on a policy.
fn refusal(policy: Value) -> String {
    refusal_of(Setup::of(policy))
}

fn refusal_of(setup: Setup) -> String {
    match setup.try_start() {
        Ok(gateway) => panic!("Envoy started:\n{}", gateway.log_tail()),
        Err(refused) => refused.log,
    }
}

/// Every path is told; list indices are as good as `rules[0]` as they are as `rules.0`.
fn assert_told(log: &str, paths: &[&str]) {
    let told = log.replace('[', ".").replace(['"', ']'], "");
    let untold: Vec<_> = paths.iter().filter(|path| !told.contains(*path)).collect();
    assert!(
        untold.is_empty(),
        "nothing is said of {untold:#?} in\n{log}"
    );
}

#[test]
fn all_faults_of_providers_are_told_at_once() {
    let key = Key::new("ES256", "k");
    let provider = |issuer: &str, changes: Value| {
        amended(
            amended(provider([&key]), json!({ "issuer": issuer })),
            changes,
        )
    };
    let inline = |keys: Value| json!({ "jwks": { "inline": { "keys": keys } } });
    let remote = |changes: Value| {
        let remote = amended(
            json!({ "cluster": "idp", "uri": "http://idp/jwks" }),
            changes,
        );
        json!({ "jwks": { "remote": remote } })
    };
    let private = amended(key.jwk(), json!({ "d": encode([1; 32]) }));
    let weak = json!({ "kty": "RSA", "kid": "weak", "n": encode([0xc1; 128]), "e": "AQAB" });
    let log = refusal(json!({
        "providers": {
            "no-issuer": amended(provider("", json!({})), json!({ "issuer": null })),
            "no-audience": provider("b", json!({ "audiences": null })),
            "empty-audience": provider("c", json!({ "audiences": [] })),
            "odd-alg": provider("d", json!({ "algorithms": ["RS257"] })),
            "alg-none": provider("d2", json!({ "algorithms": ["none"] })),
            "no-alg": provider("e", json!({ "algorithms": [] })),
            "two-sources": provider("f", amended(remote(json!({})), json!({ "jwks": { "inline": { "keys": [key.jwk()] }, "remote": { "cluster": "a", "uri": "http://a/" } } }))),
            "no-source": provider("g", json!({ "jwks": {} })),
            "no-jwks": provider("h", json!({ "jwks": null })),
            "no-cluster": provider("i", remote(json!({ "cluster": null }))),
            "no-uri": provider("j", remote(json!({ "uri": null }))),
            "odd-uri": provider("k", remote(json!({ "uri": "idp/jwks" }))),
            "odd-timeout": provider("l", remote(json!({ "timeout": "soon" }))),
            "no-unit": provider("m", remote(json!({ "refresh_interval": "60" }))),
            "unknown-key": provider("n", json!({ "audience": ["x"] })),
            "unknown-remote-key": provider("o", remote(json!({ "url": "http://idp/" }))),
            "much-tolerance": provider("p", json!({ "clock_tolerance": "11m" })),
            "tolerance-type": provider("q", json!({ "clock_tolerance": 30 })),
            "exp-type": provider("r", json!({ "require_exp": "yes" })),
            "twin-one": provider("twin", json!({})),
            "twin-two": provider("twin", json!({})),
            "private-key": provider("s", inline(json!([private]))),
            "weak-key": provider("t", inline(json!([weak]))),
            "no-key": provider("u", inline(json!([]))),
            "empty-from": provider("v", json!({ "from": { "headers": [] } })),
            "types-type": provider("w", json!({ "types": "at+jwt" })),
        },
        "rules": [{}],
    }));
    assert_told(
        &log,
        &[
            "providers.no-issuer.issuer: required",
            "providers.no-audience.audiences: required",
            "providers.empty-audience.audiences",
            "providers.odd-alg.algorithms",
            "providers.alg-none.algorithms",
            "providers.no-alg.algorithms",
            "providers.two-sources.jwks",
            "providers.no-source.jwks",
            "providers.no-jwks.jwks",
            "providers.no-cluster.jwks.remote.cluster: required",
            "providers.no-uri.jwks.remote.uri: required",
            "providers.odd-uri.jwks.remote.uri",
            "providers.odd-timeout.jwks.remote.timeout",
            "providers.no-unit.jwks.remote.refresh_interval",
            "providers.unknown-key.audience",
            "providers.unknown-remote-key.jwks.remote.url",
            "providers.much-tolerance.clock_tolerance",
            "providers.tolerance-type.clock_tolerance",
            "providers.exp-type.require_exp",
            "providers.twin-two.issuer",
            "providers.private-key.jwks.inline",
            "providers.weak-key.jwks.inline",
            "providers.no-key.jwks.inline",
            "providers.empty-from.from",
            "providers.types-type.types",
        ],
    );
    assert!(
        !log.contains(&encode([1; 32])),
        "the log repeats a private key"
    );
}

#[test]
fn all_faults_of_the_rest_are_told_at_once() {
    let key = Key::new("ES256", "k");
    let (shared, plaintext) = (
        sha256("shared"),
        "a-plaintext-key-in-the-configuration-by-mistake",
    );
    let rule = |part: &str, value: Value| json!({ part: value });
    let path = |path: Value| json!({ "match": { "path": path } });
    let rules = [
        ("credentials", rule("credentials", json!(["nobody"]))),
        ("credentials", rule("credentials", json!([]))),
        ("match.path", path(json!({ "exact": "/a", "prefix": "/b" }))),
        ("match.path", path(json!({}))),
        ("match.path.regex", path(json!({ "regex": "(" }))),
        ("match.path.regex", path(json!({ "regex": "(a)\\1" }))),
        ("match.path.template", path(json!({ "template": "/a/{" }))),
        ("match.path.prefix", path(json!({ "prefix": "a" }))),
        ("match.methods", json!({ "match": { "methods": [] } })),
        ("match.hosts", json!({ "match": { "hosts": [] } })),
        ("match.header", json!({ "match": { "header": "x" } })),
        ("access", rule("access", json!("open"))),
        ("scopes.all", rule("scopes", json!({ "all": ["a b"] }))),
        ("scopes.any", rule("scopes", json!({ "any": [""] }))),
        ("scopes.each", rule("scopes", json!({ "each": [] }))),
        (
            "claims.0",
            rule(
                "claims",
                json!([{ "claim": "a", "equals": 1, "contains": 2 }]),
            ),
        ),
        ("claims.0", rule("claims", json!([{ "claim": "a" }]))),
        ("claims.0.claim", rule("claims", json!([{ "equals": "a" }]))),
        (
            "danger_allow_in_path",
            rule("danger_allow_in_path", json!(["dot_segments"])),
        ),
        ("audiences", rule("audiences", json!([]))),
        ("scope", rule("scope", json!(["a"]))),
        ("name", rule("name", json!(7))),
    ];
    let policy = json!({
        "realm": 7,
        "mode": "log",
        "providers": { "corp": provider([&key]), "api_keys": amended(provider([&key]), json!({ "issuer": "x" })) },
        "api_keys": {
            "from": [{ "cookie": "x" }],
            "keys": [
                { "id": "plain", "hash": plaintext },
                { "id": "one", "hash": shared },
                { "id": "two", "hash": shared },
                { "id": "one", "hash": sha256("other") },
                { "id": "empty", "hash": sha256("") },
                { "id": "short", "hash": "sha256:abcd" },
                { "id": "peppered", "hash": hmac_sha256("pepper", "x") },
                { "hash": sha256("anonymous") },
                { "id": "time", "hash": sha256("time"), "expires_at": "tomorrow" },
                { "id": "key", "hash": sha256("key"), "owner": "x" },
            ],
        },
        "rules": rules.iter().map(|(_, rule)| rule.clone()).collect::<Vec<_>>(),
        "unmatched": "allow",
        "allow_cors_preflight": "yes",
        "forward": { "headers": { "x-a": "password", "x b": "subject" }, "credential": "drop" },
        "limits": { "token_bytes": -1, "tokens": 1 },
        "audit": "some",
        "rule": [],
    });
    let log = refusal(policy);
    let mut paths: Vec<String> = [
        "realm",
        "mode",
        "providers.api_keys",
        "api_keys.from.0",
        "api_keys.keys.0.hash",
        "api_keys.keys.2.hash",
        "api_keys.keys.3.id",
        "api_keys.keys.4.hash",
        "api_keys.keys.5.hash",
        "api_keys.keys.6.hash",
        "api_keys.keys.7.id: required",
        "api_keys.keys.8.expires_at",
        "api_keys.keys.9.owner",
        "unmatched",
        "allow_cors_preflight",
        "forward.headers.x-a",
        "forward.headers.x b:",
        "forward.credential",
        "limits.token_bytes",
        "limits.tokens",
        "audit",
    ]
    .map(str::to_owned)
    .into();
    paths.extend(
        rules
            .iter()
            .enumerate()
            .map(|(index, (part, _))| format!("rules.{index}.{part}")),
    );
    paths.push("rule:".to_owned());
    // Something of the pepper: that it is missing may be told where it is needed or where it belongs.
    let paths: Vec<&str> = paths
        .iter()
        .map(String::as_str)
        .filter(|path| *path != "api_keys.keys.6.hash")
        .collect();
    assert_told(&log, &paths);
    assert!(log.contains("pepper"), "{log}");
    assert!(
        !log.contains(plaintext),
        "the log repeats a plaintext key:\n{log}"
    );
}

#[test]
fn nothing_loads_by_mistake() {
    let key = Key::new("ES256", "k");
    let good = only(provider([&key]));
    let peppered = json!({
        "api_keys": { "pepper": { "env": "API_KEY_PEPPER" }, "keys": [{ "id": "a", "hash": hmac_sha256("sixteen bytes or more", "x") }] },
        "rules": [{}],
    });
    for (name, setup, told) in [
        (
            "nobody may come in",
            Setup::of(json!({ "rules": [{}] })),
            "provider",
        ),
        ("an empty object", Setup::of(json!({})), "provider"),
        ("a list", Setup::of(json!([])), ""),
        ("a string", Setup::of(json!("policy")), ""),
        (
            "a pepper that is not set",
            Setup::of(peppered.clone()),
            "api_keys.pepper",
        ),
        (
            "an empty pepper",
            Setup::of(peppered.clone()).environment("API_KEY_PEPPER", ""),
            "api_keys.pepper",
        ),
        (
            "a short pepper",
            Setup::of(peppered.clone()).environment("API_KEY_PEPPER", "fifteen bytes.."),
            "api_keys.pepper",
        ),
        (
            "a struct with an unknown key",
            Setup::of(amended(good.clone(), json!({ "rule": [] }))).in_a_struct(),
            "rule:",
        ),
    ] {
        let log = refusal_of(setup);
        assert!(log.contains(told), "{name}: {log}");
    }
    Setup::of(peppered)
        .environment("API_KEY_PEPPER", "sixteen bytes or more")
        .start();

    let twice =
        good.to_string()
            .replacen("\"audiences\":", "\"audiences\":[\"x\"],\"audiences\":", 1);
    let log = refusal_of(Setup::of(Value::Null).policy_text(&twice));
    assert_told(&log, &["providers.corp.audiences"]);
    for (name, text) in [
        ("no JSON", "{"),
        ("YAML", "providers:\n  corp: {}\n"),
        ("nothing", ""),
        ("two documents", "{}{}"),
    ] {
        let log = refusal_of(Setup::of(Value::Null).policy_text(text));
        assert!(
            log.contains("rror") || log.contains("expected"),
            "{name}: {log}"
        );
    }
}

#[test]
fn a_struct_is_as_good_as_a_string() {
    let key = Key::new("ES256", "k");
    let policy = amended(
        only(provider([&key])),
        json!({ "limits": { "token_bytes": 16384, "token_cache_entries": 0 } }),
    );
    Setup::of(policy).in_a_struct().start().table(|rows| {
        rows.passes("a good token", get("/").bearer(key.token(json!({}))));
        rows.refuses("none", get("/"), "MISSING_TOKEN");
    });
}

#[test]
fn durations_and_times_have_several_forms() {
    let key = Key::new("ES256", "k");
    let lenient = |issuer: &str, tolerance: &str| {
        amended(
            provider([&key]),
            json!({ "issuer": issuer, "clock_tolerance": tolerance }),
        )
    };
    let policy = json!({
        "providers": {
            "ms": lenient("ms", "500ms"), "s": lenient("s", "30s"), "m": lenient("m", "10m"), "proto": lenient("proto", "0.500s"), "zero": lenient("zero", "0s"),
            "h": amended(provider([&key]), json!({ "issuer": "h", "max_lifetime": "1h" })),
            "seconds": amended(provider([&key]), json!({ "issuer": "seconds", "max_lifetime": "3600s" })),
        },
        "rules": [{}],
    });
    Gateway::start(policy).table(|rows| {
        for issuer in ["ms", "s", "m", "proto", "zero", "h", "seconds"] {
            rows.passes(issuer, get("/").bearer(key.token(json!({ "iss": issuer }))));
        }
    });
}

#[test]
fn an_update_takes_effect_or_changes_nothing() {
    let (first, second) = (Key::new("ES256", "first"), Key::new("ES256", "second"));
    let gateway = Setup::of(only(provider([&first])))
        .workers(2)
        .over_lds()
        .start();
    let by = |key: &Key| get("/").bearer(key.token(json!({})));
    let serves = |name: &str, good: &Key, bad: &Key| {
        gateway.table(|rows| {
            for _ in 0..6 {
                rows.passes(name, by(good));
                rows.refuses(name, by(bad), "UNKNOWN_KEY");
            }
        });
    };
    serves("at the start", &first, &second);

    let bad = amended(
        only(provider([&second])),
        json!({ "rules": [{ "credentials": ["nobody"] }] }),
    );
    assert!(!gateway.update(bad), "Envoy takes a bad update");
    assert_told(&gateway.log(), &["rules.0.credentials"]);
    serves("after a bad update", &first, &second);

    thread::scope(|scope| {
        let under_way =
            scope.spawn(|| gateway.send(&by(&first).header("x-upstream-delay-ms", "3000")));
        thread::sleep(Duration::from_millis(300));
        assert!(
            gateway.update(only(provider([&second]))),
            "Envoy refuses a good update:\n{}",
            gateway.log_tail()
        );
        let taken = poll(Duration::from_secs(20), || {
            (gateway.send(&by(&second)).status == 200).then_some(())
        });
        assert!(
            taken.is_some(),
            "the update has no effect:\n{}",
            gateway.log_tail()
        );
        serves("after a good update", &second, &first);
        let answer = under_way.join().expect("no panic");
        assert_eq!(
            answer.status, 200,
            "the request under way was cut: {answer:?}"
        );
    });

    assert!(
        !gateway.update(json!({ "providers": {} })),
        "Envoy takes a bad update"
    );
    serves("after another bad update", &second, &first);
    let lenient = amended(
        only(provider([&first, &second])),
        json!({ "realm": AUDIENCE }),
    );
    assert!(
        gateway.update(lenient),
        "Envoy refuses a good update:\n{}",
        gateway.log_tail()
    );
    gateway.await_status(&by(&first), 200);
}
