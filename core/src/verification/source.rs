//! Documents that one worker of the process fetches and all share.

use std::time::Duration;

use crate::fetch_lease::Schedule;
use crate::keys::{KeySet, Origin};
use crate::limits;
use crate::policy::api_keys::ApiKeyTable;
use crate::policy::callout::{RemoteApiKeys, RevocationList};
use crate::policy::endpoint::Endpoint;
use crate::policy::provider::{CredentialSource, Keys, ProviderId, RemoteKeys};
use crate::policy::{self, Policy};
use crate::verification::call::{Call, Service, Standing};

/// Which document, and of which provider.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SourceId {
    /// A provider's JWK Set.
    Keys(ProviderId),
    /// The list of API keys that is fetched.
    ApiKeys,
    /// The list of revoked tokens of a provider, or of revoked API keys.
    Revocation(CredentialSource),
}

/// Where a document comes from, and how often.
#[derive(Debug)]
pub struct Source {
    /// Which document it is.
    pub id: SourceId,
    /// Where it is configured.
    pub path: Box<str>,
    /// The service that has it.
    pub endpoint: Endpoint,
    /// How often it is fetched.
    pub schedule: Schedule,
}

/// A document that was read and is valid.
#[derive(Debug)]
pub enum Document {
    /// A provider's keys.
    Keys(KeySet),
    /// A list of API keys.
    ApiKeys(ApiKeyTable),
}

/// Why a document cannot be used, for the log.
#[derive(Debug)]
pub struct UnusableDocument(pub String);

/// The shortest time between attempts on demand, unless the configuration says otherwise.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// All sources that a policy names.
pub fn sources(policy: &Policy) -> Vec<Source> {
    let keys = policy
        .providers
        .iter()
        .filter_map(|provider| match &provider.keys {
            Keys::Remote(remote) => {
                let RemoteKeys {
                    endpoint,
                    refresh_interval,
                    min_refetch_interval,
                    max_staleness: _,
                } = remote;
                Some(Source {
                    id: SourceId::Keys(provider.id),
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
            schedule: schedule(endpoint, *refresh_interval),
        }
    });
    keys.chain(api_keys)
        .chain(revocation_lists(policy))
        .collect()
}

fn revocation_lists(policy: &Policy) -> impl Iterator<Item = Source> {
    policy.revocation_lists().map(|polled| {
        let RevocationList {
            endpoint,
            refresh_interval,
            max_staleness: _,
            on_stale: _,
        } = polled.list;
        Source {
            id: SourceId::Revocation(polled.source),
            path: format!("{}.revocation.list", polled.path).into(),
            endpoint: endpoint.clone(),
            schedule: schedule(endpoint, *refresh_interval),
        }
    })
}

fn schedule(endpoint: &Endpoint, refresh_interval: Duration) -> Schedule {
    Schedule {
        refresh_interval,
        min_interval: MIN_INTERVAL.min(refresh_interval),
        timeout: endpoint.timeout,
    }
}

// === impl SourceId ===

impl SourceId {
    /// The service that has it.
    pub fn service(self) -> Service {
        match self {
            SourceId::Keys(_) => Service::Jwks,
            SourceId::ApiKeys => Service::ApiKeys,
            SourceId::Revocation(_) => Service::Revocation,
        }
    }

    /// Keeps documents of different kinds apart where they are shared.
    pub fn name(self) -> &'static str {
        match self {
            SourceId::Keys(_) => "keys",
            SourceId::ApiKeys => "api_keys",
            SourceId::Revocation(CredentialSource::ApiKeys) => "revoked_api_keys",
            SourceId::Revocation(CredentialSource::Provider(_)) => "revoked_tokens",
        }
    }

    /// The largest answer that is read.
    pub fn bytes(self) -> usize {
        match self {
            SourceId::Keys(_) => limits::JWKS_BYTES,
            SourceId::ApiKeys => limits::API_KEYS_BYTES,
            SourceId::Revocation(_) => limits::REVOCATION_PAGE_BYTES,
        }
    }

    /// Reads a document, with warnings about what was skipped in it.
    pub fn parse_document(
        self,
        policy: &Policy,
        text: &[u8],
    ) -> Result<(Document, Vec<String>), UnusableDocument> {
        match self {
            SourceId::Keys(_) => {
                let parsed = KeySet::parse(text, Origin::Remote);
                let (set, skipped) =
                    parsed.map_err(|invalid| UnusableDocument(invalid.to_string()))?;
                let warnings = skipped.iter().map(ToString::to_string).collect();
                Ok((Document::Keys(set), warnings))
            }
            SourceId::ApiKeys => {
                let pepper = policy.api_keys.as_ref().and_then(|k| k.pepper.as_ref());
                let parsed = policy::compile_api_keys(text, pepper);
                let table = parsed.map_err(|invalid| UnusableDocument(invalid.to_string()))?;
                Ok((Document::ApiKeys(table), Vec::new()))
            }
            SourceId::Revocation(_) => Err(UnusableDocument("a list is read page by page".into())),
        }
    }
}

// === impl Source ===

impl Source {
    /// The request that fetches the document, or what is new on a revocation list since a cursor.
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
