//! What a configuration means once it is compiled.

use std::rc::Rc;
use std::time::Duration;

use portcullis_core::config::FilterStateField;
use portcullis_core::keys::{Algorithm, AlgorithmSet};
use portcullis_core::policy::callout::{Fallback, When};
use portcullis_core::policy::claim::{ClaimId, ClaimPath};
use portcullis_core::policy::endpoint::Endpoint;
use portcullis_core::policy::forward::{ForwardCredential, Identity};
use portcullis_core::policy::location::{CredentialLocation, Prefix};
use portcullis_core::policy::provider::{Audiences, DpopMode, Keys, Provider};
use portcullis_core::policy::requirement::{Access, Rule, Test};
use portcullis_core::policy::{
    Audit, Limits, Mode, Policy, ProviderId, Unmatched, compile_api_keys,
};
use portcullis_core::secret::{Digest, Pepper, Secret};
use portcullis_core::time::UnixTime;

use crate::compile_yaml;

fn policy(yaml: &str) -> Policy {
    match compile_yaml(yaml) {
        Ok(compiled) => compiled.policy,
        Err(invalid) => panic!("{invalid}"),
    }
}

fn header(name: &str, prefix: Prefix) -> CredentialLocation {
    let name = name.into();
    CredentialLocation::Header { name, prefix }
}

fn dotted(path: &str) -> ClaimPath {
    ClaimPath::from_dotted(path).unwrap()
}

const DEFAULTS: &str = r#"
providers:
  corp:
    issuer: https://idp/
    audiences: [a]
    jwks: {remote: {cluster: idp, uri: "https://idp"}}
api_keys:
  keys: [{id: k, hash: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}]
rules: [{}]
"#;

#[test]
fn what_is_not_written_has_the_default_of_the_reference() {
    let policy = policy(DEFAULTS);
    assert_eq!(&*policy.realm, "portcullis");
    assert_eq!(policy.mode, Mode::Enforce);
    assert_eq!(policy.unmatched, Unmatched::Deny);
    assert!(policy.allow_cors_preflight);
    assert_eq!(policy.audit, Audit::Denied);
    let limits = Limits {
        token_bytes: 16384,
        token_cache_entries: 4096,
        introspection_cache_entries: 4096,
        #[cfg(feature = "ai")]
        budget_callers: 65_536,
    };
    assert_eq!(policy.limits, limits);
    let places = [
        header("authorization", Prefix::Scheme("bearer".into())),
        header("x-api-key", Prefix::None),
    ];
    assert_eq!(policy.locations, places.clone().map(Rc::new));
    assert!(policy.filter_state.is_empty());

    let provider = &policy.providers[0];
    assert_eq!(provider.algorithms, AlgorithmSet::DEFAULT);
    assert_eq!(provider.clock_tolerance, Duration::from_secs(30));
    assert!(provider.require_exp);
    assert_eq!(provider.max_lifetime, None);
    assert_eq!(provider.types.names, ["at+jwt".into(), "jwt".into()]);
    assert!(provider.types.absent);
    assert_eq!(provider.locations, [Rc::new(places[0].clone())]);
    assert_eq!(provider.scope_claims, [dotted("scope"), dotted("scp")]);
    assert_eq!(
        provider.client_id_claims,
        [dotted("client_id"), dotted("azp")]
    );
    assert_eq!(provider.tenant_claim, dotted("tenant"));
    assert!(provider.dpop.is_none() && !policy.takes_proofs);
    let Keys::Remote(remote) = &provider.keys else {
        panic!("they are remote");
    };
    assert_eq!(remote.endpoint.timeout, Duration::from_secs(2));
    assert_eq!(&*remote.endpoint.path, "/");
    assert_eq!(remote.refresh_interval, Duration::from_secs(3600));
    assert_eq!(remote.min_refetch_interval, Duration::from_secs(6));
    assert_eq!(remote.max_staleness, Duration::from_secs(24 * 3600));

    let api_keys = policy.api_keys.unwrap();
    assert_eq!(api_keys.locations, [Rc::new(places[1].clone())]);
    let key = api_keys.inline.sha256.values().next().unwrap();
    assert_eq!((&*key.id, &*key.client), ("k", "k"));
    assert_eq!(&*key.scopes.text(), "");
    assert!(key.tenant.is_none() && key.not_before.is_none() && key.expires_at.is_none());
    assert!(!key.revoked);

    let rule = &policy.rules[0];
    assert_eq!(&*rule.label, "rules[0]");
    assert_eq!(rule.access, Access::Required);
    assert_eq!(accepted(rule), (vec![ProviderId(0)], true));
    assert_eq!(rule.locations, policy.locations);
    assert!(rule.audiences.is_empty() && rule.demands.is_empty() && rule.claims.is_empty());

    let headers: Vec<_> = policy
        .forward
        .headers
        .iter()
        .map(|(n, i)| (&**n, *i))
        .collect();
    let six = [
        ("x-auth-subject", Identity::Subject),
        ("x-auth-client-id", Identity::ClientId),
        ("x-auth-scopes", Identity::Scopes),
        ("x-auth-tenant", Identity::Tenant),
        ("x-auth-provider", Identity::Provider),
        ("x-auth-key-id", Identity::KeyId),
    ];
    assert_eq!(headers, six);
    assert_eq!(policy.forward.payload_header, None);
    assert_eq!(policy.forward.credential, ForwardCredential::Strip);
}

#[test]
fn proofs_of_possession_have_the_defaults_of_the_reference() {
    let policy = policy(
        "providers: {corp: {issuer: i, audiences: [a], dpop: {}, jwks: {remote: {cluster: c, uri: \"http://h\"}}}}",
    );
    let dpop = policy.providers[0].dpop.as_ref().unwrap();
    assert_eq!(dpop.mode, DpopMode::Optional);
    assert_eq!(dpop.max_age, Duration::from_secs(60));
    let algorithms = [Algorithm::Es256, Algorithm::EdDsa];
    assert_eq!(dpop.algorithms, AlgorithmSet::from_iter(algorithms));
    assert_eq!(dpop.replay_cache_entries, 65_536);
}

#[test]
fn what_is_written_is_meant() {
    let policy = policy(include_str!("good/most.yaml"));
    assert_eq!(&*policy.realm, "example");
    assert_eq!(policy.mode, Mode::Shadow);
    assert_eq!(policy.unmatched, Unmatched::Anonymous);
    assert!(!policy.allow_cors_preflight);
    assert_eq!(policy.audit, Audit::All);
    let fields = [FilterStateField::Code, FilterStateField::Subject];
    assert_eq!(policy.filter_state, fields);
    let limits = Limits {
        token_bytes: 8192,
        token_cache_entries: 0,
        introspection_cache_entries: 4096,
        #[cfg(feature = "ai")]
        budget_callers: 65_536,
    };
    assert_eq!(policy.limits, limits);

    let named = |name: &str| {
        let index = policy.providers.iter().position(|p| &*p.name == name);
        let index = index.unwrap();
        assert_eq!(policy.providers[index].id, ProviderId(index));
        (ProviderId(index), &policy.providers[index])
    };
    let place = |place: CredentialLocation| {
        let known = policy.locations.iter().find(|l| ***l == place);
        Rc::clone(known.unwrap_or_else(|| panic!("{place:?} is not there")))
    };

    let (corp_id, corp) = named("corp");
    let three = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    assert_eq!(corp.algorithms, AlgorithmSet::from_iter(three));
    assert!(matches!(&corp.audiences, Audiences::OneOf(all) if all.len() == 2));
    let Keys::Remote(remote) = &corp.keys else {
        panic!("they are remote");
    };
    assert_eq!(&*remote.endpoint.scheme, "https");
    assert_eq!(&*remote.endpoint.authority, "idp.example.com:8443");
    assert_eq!(&*remote.endpoint.path, "/?set=all");
    assert_eq!(remote.refresh_interval, Duration::from_secs(5400));
    assert_eq!(remote.max_staleness, Duration::from_secs(86400));
    assert_eq!(corp.clock_tolerance, Duration::ZERO);
    assert!(!corp.require_exp);
    assert_eq!(corp.max_lifetime, Some(Duration::from_secs(5400)));
    let names: Vec<_> = corp.types.names.iter().map(AsRef::as_ref).collect();
    assert_eq!(names, ["at+jwt", "jwt", "secevent+jwt"]);
    assert!(!corp.types.absent);
    let literal: [ClaimPath; 2] = [
        dotted("scope"),
        ClaimPath::new(["https://example.com/scope".into()]).unwrap(),
    ];
    assert_eq!(corp.scope_claims, literal);
    assert_eq!(corp.tenant_claim, dotted("org.tenant"));
    let places = vec![
        place(header("authorization", Prefix::Scheme("bearer".into()))),
        place(header("x-token", Prefix::None)),
        place(header("x-custom", Prefix::Literal("jwt:".into()))),
        place(CredentialLocation::Query {
            name: "access_token".into(),
        }),
        place(CredentialLocation::Cookie {
            name: "session".into(),
        }),
        // Not in `from`.
        place(CredentialLocation::dpop()),
    ];
    assert_eq!(corp.locations, places);
    let dpop = corp.dpop.as_ref().unwrap();
    assert_eq!(dpop.mode, DpopMode::Required);
    assert_eq!(dpop.max_age, Duration::from_secs(3600));
    let proofs = [Algorithm::Ps256, Algorithm::Es384, Algorithm::EdDsa];
    assert_eq!(dpop.algorithms, AlgorithmSet::from_iter(proofs));
    assert_eq!(dpop.replay_cache_entries, 1);
    assert!(policy.takes_proofs);

    let (_, partner) = named("partner");
    assert!(matches!(partner.audiences, Audiences::Any));
    // One location for all who look there.
    let bearer = place(header("authorization", Prefix::Scheme("bearer".into())));
    assert_eq!(partner.locations, [Rc::clone(&bearer)]);
    assert!(Rc::ptr_eq(&partner.locations[0], &bearer));
    assert!(matches!(&partner.keys, Keys::Inline(keys) if keys.len() == 1));

    let api_keys = policy.api_keys.as_ref().unwrap();
    let pepper = api_keys.pepper.as_ref().unwrap();
    let same = Pepper::new(&Secret::new("0123456789abcdef0123"));
    assert_eq!(pepper.digest(b"test"), same.digest(b"test"));
    let digest = Digest::sha256(b"test");
    let table = &api_keys.inline;
    let key = &table.sha256[&digest];
    assert_eq!((&*key.id, &*key.client), ("ci-bot-2026", "ci-bot"));
    assert_eq!(&*key.scopes.text(), "data:read data:write");
    assert_eq!(key.tenant.as_deref(), Some("acme"));
    assert_eq!(key.not_before, Some(UnixTime::from_secs(1_767_225_600)));
    let end = UnixTime::from_secs(1_798_761_600).plus(Duration::from_millis(500));
    assert_eq!(key.expires_at, Some(end));
    // The same digits of the other kind are another key.
    assert!(table.hmac_sha256[&digest].revoked);

    let chat = &policy.rules[1];
    assert_eq!(&*policy.rules[0].label, "health");
    assert_eq!(policy.rules[0].access, Access::Anonymous);
    assert_eq!(&*chat.label, "rules[1]");
    assert_eq!(accepted(chat), (vec![corp_id], true));
    assert_eq!(chat.audiences, ["chat".into()]);
    assert_eq!(chat.demands.scopes_to_ask_for().join(" "), "chat:write");
    assert!(!chat.demands.is_empty());
    let claim = |i: usize| &policy.claims[chat.claims[i].claim.0];
    assert_eq!(*claim(0), dotted("realm_access.roles"));
    assert_eq!(
        claim(1).members().collect::<Vec<_>>(),
        ["https://x.com/roles"]
    );
    assert!(matches!(&chat.claims[1].test, Test::OneOf(all) if all.len() == 3));
    assert!(matches!(&chat.claims[2].test, Test::Equals(v) if v.as_str() == Some("acme")));
    assert!(matches!(chat.claims[3].test, Test::Present));
    // A claim that is asked about twice, or forwarded as well, is held once.
    assert_eq!(chat.claims[2].claim, chat.claims[3].claim);
    // These four, `acr`, `auth_time` and `authorization_details`.
    assert_eq!(policy.claims.len(), 7);

    let headers: Vec<_> = policy
        .forward
        .headers
        .iter()
        .map(|(n, i)| (&**n, *i))
        .collect();
    assert!(
        headers.contains(&("x-user", Identity::Subject)),
        "{headers:?}"
    );
    assert!(headers.contains(&("x-again", Identity::Claim(chat.claims[2].claim))));
    assert!(headers.contains(&("x-department", Identity::Claim(ClaimId(6)))));
    assert_eq!(policy.forward.payload_header.as_deref(), Some("x-claims"));
    assert_eq!(policy.forward.credential, ForwardCredential::Keep);
}

#[test]
fn what_a_tool_asks_is_added_to_what_its_rule_asks() {
    let policy = policy(include_str!("good/most.yaml"));
    let rule = policy.rules.last().unwrap();
    let mcp = rule.mcp.as_ref().unwrap();
    assert_eq!(mcp.origins[0].as_str(), "https://app.example.com");
    assert_eq!(mcp.methods, ["tools/list".into(), "notifications/x".into()]);
    assert_eq!((mcp.tools.len(), mcp.prompts.len()), (3, 1));
    // They ask for nothing more.
    assert!(mcp.tools[0].demands.is_none());
    assert!(mcp.resources[0].demands.is_none());

    let demands = mcp.tools[1].demands.as_ref().unwrap();
    assert_eq!(demands.scopes_to_ask_for(), ["mcp:use", "tools:admin"]);
    let authentication = demands.authentication.as_ref().unwrap();
    let (_, contexts) = authentication.contexts.as_ref().unwrap();
    assert_eq!(*contexts, ["phr".into(), "phrh".into()]);
    let (_, max_age) = authentication.max_age.unwrap();
    assert_eq!(max_age, Duration::from_secs(300));
    let approvals = demands.approvals.iter().map(|a| (&*a.kind, a.once));
    let approvals: Vec<_> = approvals.collect();
    assert_eq!(approvals, [("session", false), ("tool_call", true)]);

    let demands = mcp.tools[2].demands.as_ref().unwrap();
    let authentication = demands.authentication.as_ref().unwrap();
    let (_, contexts) = authentication.contexts.as_ref().unwrap();
    assert_eq!(*contexts, ["mfa".into(), "phr".into(), "phrh".into()]);
    let (_, max_age) = authentication.max_age.unwrap();
    assert_eq!(max_age, Duration::from_secs(600));

    let demands = mcp.prompts[0].demands.as_ref().unwrap();
    assert_eq!(demands.scopes_to_ask_for(), ["mcp:use", "a", "b"]);
}

/// Whose credentials a rule accepts: which providers', and whether API keys.
fn accepted(rule: &Rule) -> (Vec<ProviderId>, bool) {
    let ids = rule.accepts.providers.iter().map(|p: &Rc<Provider>| p.id);
    (ids.collect(), rule.accepts.api_keys)
}

fn authorization_of(endpoint: &Endpoint) -> Option<&[u8]> {
    endpoint.authorization.as_ref().map(Secret::expose)
}

#[test]
fn callouts() {
    let policy = policy(include_str!("good/callouts.yaml"));
    let named = |name: &str| policy.providers.iter().find(|p| &*p.name == name).unwrap();

    let opaque = named("opaque");
    assert!(matches!(opaque.keys, Keys::None));
    let introspection = opaque.introspection.as_ref().unwrap();
    assert_eq!(&*introspection.endpoint.path, "/introspect");
    assert_eq!(introspection.endpoint.timeout, Duration::from_millis(500));
    assert_eq!(introspection.when, When::Opaque);
    assert_eq!(introspection.cache_ttl, Duration::from_secs(30));
    assert_eq!(introspection.negative_cache_ttl, Duration::from_secs(5));
    assert_eq!(introspection.on_unavailable, Fallback::Deny);
    // RFC 6749 §2.3.1: `gate+way:a%2Bb%2Fc%3A%C3%A9`
    let authorization = b"Basic Z2F0ZSt3YXk6YSUyQmIlMkZjJTNBJUMzJUE5";
    assert_eq!(
        authorization_of(&introspection.endpoint),
        Some(&authorization[..])
    );
    let list = opaque.revocation_list.as_ref().unwrap();
    assert_eq!(&*list.endpoint.path, "/revocations?tenant=a");
    assert_eq!(list.endpoint.timeout, Duration::from_secs(2));
    assert_eq!(authorization_of(&list.endpoint), None);
    assert_eq!(list.refresh_interval, Duration::from_secs(5));
    assert_eq!(list.max_staleness, Duration::from_secs(60));
    assert_eq!(list.on_stale, Fallback::Deny);
    assert!(opaque.status_lists.is_none());

    let always = named("always");
    let introspection = always.introspection.as_ref().unwrap();
    assert_eq!(introspection.when, When::Always);
    assert_eq!(introspection.cache_ttl, Duration::ZERO);
    assert_eq!(introspection.on_unavailable, Fallback::Allow);
    let list = always.revocation_list.as_ref().unwrap();
    assert_eq!(list.on_stale, Fallback::Allow);
    assert_eq!(
        authorization_of(&list.endpoint),
        Some(&b"Basic Z2F0ZXdheTpz"[..])
    );
    let lists = always.status_lists.as_ref().unwrap();
    assert!(!lists.required);
    assert_eq!(lists.on_unavailable, Fallback::Allow);
    assert_eq!(&*lists.uri_prefix, "http://authority/status/");
    assert_eq!(&*lists.endpoint.path, "/status/");

    let lists = named("status").status_lists.as_ref().unwrap();
    assert!(lists.required);
    assert_eq!(lists.on_unavailable, Fallback::Deny);
    assert_eq!(lists.endpoint.timeout, Duration::from_secs(2));
    let variable = Some(&b"0123456789abcdef0123"[..]);
    assert_eq!(authorization_of(&lists.endpoint), variable);

    let api_keys = policy.api_keys.as_ref().unwrap();
    assert!(api_keys.inline.sha256.is_empty());
    let remote = api_keys.remote.as_ref().unwrap();
    assert_eq!(authorization_of(&remote.endpoint), variable);
    assert_eq!(remote.refresh_interval, Duration::from_secs(30));
    assert_eq!(remote.max_staleness, Duration::from_secs(3600));
    let list = api_keys.revocation_list.as_ref().unwrap();
    assert_eq!(list.refresh_interval, Duration::from_secs(120));
}

#[test]
fn a_remote_list_of_api_keys_is_read_like_the_inline_one() {
    let pepper = Pepper::new(&Secret::new("0123456789abcdef0123"));
    let list = r#"{"keys": [
        {"id": "a", "hash": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
        {"id": "b", "hash": "hmac-sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
    ]}"#;
    let table = compile_api_keys(list.as_bytes(), Some(&pepper)).unwrap();
    let digest = Digest::sha256(b"test");
    assert_eq!(&*table.sha256[&digest].id, "a");
    assert_eq!(&*table.hmac_sha256[&digest].id, "b");
    // Nobody has a key any more.
    let table = compile_api_keys(br#"{"keys": []}"#, None).unwrap();
    assert!(table.sha256.is_empty() && table.hmac_sha256.is_empty());

    for (body, message) in [
        (
            "",
            "list of API keys: found nothing, expected a JSON object",
        ),
        (
            "<html>",
            "list of API keys: found invalid JSON: expected value at line 1 column 1, expected a JSON object",
        ),
        ("{}", "keys: required"),
        (
            r#"{"keys": {}}"#,
            "keys: found an object, expected an array",
        ),
        (r#"{"keys": [{"id": "a"}]}"#, "keys[0].hash: required"),
        (
            list,
            "keys[1].hash: found an hmac-sha256 hash, expected a sha256 hash, as api_keys has no \
             pepper",
        ),
    ] {
        let invalid = compile_api_keys(body.as_bytes(), None).unwrap_err();
        assert_eq!(invalid.to_string(), message);
    }
}

/// RFC 4231 §4, test cases 1, 2, 6: a key shorter than a block, and one longer.
#[test]
fn peppered_digests_are_hmac_sha256() {
    let cases: [(&[u8], &[u8], &str); 3] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ];
    for (key, message, expected) in cases {
        let digest = Pepper::new(&Secret::new(key)).digest(message);
        let hex = base16ct::lower::encode_string(digest.as_bytes());
        assert_eq!(hex, expected);
    }
}
