//! Shadow mode: every request passes, and what would have been refused is counted and logged.

use serde_json::json;

use crate::harness::client::get;
use crate::harness::gateway::Gateway;
use crate::harness::keys::{Key, fresh_api_key, sha256};
use crate::harness::policy::provider;

#[test]
fn shadow_mode_lets_everything_pass_and_tells() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({}));
    let expired = key.token(json!({ "exp": 1 }));
    let policy = json!({
        "mode": "shadow",
        "filter_state": ["decision", "code"],
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
