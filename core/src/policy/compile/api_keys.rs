//! API keys: places, pepper, and the two tables of digests.

use std::collections::HashMap;
use std::rc::Rc;

use crate::config;
use crate::config::reader::{At, Field, List, Read};
use crate::json::Value;
use crate::policy::api_keys::{ApiKey, ApiKeyId, ApiKeyTable, ApiKeys};
use crate::policy::compile::{Compiler, all_or_none};
use crate::scope::{Scope, ScopeSet};
use crate::secret::{Digest, Pepper};

/// 128 bits: a pepper that can be guessed protects no hash.
const PEPPER_BYTES: usize = 16;

/// How a key's plaintext became its digest.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum Kind {
    Sha256,
    HmacSha256,
}

/// The index of the first key with each id, and with each hash.
#[derive(Default)]
struct Seen<'v> {
    by_id: HashMap<&'v str, usize>,
    by_hash: HashMap<(Kind, Digest), usize>,
}

impl Compiler<'_> {
    pub(super) fn api_keys(
        &mut self,
        api_keys: config::ApiKeys<'_>,
        at: At<'_>,
    ) -> Option<ApiKeys> {
        let config::ApiKeys {
            from,
            pepper,
            keys,
            remote,
            revocation,
        } = api_keys;
        let places = self.key_places(from, at.key("from"));
        let has_pepper = !pepper.is_absent();
        let pepper = pepper.and_then(|source| {
            let secret = self.secret(source, PEPPER_BYTES, at.key("pepper"));
            secret.map(|secret| Pepper::new(&secret))
        });
        let has_remote = !remote.is_absent();
        let remote = remote.and_then(|remote| self.remote_api_keys(remote, at.key("remote")));
        let revocation_list = revocation.and_then(|revocation| {
            let config::KeyRevocation { list } = revocation;
            let revocation_at = at.key("revocation");
            self.revocation_list(list?, revocation_at.key("list"))
        });

        let keys_at = at.key("keys");
        let keys = match keys {
            Field::Absent if has_remote => Some(ApiKeyTable::default()),
            Field::Absent => {
                self.faults.missing(keys_at);
                None
            }
            Field::Faulty => None,
            Field::Given(keys) if keys.is_empty() && !has_remote => {
                self.faults
                    .unfit(keys_at, "an empty array", "at least one element");
                None
            }
            Field::Given(keys) => {
                let pepper = pepper.as_ref().and_then(Option::as_ref);
                let (table, first_hmac) = self.key_table(keys, pepper, keys_at);
                if let (Some(first), false) = (first_hmac, has_pepper) {
                    let reason = format!("required by the hash of {}", keys_at.index(first));
                    self.faults.invalid(at.key("pepper"), reason);
                }
                table
            }
        };
        Some(ApiKeys {
            places: places?,
            pepper: pepper?,
            keys: keys?,
            remote: remote?,
            revocation_list: revocation_list?,
        })
    }

    /// A list as its source answers it.
    pub(super) fn remote_key_table(
        &mut self,
        list: &Value<'_>,
        pepper: Option<&Pepper>,
        at: At<'_>,
    ) -> Option<ApiKeyTable> {
        let config::ApiKeyList { keys } = config::ApiKeyList::read(list, at, &mut self.faults)?;
        let keys_at = at.key("keys");
        let (table, first_hmac) = self.key_table(keys?, pepper, keys_at);
        if let (Some(first), None) = (first_hmac, pepper) {
            let at = keys_at.index(first);
            let expected = "a sha256 hash, as api_keys has no pepper";
            self.faults
                .unfit(at.key("hash"), "an hmac-sha256 hash", expected);
        }
        table
    }

    /// The keys, and the index of the first one that needs the pepper.
    fn key_table(
        &mut self,
        keys: List<config::ApiKey<'_>>,
        pepper: Option<&Pepper>,
        at: At<'_>,
    ) -> (Option<ApiKeyTable>, Option<usize>) {
        let mut seen = Seen::default();
        // Whoever sends no key at all must not have one.
        let of_nothing = [
            Some((Kind::Sha256, Digest::sha256(b""))),
            pepper.map(|pepper| (Kind::HmacSha256, pepper.digest(b""))),
        ];
        let mut first_hmac = None;
        let keys = all_or_none(keys.into_indexed().map(|(i, key)| {
            let key_at = at.index(i);
            let hash = key
                .hash
                .and_then(|hash| self.hash(hash, key_at.key("hash")));
            if let Some(hash) = hash {
                let first = *seen.by_hash.entry(hash).or_insert(i);
                if first != i {
                    let found = format!("the hash of {}", at.index(first));
                    self.faults
                        .unfit(key_at.key("hash"), found, "one key per hash");
                }
                if of_nothing.contains(&Some(hash)) {
                    let found = "the hash of the empty string";
                    self.faults
                        .unfit(key_at.key("hash"), found, "the hash of a key");
                }
                if let (Kind::HmacSha256, _) = hash {
                    first_hmac.get_or_insert(i);
                }
            }
            if let Some(id) = key.id {
                let first = *seen.by_id.entry(id).or_insert(i);
                if first != i {
                    let found = format!("the id of {}", at.index(first));
                    self.faults.unfit(key_at.key("id"), found, "one key per id");
                }
            }
            let key = self.key(key, key_at);
            hash.zip(key)
        }));
        let table = keys.map(|keys| {
            let mut table = ApiKeyTable::default();
            for ((kind, digest), key) in keys {
                let digests = match kind {
                    Kind::Sha256 => &mut table.sha256,
                    Kind::HmacSha256 => &mut table.hmac_sha256,
                };
                digests.insert(digest, ApiKeyId(table.keys.len()));
                table.keys.push(key);
            }
            table
        });
        (table, first_hmac)
    }

    /// All but its hash.
    fn key(&mut self, key: config::ApiKey<'_>, at: At<'_>) -> Option<ApiKey> {
        let config::ApiKey {
            id,
            client,
            hash: _,
            scopes,
            tenant,
            not_before,
            expires_at,
            revoked,
        } = key;
        let id = id.and_then(|id| self.text(id, at.key("id")));
        let client = match client {
            Field::Absent => id.clone(),
            Field::Faulty => None,
            Field::Given(client) => self.text(client, at.key("client")),
        };
        let scopes = self.scopes(scopes, at.key("scopes"));
        let tenant = tenant.and_then(|tenant| self.text(tenant, at.key("tenant")));
        let not_before = not_before.and_then(Some);
        let expires_at = expires_at.and_then(Some);
        if let (Some(Some(start)), Some(Some(end))) = (not_before, expires_at)
            && start >= end
        {
            let found = "a time that is not after not_before";
            self.faults
                .unfit(at.key("expires_at"), found, "a later one");
        }
        Some(ApiKey {
            id: id?.into(),
            client: client?.into(),
            scopes: ScopeSet::union(scopes?.iter().map(Scope::as_str)),
            tenant: tenant?.map(Rc::from),
            not_before: not_before?,
            expires_at: expires_at?,
            revoked: revoked.or(false)?,
        })
    }

    /// Repeats nothing of what it found: what is no hash may be the key itself.
    fn hash(&mut self, hash: &str, at: At<'_>) -> Option<(Kind, Digest)> {
        let (kind, digits) = match hash.split_once(':') {
            Some(("sha256", digits)) => (Kind::Sha256, digits),
            Some(("hmac-sha256", digits)) => (Kind::HmacSha256, digits),
            _ => return self.no_hash(hash, at),
        };
        match hex(digits) {
            Some(bytes) => Some((kind, Digest::new(bytes))),
            None => self.no_hash(hash, at),
        }
    }

    fn no_hash<T>(&mut self, hash: &str, at: At<'_>) -> Option<T> {
        let length = hash.chars().count();
        let found = format!("a string of {length} characters that is no hash");
        let expected = "sha256: or hmac-sha256: and 64 hexadecimal digits";
        self.faults.unfit(at, found, expected);
        None
    }
}

/// 64 hexadecimal digits in either case.
fn hex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    let value = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}
