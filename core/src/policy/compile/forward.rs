//! What upstreams learn about the caller.

use std::collections::HashSet;

use crate::config::reader::{At, Field, Map, quoted};
use crate::config::{self, Claim};
use crate::policy::compile::{Compiler, all_or_none, syntax};
use crate::policy::forward::{Forward, ForwardCredential, Identity};
use crate::policy::provider::CredentialLocation;

const DEFAULT_HEADERS: [(&str, Identity); 6] = [
    ("x-auth-subject", Identity::Subject),
    ("x-auth-client-id", Identity::ClientId),
    ("x-auth-scopes", Identity::Scopes),
    ("x-auth-tenant", Identity::Tenant),
    ("x-auth-provider", Identity::Provider),
    ("x-auth-key-id", Identity::KeyId),
];

impl Compiler<'_> {
    pub(super) fn forward(&mut self, forward: config::Forward<'_>, at: At<'_>) -> Option<Forward> {
        let config::Forward {
            headers,
            payload_header,
            credential,
        } = forward;
        // A header that carries credentials in and an identity out would lose one of them.
        let places = self.places.values.iter().filter_map(|place| match place {
            CredentialLocation::Header { name, .. } => Some(syntax::folded(name)),
            CredentialLocation::Query { .. } | CredentialLocation::Cookie { .. } => None,
        });
        let mut taken: HashSet<String> = places.collect();
        taken.insert("authorization".into());
        taken.insert("proxy-authorization".into());

        let headers_at = at.key("headers");
        let headers = match headers {
            Field::Faulty => None,
            Field::Given(map) => self.identity_headers(map, &mut taken, headers_at),
            Field::Absent => all_or_none(DEFAULT_HEADERS.into_iter().map(|(name, identity)| {
                let free = self.free_name(name, &mut taken, headers_at.key(name));
                free.map(|name| (name, identity))
            })),
        };
        let payload_header = payload_header.and_then(|name| {
            let at = at.key("payload_header");
            self.free_name(name, &mut taken, at)
        });
        Some(Forward::new(
            headers?,
            payload_header?,
            match credential.or(config::ForwardCredential::Strip)? {
                config::ForwardCredential::Strip => ForwardCredential::Strip,
                config::ForwardCredential::Keep => ForwardCredential::Keep,
            },
        ))
    }

    fn identity_headers(
        &mut self,
        headers: Map<'_, &str>,
        taken: &mut HashSet<String>,
        at: At<'_>,
    ) -> Option<Vec<(Box<str>, Identity)>> {
        all_or_none(headers.into_members().map(|(name, value)| {
            let at = at.key(name);
            let name = self.free_name(name, taken, at);
            let identity = value.and_then(|value| self.identity(value, at));
            name.zip(identity)
        }))
    }

    /// Two names that differ in punctuation alone are one name to many an upstream.
    fn free_name(
        &mut self,
        name: &str,
        taken: &mut HashSet<String>,
        at: At<'_>,
    ) -> Option<Box<str>> {
        let name = self.header_name(name, at)?;
        if !taken.insert(syntax::folded(&name)) {
            let found = "a header that is taken, by credentials or by another of these";
            self.faults.unfit(at, found, "a header of its own");
            return None;
        }
        Some(name)
    }

    fn identity(&mut self, value: &str, at: At<'_>) -> Option<Identity> {
        if let Some(path) = value.strip_prefix("claim:") {
            return self.claim_id(Claim::Dotted(path), at).map(Identity::Claim);
        }
        let identity = match value {
            "subject" => Identity::Subject,
            "client_id" => Identity::ClientId,
            "scopes" => Identity::Scopes,
            "tenant" => Identity::Tenant,
            "provider" => Identity::Provider,
            "key_id" => Identity::KeyId,
            _ => {
                let expected = "subject, client_id, scopes, tenant, provider, key_id or claim:…";
                self.faults.unfit(at, quoted(value), expected);
                return None;
            }
        };
        Some(identity)
    }
}
