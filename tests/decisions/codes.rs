//! Every code of the contract that exists is reached; the harness checks its status, its error
//! and its challenge.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_core::decision::Code;
use portcullis_core::policy::ProviderId;
use portcullis_core::policy::provider::CredentialSource;
use portcullis_core::spent::Spent;
use portcullis_core::verification::Refusal;
use portcullis_core::verification::callout::{Fetch, Reply};
use portcullis_core::verification::introspection::Introspected;
use portcullis_core::verification::source::SourceId;
use portcullis_core::verification::spending::SpentId;
use serde_json::json;

use super::harness::keys::{Key, amended, encode, sha256, tampered};
use super::harness::policy::{ISSUER, only, provider, remote_provider};
use super::harness::{Filter, NOW, Stage, fetched, get};

#[test]
fn every_code_is_reached() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(json!({
        "providers": { "corp": amended(provider([&key]), json!({
            "from": { "headers": [{ "name": "authorization", "prefix": "Bearer " }], "cookies": ["session"] },
        })) },
        "api_keys": { "keys": [
            { "id": "old", "hash": sha256("old"), "expires_at": "2020-01-01T00:00:00Z" },
            { "id": "new", "hash": sha256("new"), "not_before": "2030-01-01T00:00:00Z" },
            { "id": "lost", "hash": sha256("lost"), "revoked": true },
        ] },
        "rules": [
            { "match": { "path": { "exact": "/scope" } }, "scopes": { "all": ["s"] } },
            { "match": { "path": { "exact": "/claim" } }, "claims": [{ "claim": "c", "present": true }] },
            { "match": { "path": { "exact": "/deny" } }, "access": "deny" },
            { "match": { "path": { "exact": "/strong" } }, "authentication": { "acr": ["phr"] } },
            { "match": { "path": { "exact": "/mcp" } }, "mcp": { "tools": [
                { "name": "pay", "approval": { "type": "payment", "once": true } },
            ] } },
            { "match": { "path": { "exact": "/" } } },
        ],
    }));
    let with = |changes| get("/").bearer(key.token(changes));
    let api_key = |secret| get("/").with("x-api-key", secret);
    let tool = |name| {
        let post = get("/mcp").method("POST");
        post.with("mcp-protocol-version", "2026-07-28")
            .with("mcp-method", "tools/call")
            .with("mcp-name", name)
    };
    let good = key.token(json!({}));
    let mut reached: BTreeSet<&str> = [
        get("/"),
        with(json!({ "exp": 1 })),
        with(json!({ "nbf": NOW + 600 })),
        get("/").bearer(tampered(&good)),
        with(json!({ "iss": "other" })),
        with(json!({ "aud": "other" })),
        get("/").bearer(key.token_with(json!({ "kid": "other" }), json!({}))),
        get("/").bearer(key.token_with(json!({ "alg": "none" }), json!({}))),
        get("/").bearer("x"),
        get("/").bearer(key.token_with(json!({ "crit": ["x"] }), json!({}))),
        api_key("unknown"),
        api_key("old"),
        api_key("new"),
        api_key("lost"),
        get("/").bearer(&good).bearer(&good),
        get("/a//b"),
        get("/").host("a,b"),
        get("/").bearer("x".repeat(20_000)),
        get("/scope").bearer(&good),
        get("/claim").bearer(&good),
        get("/mcp").with("origin", "https://evil.example"),
        get("/mcp").bearer(&good),
        get("/mcp").method("POST").bearer(&good),
        tool("other").bearer(&good),
        tool("pay").bearer(&good),
        get("/nowhere"),
        get("/deny"),
        get("/strong").bearer(&good),
        get("/")
            .method("POST")
            .with("cookie", "session=x")
            .with("sec-fetch-site", "cross-site"),
    ]
    .iter()
    .map(|ask| filter.ask(ask).code())
    .collect();

    let details = json!([{ "type": "payment", "identifier": "pay" }]);
    let approved = json!({ "jti": "1", "authorization_details": details });
    let ask = tool("pay").bearer(key.token(approved));
    let Stage::Waits(waiting, _) = filter.begin(&ask) else {
        panic!("nobody knows whether it was used before");
    };
    let unrecorded = Reply::Spent(SpentId::Approval, Spent::Unrecorded);
    if let Stage::Answered(answer) = filter.resume(waiting, &ask, unrecorded) {
        reached.insert(answer.code());
    }

    let mut cold = Filter::new(only(amended(
        remote_provider(ISSUER, "/jwks.json"),
        json!({}),
    )));
    let ask = get("/").bearer(&good);
    let Stage::Waits(waiting, _) = cold.begin(&ask) else {
        panic!("it has no keys to decide with");
    };
    let retry_after = Duration::ZERO;
    let failed = fetched(Fetch::Failed { retry_after });
    if let Stage::Answered(answer) = cold.resume(waiting, &ask, failed) {
        reached.insert(answer.code());
    }

    let asked = json!({ "introspection": {
        "cluster": "as", "uri": "http://as/introspect",
        "client_id": "gateway", "client_secret": { "danger_inline": "s" },
    } });
    for answer in [
        Introspected::Unavailable,
        Introspected::Refused(Refusal::Inactive),
    ] {
        let mut filter = Filter::new(only(amended(provider([&key]), asked.clone())));
        let ask = get("/").bearer("opaque");
        let Stage::Waits(waiting, _) = filter.begin(&ask) else {
            panic!("the token is not introspected");
        };
        let reply = Reply::Introspection(answer);
        if let Stage::Answered(answer) = filter.resume(waiting, &ask, reply) {
            reached.insert(answer.code());
        }
    }

    let listed =
        json!({ "revocation": { "list": { "cluster": "as", "uri": "http://as/revoked" } } });
    let mut filter = Filter::new(only(amended(provider([&key]), listed)));
    let ask = with(json!({ "jti": "lost" }));
    let Stage::Waits(waiting, _) = filter.begin(&ask) else {
        panic!("it has no list to decide with");
    };
    let failed = Reply::Source(
        SourceId::Revocation(CredentialSource::Provider(ProviderId(0))),
        Fetch::Failed { retry_after },
    );
    if let Stage::Answered(answer) = filter.resume(waiting, &ask, failed) {
        reached.insert(answer.code());
    }
    filter.revoke(r#"{"cursor": "1", "revoked": [{"jti": "lost", "exp": 4102444800}]}"#);
    reached.insert(filter.ask(&ask).code());

    let mut filter = Filter::new(only(amended(provider([&key]), json!({ "dpop": {} }))));
    let bound = key.token(json!({ "cnf": { "jkt": encode([7; 32]) } }));
    let ask = get("/").with("authorization", format!("DPoP {bound}"));
    reached.insert(filter.ask(&ask).code());

    let all: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(reached, all);
}
