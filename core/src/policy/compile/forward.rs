//! What upstreams learn about the caller.

use std::collections::HashSet;

use crate::config::fault::quoted;
use crate::config::reader::{Located, Named};
use crate::config::{ClaimConfig, ForwardConfig, ForwardCredential};
use crate::policy::compile::compiler::{Compiler, all_or_none};
use crate::policy::forward::{Forward, Identity};
use crate::policy::location::CredentialLocation;
use crate::request::header_name::folded_name;

const DEFAULT_HEADERS: [(&str, Identity); 6] = [
    ("x-auth-subject", Identity::Subject),
    ("x-auth-client-id", Identity::ClientId),
    ("x-auth-scopes", Identity::Scopes),
    ("x-auth-tenant", Identity::Tenant),
    ("x-auth-provider", Identity::Provider),
    ("x-auth-key-id", Identity::KeyId),
];

impl<'v> Compiler<'v> {
    pub(super) fn forward(&mut self, forward: ForwardConfig<'v>) -> Option<Forward> {
        let ForwardConfig {
            headers,
            payload_header,
            credential,
        } = forward;
        // One header cannot carry the credential in and the identity out.
        let locations = self.locations.values.iter();
        let names = locations.filter_map(|location| match location.as_ref() {
            CredentialLocation::Header { name, .. } => Some(folded_name(name)),
            CredentialLocation::Query { .. } | CredentialLocation::Cookie { .. } => None,
        });
        let mut taken: HashSet<String> = names.collect();
        taken.insert("authorization".into());
        taken.insert("proxy-authorization".into());
        if self.takes_proofs {
            taken.insert("dpop".into());
        }

        let headers = match headers.is_absent() {
            true => all_or_none(DEFAULT_HEADERS.into_iter().map(|(name, identity)| {
                let at = self.findings.key(headers.at, name);
                let free = self.free_name(Located { at, value: name }, &mut taken);
                free.map(|name| (name, identity))
            })),
            false => headers
                .given()
                .and_then(|headers| self.identity_headers(headers.value, &mut taken)),
        };
        let payload_header = payload_header.and_then(|name| self.free_name(name, &mut taken));
        taken.insert("cookie".into());
        self.refuse_compared(&taken);
        let credential = credential.or(ForwardCredential::Strip);
        Some(Forward::new(headers?, payload_header?, credential?.value))
    }

    /// A credential is not the client's to choose, and of an identity header the upstream gets ours.
    fn refuse_compared(&mut self, taken: &HashSet<String>) {
        for (name, at) in &self.compared_headers {
            if taken.contains(&folded_name(name.as_str())) {
                let found = "a header of credentials or of the caller's identity";
                self.findings.unfit(*at, found, "another header");
            }
        }
    }

    fn identity_headers(
        &mut self,
        headers: Named<'_, &str>,
        taken: &mut HashSet<String>,
    ) -> Option<Vec<(Box<str>, Identity)>> {
        all_or_none(headers.into_iter().map(|(name, value)| {
            let at = name.at;
            let name = self.free_name(name, taken);
            let identity = value.and_then(|value| self.identity(Located { at, value }));
            name.zip(identity)
        }))
    }

    /// Many upstreams cannot tell apart two names that differ in punctuation alone.
    fn free_name(&mut self, name: Located<&str>, taken: &mut HashSet<String>) -> Option<Box<str>> {
        let at = name.at;
        let name = self.header_name(name)?;
        if !taken.insert(folded_name(&name)) {
            let found = "a header that is already used, by credentials or by another of these";
            self.findings.unfit(at, found, "a header of its own");
            return None;
        }
        Some(name)
    }

    fn identity(&mut self, Located { at, value }: Located<&str>) -> Option<Identity> {
        if let Some(path) = value.strip_prefix("claim:") {
            let claim = ClaimConfig::Dotted(path);
            let id = self.claim_id(Located { at, value: claim });
            return id.map(Identity::Claim);
        }
        let identity = match value {
            "subject" => Identity::Subject,
            "client_id" => Identity::ClientId,
            "scopes" => Identity::Scopes,
            "tenant" => Identity::Tenant,
            "provider" => Identity::Provider,
            "key_id" => Identity::KeyId,
            "actor" => Identity::Actor,
            _ => {
                let expected =
                    "subject, client_id, scopes, tenant, provider, key_id, actor or claim:…";
                self.findings.unfit(at, quoted(value), expected);
                return None;
            }
        };
        Some(identity)
    }
}
