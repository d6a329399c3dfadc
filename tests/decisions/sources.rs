//! Documents that are fetched: which there are, how often each is asked for, and what of it is read.

use std::collections::HashSet;
use std::time::Duration;

use portcullis_core::limits;
use portcullis_core::policy::ProviderId;
use portcullis_core::policy::provider::CredentialSource;
use portcullis_core::verification::callout::Service;
use portcullis_core::verification::source::{SourceId, sources};
use serde_json::json;

use super::harness::Filter;
use super::harness::keys::{Key, amended};
use super::harness::policy::{ISSUER, provider, remote_provider};

#[test]
fn every_source_is_fetched_as_often_as_it_is_written() {
    let key = Key::new("ES256", "k");
    let mut remote = remote_provider(ISSUER, "/jwks.json");
    remote["jwks"]["remote"]["refresh_interval"] = json!("10m");
    remote["jwks"]["remote"]["min_refetch_interval"] = json!("7s");
    let other = json!({
        "issuer": "https://other.example.com/",
        "revocation": { "list": { "cluster": "a", "uri": "http://a/tokens", "refresh_interval": "5s", "timeout": "3s" } },
    });
    let filter = Filter::new(json!({
        "providers": { "corp": remote, "other": amended(provider([&key]), other) },
        "api_keys": {
            "remote": { "cluster": "a", "uri": "http://a/keys", "refresh_interval": "20s" },
            "revocation": { "list": { "cluster": "a", "uri": "http://a/keys/revoked", "refresh_interval": "500ms" } },
        },
        "rules": [{}],
    }));
    let found = sources(&filter.policy);
    let seconds = Duration::from_secs;
    let expected = [
        (
            SourceId::Keys(ProviderId(0)),
            "providers.corp.jwks.remote",
            "/jwks.json",
            (seconds(600), seconds(7)),
        ),
        (
            SourceId::ApiKeys,
            "api_keys.remote",
            "/keys",
            (seconds(20), seconds(1)),
        ),
        (
            SourceId::Revocation(CredentialSource::Provider(ProviderId(1))),
            "providers.other.revocation.list",
            "/tokens",
            (seconds(5), seconds(1)),
        ),
        (
            SourceId::Revocation(CredentialSource::ApiKeys),
            "api_keys.revocation.list",
            "/keys/revoked",
            (Duration::from_millis(500), Duration::from_millis(500)),
        ),
    ];
    assert_eq!(found.len(), expected.len());
    for (source, (id, path, uri, (interval, min_interval))) in found.iter().zip(expected) {
        assert_eq!(source.id, id);
        assert_eq!((&*source.path, &*source.endpoint.path), (path, uri));
        assert_eq!(source.schedule.refresh_interval, interval, "{path}");
        assert_eq!(source.schedule.min_interval, min_interval, "{path}");
        assert_eq!(source.schedule.timeout, source.endpoint.timeout, "{path}");
    }
    let polled = &found[2];
    let first = polled.call(None);
    assert_eq!((&*first.endpoint.path, first.method), ("/tokens", "GET"));
    let next = polled.call(Some("42"));
    assert_eq!(&*next.endpoint.path, "/tokens?since=42");
}

#[test]
fn a_source_is_known_by_its_kind() {
    let tokens = SourceId::Revocation(CredentialSource::Provider(ProviderId(0)));
    let api_keys = SourceId::Revocation(CredentialSource::ApiKeys);
    for (source, name, service, bytes) in [
        (
            SourceId::Keys(ProviderId(0)),
            "keys",
            Service::Jwks,
            limits::JWKS_BYTES,
        ),
        (
            SourceId::ApiKeys,
            "api_keys",
            Service::ApiKeys,
            limits::API_KEYS_BYTES,
        ),
        (
            api_keys,
            "revoked_api_keys",
            Service::Revocation,
            limits::REVOCATION_PAGE_BYTES,
        ),
        (
            tokens,
            "revoked_tokens",
            Service::Revocation,
            limits::REVOCATION_PAGE_BYTES,
        ),
    ] {
        assert_eq!(source.name(), name);
        assert_eq!(source.service(), service);
        assert_eq!(source.bytes(), bytes);
    }
    // As counters have them.
    let names = Service::ALL.iter().map(|service| service.name());
    let expected = [
        "jwks",
        "introspection",
        "revocation",
        "status_list",
        "api_keys",
    ];
    assert_eq!(
        names.collect::<HashSet<_>>(),
        expected.into_iter().collect()
    );
    let remote = json!({ "cluster": "a", "uri": "http://a/keys" });
    let filter = Filter::new(json!({ "api_keys": { "remote": remote }, "rules": [{}] }));
    assert!(tokens.parse_document(&filter.policy, b"{}").is_err());
}
