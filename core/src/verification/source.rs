//! Documents that one worker of the process fetches, and all share.

use std::time::Duration;

use crate::fetch_lease::Schedule;
use crate::keys::{KeySet, Origin};
use crate::limits;
use crate::policy::api_keys::ApiKeyTable;
use crate::policy::callout::{RemoteApiKeys, RevocationList};
use crate::policy::provider::{Endpoint, Keys, RemoteKeys};
use crate::policy::{self, Policy, ProviderId};
use crate::revocation::{Kind, Retention};
use crate::verification::callout::{Call, Service, Standing};
use crate::verification::principal::CredentialSource;

/// Whose document.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SourceId {
    /// A provider's JWK Set.
    Keys(ProviderId),
    /// The list of API keys beside the inline one.
    ApiKeys,
    /// What is revoked of a provider's tokens, or of API keys.
    Revocation(CredentialSource),
}

/// Where a document comes from, and how often.
#[derive(Debug)]
pub struct Source {
    pub id: SourceId,
    /// Where it is configured.
    pub path: Box<str>,
    pub endpoint: Endpoint,
    pub schedule: Schedule,
}

/// A document that was read and found good.
#[derive(Debug)]
pub enum Document {
    Keys(KeySet),
    ApiKeys(ApiKeyTable),
}

/// A document that nobody can use, and why: for the log.
#[derive(Debug)]
pub struct Unusable(pub String);

/// Attempts on demand are no closer than this where nothing else is configured.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// All sources that a policy names.
pub fn sources(policy: &Policy) -> Vec<Source> {
    let providers = policy.providers.iter().enumerate();
    let keys = providers.filter_map(|(i, provider)| match &provider.keys {
        Keys::Remote(remote) => {
            let RemoteKeys {
                endpoint,
                refresh_interval,
                min_refetch_interval,
                max_staleness: _,
            } = remote;
            Some(Source {
                id: SourceId::Keys(ProviderId(i)),
                path: format!("providers.{}.jwks.remote", provider.name).into(),
                endpoint: endpoint.clone(),
                schedule: Schedule {
                    refresh_interval: *refresh_interval,
                    min_interval: *min_refetch_interval,
                    timeout: endpoint.timeout,
                },
            })
        }
        Keys::Inline(_) | Keys::None => None,
    });
    let remote = policy.api_keys.as_ref().and_then(|k| k.remote.as_ref());
    let api_keys = remote.map(|remote| {
        let RemoteApiKeys {
            endpoint,
            refresh_interval,
            max_staleness: _,
        } = remote;
        Source {
            id: SourceId::ApiKeys,
            path: "api_keys.remote".into(),
            endpoint: endpoint.clone(),
            schedule: Schedule {
                refresh_interval: *refresh_interval,
                min_interval: MIN_INTERVAL.min(*refresh_interval),
                timeout: endpoint.timeout,
            },
        }
    });
    keys.chain(api_keys).chain(lists(policy)).collect()
}

fn lists(policy: &Policy) -> impl Iterator<Item = Source> {
    policy.revocation_lists().map(|(issuer, list)| {
        let RevocationList {
            endpoint,
            refresh_interval,
            max_staleness: _,
            on_stale: _,
        } = list;
        let of = match issuer.provider(policy) {
            Some((_, provider)) => format!("providers.{}", provider.name),
            None => "api_keys".into(),
        };
        Source {
            id: SourceId::Revocation(issuer),
            path: format!("{of}.revocation.list").into(),
            endpoint: endpoint.clone(),
            schedule: Schedule {
                refresh_interval: *refresh_interval,
                min_interval: MIN_INTERVAL.min(*refresh_interval),
                timeout: endpoint.timeout,
            },
        }
    })
}

// === impl SourceId ===

impl SourceId {
    pub fn service(self) -> Service {
        match self {
            SourceId::Keys(_) => Service::Jwks,
            SourceId::ApiKeys => Service::ApiKeys,
            SourceId::Revocation(_) => Service::Revocation,
        }
    }

    /// What keeps documents of different kinds apart where they are shared.
    pub fn name(self) -> &'static str {
        match self {
            SourceId::Keys(_) => "keys",
            SourceId::ApiKeys => "api_keys",
            SourceId::Revocation(CredentialSource::ApiKeys) => "revoked_api_keys",
            SourceId::Revocation(CredentialSource::Provider(_)) => "revoked_tokens",
        }
    }

    /// The most that is read of an answer.
    pub fn bytes(self) -> usize {
        match self {
            SourceId::Keys(_) => limits::JWKS_BYTES,
            SourceId::ApiKeys => limits::API_KEYS_BYTES,
            SourceId::Revocation(_) => limits::REVOCATION_PAGE_BYTES,
        }
    }

    /// Reads a document, with warnings about what was skipped in it.
    pub fn read(self, policy: &Policy, text: &[u8]) -> Result<(Document, Vec<String>), Unusable> {
        match self {
            SourceId::Keys(_) => {
                let parsed = KeySet::parse(text, Origin::Remote);
                let (set, skipped) = parsed.map_err(|invalid| Unusable(invalid.to_string()))?;
                let warnings = skipped.iter().map(ToString::to_string).collect();
                Ok((Document::Keys(set), warnings))
            }
            SourceId::ApiKeys => {
                let pepper = policy.api_keys.as_ref().and_then(|k| k.pepper.as_ref());
                let parsed = policy::compile_api_keys(text, pepper);
                let table = parsed.map_err(|invalid| Unusable(invalid.to_string()))?;
                Ok((Document::ApiKeys(table), Vec::new()))
            }
            SourceId::Revocation(_) => Err(Unusable("a list is read page by page".into())),
        }
    }
}

// === impl Policy ===

impl Policy {
    /// Every revocation list that is polled.
    pub(super) fn revocation_lists(
        &self,
    ) -> impl Iterator<Item = (CredentialSource, &RevocationList)> {
        let providers = self.providers.iter().enumerate();
        let tokens = providers.filter_map(|(i, provider)| {
            let list = provider.revocation_list.as_ref()?;
            Some((CredentialSource::Provider(ProviderId(i)), list))
        });
        let api_keys = self.api_keys.as_ref();
        let api_keys = api_keys.and_then(|keys| keys.revocation_list.as_ref());
        tokens.chain(api_keys.map(|list| (CredentialSource::ApiKeys, list)))
    }

    pub(super) fn revocation_list_of(&self, issuer: CredentialSource) -> Option<&RevocationList> {
        match issuer {
            CredentialSource::ApiKeys => self.api_keys.as_ref()?.revocation_list.as_ref(),
            CredentialSource::Provider(id) => self.providers.get(id.0)?.revocation_list.as_ref(),
        }
    }
}

// === impl CredentialSource ===

impl CredentialSource {
    /// Which entries are legal on its list.
    pub(super) fn list_kind(self) -> Kind {
        match self {
            CredentialSource::ApiKeys => Kind::ApiKeys,
            CredentialSource::Provider(_) => Kind::Tokens,
        }
    }

    /// When entries of its list may be forgotten.
    pub(super) fn retention(self, policy: &Policy) -> Retention {
        let provider = self.provider(policy);
        Retention {
            clock_tolerance: provider.map(|(_, p)| p.clock_tolerance).unwrap_or_default(),
            max_lifetime: provider.and_then(|(_, p)| p.max_lifetime),
        }
    }
}

// === impl Source ===

impl Source {
    /// The request that fetches the document, or of a list what is new on it.
    pub fn call(&self, since: Option<&str>) -> Call {
        let accept: &[u8] = match self.id {
            SourceId::Keys(_) => b"application/jwk-set+json, application/json",
            SourceId::ApiKeys | SourceId::Revocation(_) => b"application/json",
        };
        let mut endpoint = self.endpoint.clone();
        if let Some(since) = since {
            let path = &self.endpoint.path;
            let separator = if path.contains('?') { '&' } else { '?' };
            endpoint.path = format!("{path}{separator}since={since}").into();
        }
        Call {
            endpoint,
            standing: Standing::Known,
            method: "GET",
            headers: vec![("accept", accept.into())],
            body: Vec::new(),
        }
    }
}
