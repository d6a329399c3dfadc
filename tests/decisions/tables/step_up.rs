//! How a person must have authenticated (RFC 9470), and for whom an agent acts (RFC 8693).

use serde_json::{Value, json};

use super::{PASSES, Tables, get};
use crate::harness::keys::{Key, amended, sha256};
use crate::harness::now;
use crate::harness::policy::provider;

const WEAK: &str = "INSUFFICIENT_AUTHENTICATION";
const INVALID: &str = "INVALID_TOKEN";

judged! {
    contexts,
    ages,
    authentication_comes_before_scopes_and_claims,
    no_api_key_has_authenticated_anybody,
    actors,
}

fn with_rule(key: &Key, rule: Value) -> Value {
    json!({ "providers": { "corp": provider([key]) }, "rules": [rule] })
}

fn contexts(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let acr = |acr: Value| get("/").bearer(key.token(json!({ "acr": acr })));
    tables.judge(
        with_rule(
            &key,
            json!({ "authentication": { "acr": ["phr", "urn:mfa"] } }),
        ),
        &[
            ("the first", acr(json!("phr")), PASSES),
            ("another", acr(json!("urn:mfa")), PASSES),
            ("a lower one", acr(json!("pwd")), WEAK),
            ("none", get("/").bearer(key.token(json!({}))), WEAK),
            ("empty", acr(json!("")), WEAK),
            ("in another case", acr(json!("PHR")), WEAK),
            ("a list of both", acr(json!("phr urn:mfa")), WEAK),
            ("in an array", acr(json!(["phr"])), WEAK),
            ("a number", acr(json!(1)), WEAK),
        ],
    );
}

fn ages(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let time = |time: Value| get("/").bearer(key.token(json!({ "auth_time": time })));
    let ago = |seconds: i64| time(json!(now() - seconds));
    let policy = with_rule(&key, json!({ "authentication": { "max_age": "5m" } }));
    tables.judge(
        policy.clone(),
        &[
            ("a minute ago", ago(60), PASSES),
            ("with a fraction", time(json!(now() as f64 - 60.5)), PASSES),
            ("an hour ago", ago(3600), WEAK),
            ("in an hour", ago(-3600), WEAK),
            ("no time", get("/").bearer(key.token(json!({}))), WEAK),
            ("a string", time(json!((now() - 60).to_string())), WEAK),
            ("negative", time(json!(-1)), WEAK),
            ("beyond the year 9999", time(json!(1e15)), WEAK),
        ],
    );
    tables.judge_natively(
        policy,
        &[
            ("as old as it may be, and the tolerance", ago(330), PASSES),
            ("a second older", ago(331), WEAK),
            ("by a clock that is ahead", ago(-30), PASSES),
            ("a second further ahead", ago(-31), WEAK),
        ],
    );
    tables.judge(
        with_rule(
            &key,
            json!({ "authentication": { "max_age": "5m", "acr": ["phr"] } }),
        ),
        &[
            (
                "both hold",
                get("/").bearer(key.token(json!({ "auth_time": now(), "acr": "phr" }))),
                PASSES,
            ),
            ("no acr", time(json!(now())), WEAK),
            (
                "no time",
                get("/").bearer(key.token(json!({ "acr": "phr" }))),
                WEAK,
            ),
        ],
    );
}

fn authentication_comes_before_scopes_and_claims(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let rule = json!({
        "authentication": { "acr": ["phr"] },
        "scopes": { "all": ["read"] },
        "claims": [{ "claim": "team", "equals": "blue" }],
    });
    let with = |claims: Value| get("/").bearer(key.token(claims));
    tables.judge(
        with_rule(&key, rule),
        &[
            ("nothing", with(json!({})), WEAK),
            ("acr", with(json!({ "acr": "phr" })), "INSUFFICIENT_SCOPE"),
            (
                "acr and scope",
                with(json!({ "acr": "phr", "scope": "read" })),
                "CLAIM_MISMATCH",
            ),
            (
                "all",
                with(json!({ "acr": "phr", "scope": "read", "team": "blue" })),
                PASSES,
            ),
        ],
    );
}

fn no_api_key_has_authenticated_anybody(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let mut policy = with_rule(&key, json!({ "authentication": { "max_age": "8760h" } }));
    policy["api_keys"] = json!({ "keys": [{ "id": "bot", "hash": sha256("secret") }] });
    let ask = get("/").with("x-api-key", "secret");
    tables.judge(policy, &[("an API key", ask, WEAK)]);
}

fn actors(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let act = |act: Value| get("/").bearer(key.token(json!({ "act": act })));
    let bounded = |most: u64| {
        let provider = amended(provider([&key]), json!({ "max_actors": most }));
        json!({ "providers": { "corp": provider }, "rules": [{}] })
    };
    let one = json!({ "sub": "agent" });
    let two = json!({ "sub": "agent", "act": { "sub": "another" } });
    tables.judge(
        bounded(1),
        &[
            ("nobody", get("/").bearer(key.token(json!({}))), PASSES),
            ("one actor", act(one.clone()), PASSES),
            ("one actor for another", act(two.clone()), INVALID),
            ("no object", act(json!("agent")), INVALID),
            (
                "no object within",
                act(json!({ "sub": "a", "act": "b" })),
                INVALID,
            ),
        ],
    );
    tables.judge(
        bounded(0),
        &[
            ("nobody", get("/").bearer(key.token(json!({}))), PASSES),
            ("one actor", act(one), INVALID),
        ],
    );
    let rule = json!({ "claims": [{ "claim": "act.sub", "equals": "agent" }] });
    tables.judge(
        with_rule(&key, rule),
        &[
            ("the outermost actor", act(two), PASSES),
            (
                "an actor within",
                act(json!({ "sub": "another", "act": { "sub": "agent" } })),
                "CLAIM_MISMATCH",
            ),
            ("no limit", act(json!({ "sub": "agent", "act": 1 })), PASSES),
            ("no object", act(json!("agent")), INVALID),
            ("a number", act(json!({ "sub": 1 })), INVALID),
            ("an empty name", act(json!({ "sub": "" })), INVALID),
            ("no name", act(json!({})), "CLAIM_MISMATCH"),
        ],
    );
}
