//! Shadow mode: everything is judged, nothing is refused.

use serde_json::json;

use super::harness::keys::{Key, amended};
use super::harness::policy::{only, provider};
use super::harness::{Filter, get};

#[test]
fn a_refusal_is_only_noted() {
    let key = Key::new("ES256", "k");
    let config = amended(
        only(provider([&key])),
        json!({ "mode": "shadow", "filter_state": ["decision", "code"] }),
    );
    let mut filter = Filter::new(config);
    let forged = Key::new("ES256", "k").token(json!({ "sub": "mallory" }));
    for (ask, code) in [
        (get("/"), "MISSING_TOKEN"),
        (get("/").bearer(&forged), "INVALID_SIGNATURE"),
        (
            get("/").bearer(key.token(json!({ "exp": 1 }))),
            "TOKEN_EXPIRED",
        ),
        (get("/a//b").bearer(key.token(json!({}))), "AMBIGUOUS_PATH"),
        (get("/").bearer("x").bearer("y"), "AMBIGUOUS_CREDENTIALS"),
    ] {
        let answer = filter.ask(&ask.clone().with("x-auth-subject", "root"));
        assert_eq!(answer.code(), code);
        assert!(answer.reply.is_none());
        // No copy of the client's, no identity of ours, and the credential as it came.
        assert_eq!(answer.upstream.as_ref().unwrap().0, ask.0);
        assert_eq!(answer.state["portcullis.decision"], "shadow_deny");
        assert_eq!(answer.state["portcullis.code"], code);
        let audit = answer.audit();
        assert_eq!(
            (&audit["decision"], &audit["code"]),
            (&"shadow_deny".into(), &code.into())
        );
        assert!(audit["subject"].is_null());
    }
}

#[test]
fn a_would_be_allow_sets_identity_and_keeps_the_credential() {
    let key = Key::new("ES256", "k");
    let config = amended(
        only(provider([&key])),
        json!({ "mode": "shadow", "filter_state": ["decision", "code"] }),
    );
    let token = key.token(json!({}));
    let answer = Filter::new(config).ask(&get("/").bearer(&token).with("x-auth-subject", "root"));
    assert!(answer.passes());
    assert_eq!(answer.forwarded("x-auth-subject"), ["alice"]);
    assert_eq!(
        answer.forwarded("authorization"),
        [format!("Bearer {token}")]
    );
    assert_eq!(answer.state["portcullis.decision"], "allow");
}
