//! API keys: locations, pepper, and the two tables of digests.

use std::collections::HashMap;
use std::rc::Rc;

use crate::config::fault::At;
use crate::config::reader::{ListOf, Located};
use crate::config::{ApiKeyConfig, ApiKeyListConfig, ApiKeysConfig};
#[cfg(feature = "ai")]
use crate::limits::WHOLE_NUMBER;
use crate::policy::api_keys::{ApiKey, ApiKeyTable, ApiKeys};
use crate::policy::compile::compiler::{Compiler, all_or_none};
use crate::scope::{Scope, ScopeSet};
use crate::secret::{Digest, Pepper};

/// 128 bits: a pepper that can be guessed protects no hash.
const PEPPER_BYTES: usize = 16;

/// How a key's plaintext became its digest.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum HashKind {
    Sha256,
    HmacSha256,
}

/// The first key with each id, and with each hash.
#[derive(Default)]
struct SeenKeys<'v> {
    by_id: HashMap<&'v str, At>,
    by_hash: HashMap<(HashKind, Digest), At>,
}

impl<'v> Compiler<'v> {
    pub(super) fn api_keys(&mut self, api_keys: ApiKeysConfig<'v>) -> Option<ApiKeys> {
        let ApiKeysConfig {
            from,
            pepper,
            keys,
            remote,
            revocation,
        } = api_keys;
        let locations = self.key_locations(from);
        let has_pepper = !pepper.is_absent();
        let pepper_at = pepper.at;
        let pepper = pepper.and_then(|source| {
            let secret = self.secret(source.value, PEPPER_BYTES);
            secret.map(|secret| Pepper::new(&secret))
        });
        let has_remote = !remote.is_absent();
        let remote = remote.and_then(|remote| self.remote_api_keys(remote.value));
        let revocation_list =
            revocation.and_then(|revocation| self.revocation_list(revocation.value.list?.value));

        if keys.is_absent() && !has_remote {
            self.findings.missing(keys.at);
        }
        let keys = keys.map_or(ApiKeyTable::default(), |Located { at, value: keys }| {
            if keys.is_empty() && !has_remote {
                let expected = "at least one element";
                self.findings.unfit(at, "an empty array", expected);
            }
            let pepper = pepper.as_ref().and_then(Option::as_ref);
            let (table, first_hmac) = self.key_table(keys, pepper);
            if let (Some(hash), false) = (first_hmac, has_pepper) {
                let reason = format!("required by {}", self.findings.path(hash));
                self.findings.invalid(pepper_at, reason);
            }
            table
        });
        Some(ApiKeys {
            locations: self.resolve(&locations?)?,
            pepper: pepper?,
            inline: keys?,
            remote: remote?,
            revocation_list: revocation_list?,
        })
    }

    /// A list as its source answers it.
    pub(super) fn remote_key_table(
        &mut self,
        list: ApiKeyListConfig<'v>,
        pepper: Option<&Pepper>,
    ) -> Option<ApiKeyTable> {
        let ApiKeyListConfig { keys } = list;
        let (table, first_hmac) = self.key_table(keys?.value, pepper);
        if let (Some(hash), None) = (first_hmac, pepper) {
            let expected = "a sha256 hash, as api_keys has no pepper";
            self.findings.unfit(hash, "an hmac-sha256 hash", expected);
        }
        table
    }

    /// The keys, and the first hash that needs the pepper.
    fn key_table(
        &mut self,
        keys: ListOf<ApiKeyConfig<'v>>,
        pepper: Option<&Pepper>,
    ) -> (Option<ApiKeyTable>, Option<At>) {
        let mut seen = SeenKeys::default();
        // A request without a key must not match one.
        let of_nothing = [
            Some((HashKind::Sha256, Digest::sha256(b""))),
            pepper.map(|pepper| (HashKind::HmacSha256, pepper.digest(b""))),
        ];
        let mut first_hmac = None;
        let keys = all_or_none(keys.into_iter().map(|element| {
            let Located { at, value: key } = element?;
            let hash = key.hash.and_then(|text| {
                let hash = self.hash(text)?;
                let first = *seen.by_hash.entry(hash).or_insert(at);
                if first != at {
                    let found = format!("the hash of {}", self.findings.path(first));
                    self.findings.unfit(text.at, found, "one key per hash");
                }
                if of_nothing.contains(&Some(hash)) {
                    let found = "the hash of the empty string";
                    self.findings.unfit(text.at, found, "the hash of a key");
                }
                if let (HashKind::HmacSha256, _) = hash {
                    first_hmac.get_or_insert(text.at);
                }
                Some(hash)
            });
            if let Some(id) = key.id {
                let first = *seen.by_id.entry(id.value).or_insert(at);
                if first != at {
                    let found = format!("the id of {}", self.findings.path(first));
                    self.findings.unfit(id.at, found, "one key per id");
                }
            }
            hash.zip(self.key(key))
        }));
        let table = keys.map(|keys| {
            let mut table = ApiKeyTable::default();
            for ((kind, digest), key) in keys {
                let digests = match kind {
                    HashKind::Sha256 => &mut table.sha256,
                    HashKind::HmacSha256 => &mut table.hmac_sha256,
                };
                digests.insert(digest, Rc::new(key));
            }
            table
        });
        (table, first_hmac)
    }

    /// All of a key but its hash.
    fn key(&mut self, key: ApiKeyConfig<'_>) -> Option<ApiKey> {
        let ApiKeyConfig {
            id,
            client,
            hash: _,
            scopes,
            tenant,
            not_before,
            expires_at,
            revoked,
            #[cfg(feature = "ai")]
            models,
            #[cfg(feature = "ai")]
            token_budget,
        } = key;
        let id = id.and_then(|id| self.text(id));
        let client = client.and_then(|client| self.text(client));
        let scopes = self.scopes(scopes);
        let tenant = tenant.and_then(|tenant| self.text(tenant));
        let not_before = not_before.and_then(|start| Some(start.value));
        let start = not_before.flatten();
        let expires_at = expires_at.and_then(|Located { at, value: end }| {
            if start.is_some_and(|start| start >= end) {
                let found = "a time that is not after not_before";
                self.findings.unfit(at, found, "a later one");
            }
            Some(end)
        });
        #[cfg(feature = "ai")]
        let models =
            models.and_then(|models| self.each(models.value, |compiler, name| compiler.text(name)));
        #[cfg(feature = "ai")]
        let token_budget = token_budget.and_then(|n| self.number_within(n, 0..=WHOLE_NUMBER));
        let id = id?;
        Some(ApiKey {
            client: client?.unwrap_or_else(|| id.clone()).into(),
            id: id.into(),
            scopes: ScopeSet::union(scopes?.iter().map(Scope::as_str)),
            tenant: tenant?.map(Rc::from),
            not_before: not_before?,
            expires_at: expires_at?,
            revoked: revoked.or(false)?.value,
            #[cfg(feature = "ai")]
            models: models?,
            #[cfg(feature = "ai")]
            token_budget: token_budget?,
        })
    }

    /// An invalid hash is never repeated: it may be the key itself.
    fn hash(&mut self, Located { at, value }: Located<&str>) -> Option<(HashKind, Digest)> {
        let hash = value.split_once(':').and_then(|(kind, digits)| {
            let kind = match kind {
                "sha256" => HashKind::Sha256,
                "hmac-sha256" => HashKind::HmacSha256,
                _ => return None,
            };
            Some((kind, Digest::new(hex(digits)?)))
        });
        if hash.is_none() {
            let characters = value.chars().count();
            let found = format!("a string of {characters} characters that is no hash");
            let expected = "sha256: or hmac-sha256: and 64 hexadecimal digits";
            self.findings.unfit(at, found, expected);
        }
        hash
    }
}

/// 64 hexadecimal digits in either case.
fn hex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let decoded = base16ct::mixed::decode(digits, &mut bytes).ok()?;
    (decoded.len() == 32).then_some(bytes)
}
