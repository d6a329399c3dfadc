//! Services that are called about credentials.

use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::config::reader::{Located, Optional, Required};
use crate::config::{
    Fallback, IntrospectionConfig, RemoteApiKeysConfig, RevocationConfig, RevocationListConfig,
    SecretConfig, StatusListConfig, When,
};
use crate::policy::callout::{
    Introspection, RemoteApiKeys, RevocationList, StatusLists, form_encode,
};
use crate::policy::compile::compiler::Compiler;
use crate::policy::compile::endpoint::Uri;
use crate::secret::Secret;

/// Longer than a year means "for ever", which is refused.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Background work runs on the filter's ticks: a shorter interval cannot be kept.
const REFRESH_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=YEAR;
pub(super) const PERIOD: RangeInclusive<Duration> = Duration::from_millis(1)..=YEAR;

/// An answer counts for a day at most.
const CACHE_TTL: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
const DEFAULT_CACHE_TTL: Duration = Duration::from_secs(30);
const DEFAULT_NEGATIVE_CACHE_TTL: Duration = Duration::from_secs(5);
const DEFAULT_INTROSPECTION_TIMEOUT: Duration = Duration::from_millis(500);

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

const DEFAULT_REVOCATION_INTERVAL: Duration = Duration::from_secs(5);
const DEFAULT_REVOCATION_STALENESS: Duration = Duration::from_secs(60);

/// A key that was removed from the list passes for the longer of both at most.
const DEFAULT_API_KEYS_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_API_KEYS_STALENESS: Duration = Duration::from_secs(3600);

impl Compiler<'_> {
    pub(super) fn introspection(
        &mut self,
        introspection: IntrospectionConfig<'_>,
        has_keys: bool,
    ) -> Option<Introspection> {
        let IntrospectionConfig {
            cluster,
            uri,
            client_id,
            client_secret,
            when,
            timeout,
            cache_ttl,
            negative_cache_ttl,
            on_unavailable,
        } = introspection;
        let uri = uri.and_then(|uri| self.uri(uri));
        let basic = self.basic(client_id, client_secret).map(Some);
        let endpoint = self.endpoint(cluster, uri, basic, timeout, DEFAULT_INTROSPECTION_TIMEOUT);
        let when = when.or(When::Opaque);
        if let Some(Located { at, value: when }) = when
            && when == When::Always
            && !has_keys
        {
            let expected = "opaque: without jwks no JWT is verified";
            self.findings.unfit(at, when.word(), expected);
        }
        let cache_ttl = self.duration(cache_ttl, DEFAULT_CACHE_TTL, CACHE_TTL);
        let default = DEFAULT_NEGATIVE_CACHE_TTL;
        let negative_cache_ttl = self.duration(negative_cache_ttl, default, CACHE_TTL);
        let on_unavailable = on_unavailable.or(Fallback::Deny);
        if let (
            Some(when),
            Some(Located {
                at,
                value: fallback,
            }),
        ) = (when, on_unavailable)
            && when.value == When::Opaque
            && fallback == Fallback::Allow
        {
            let expected = "deny: danger_allow needs when: always";
            self.findings.unfit(at, fallback.word(), expected);
        }
        Some(Introspection {
            endpoint: endpoint?,
            when: when?.value,
            cache_ttl: cache_ttl?,
            negative_cache_ttl: negative_cache_ttl?,
            on_unavailable: on_unavailable?.value,
        })
    }

    /// HTTP Basic for OAuth clients: both parts are form-encoded first (RFC 6749 §2.3.1).
    fn basic(&mut self, id: Required<&str>, secret: Required<SecretConfig<'_>>) -> Option<Secret> {
        let id = id.and_then(|id| self.text(id));
        let secret = secret.and_then(|source| self.secret(source.value, 1));
        let (id, secret) = (id?, secret?);
        let mut pair = Zeroizing::new(Vec::new());
        form_encode(id.as_bytes(), &mut pair);
        pair.push(b':');
        form_encode(secret.expose(), &mut pair);
        let encoded = Zeroizing::new(STANDARD.encode(&*pair));
        Some(Secret::new(format!("Basic {}", encoded.as_str())))
    }

    /// The list and the status lists of a provider.
    pub(super) fn revocation(
        &mut self,
        revocation: Optional<RevocationConfig<'_>>,
        has_keys: bool,
    ) -> Option<(Option<RevocationList>, Option<StatusLists>)> {
        revocation.map_or((None, None), |Located { at, value }| {
            let RevocationConfig { list, status_list } = value;
            if list.is_absent() && status_list.is_absent() {
                self.findings
                    .unfit(at, "none", "at least one of list, status_list");
            }
            let list = list.and_then(|list| self.revocation_list(list.value));
            let status_list = status_list.and_then(|Located { at, value }| {
                if !has_keys {
                    let expected = "jwks too: a status list is signed";
                    self.findings.unfit(at, "a provider without jwks", expected);
                }
                self.status_lists(value)
            });
            Some((list?, status_list?))
        })
    }

    pub(super) fn revocation_list(
        &mut self,
        list: RevocationListConfig<'_>,
    ) -> Option<RevocationList> {
        let RevocationListConfig {
            cluster,
            uri,
            authorization,
            refresh_interval,
            timeout,
            max_staleness,
            on_stale,
        } = list;
        let uri = uri.and_then(|uri| self.uri(uri));
        let authorization = self.authorization(authorization);
        let endpoint = self.endpoint(cluster, uri, authorization, timeout, DEFAULT_TIMEOUT);
        let defaults = (DEFAULT_REVOCATION_INTERVAL, DEFAULT_REVOCATION_STALENESS);
        let freshness = self.freshness(refresh_interval, max_staleness, defaults);
        let (refresh_interval, max_staleness) = freshness?;
        Some(RevocationList {
            endpoint: endpoint?,
            refresh_interval,
            max_staleness,
            on_stale: on_stale.or(Fallback::Deny)?.value,
        })
    }

    fn status_lists(&mut self, lists: StatusListConfig<'_>) -> Option<StatusLists> {
        let StatusListConfig {
            cluster,
            uri_prefix,
            authorization,
            required,
            timeout,
            on_unavailable,
        } = lists;
        let uri = uri_prefix.and_then(|prefix| self.uri_prefix(prefix));
        let authorization = self.authorization(authorization);
        let endpoint = self.endpoint(cluster, uri, authorization, timeout, DEFAULT_TIMEOUT);
        Some(StatusLists {
            uri_prefix: uri_prefix?.value.into(),
            endpoint: endpoint?,
            required: required.or(true)?.value,
            on_unavailable: on_unavailable.or(Fallback::Deny)?.value,
        })
    }

    /// Without the slash, `http://authority` is also the beginning of
    /// `http://authority.evil.example`; and no `uri` with any of the rest is ever followed.
    fn uri_prefix(&mut self, prefix: Located<&str>) -> Option<Uri> {
        let uri = self.uri(prefix)?;
        let Located { at, value: prefix } = prefix;
        let mut segments = prefix.split('/');
        if !prefix.ends_with('/')
            || prefix.contains(['?', '%'])
            || segments.any(|segment| segment == "." || segment == "..")
        {
            let found = "a URI that is no valid prefix";
            let expected = "a slash at its end, and no dot segment, escape or query";
            self.findings.unfit(at, found, expected);
            return None;
        }
        Some(uri)
    }

    pub(super) fn remote_api_keys(
        &mut self,
        remote: RemoteApiKeysConfig<'_>,
    ) -> Option<RemoteApiKeys> {
        let RemoteApiKeysConfig {
            cluster,
            uri,
            authorization,
            timeout,
            refresh_interval,
            max_staleness,
        } = remote;
        let uri = uri.and_then(|uri| self.uri(uri));
        let authorization = self.authorization(authorization);
        let endpoint = self.endpoint(cluster, uri, authorization, timeout, DEFAULT_TIMEOUT);
        let defaults = (DEFAULT_API_KEYS_INTERVAL, DEFAULT_API_KEYS_STALENESS);
        let freshness = self.freshness(refresh_interval, max_staleness, defaults);
        let (refresh_interval, max_staleness) = freshness?;
        Some(RemoteApiKeys {
            endpoint: endpoint?,
            refresh_interval,
            max_staleness,
        })
    }

    /// `refresh_interval` and `max_staleness`, and the defaults of both in this order.
    pub(super) fn freshness(
        &mut self,
        refresh_interval: Optional<Duration>,
        max_staleness: Optional<Duration>,
        defaults: (Duration, Duration),
    ) -> Option<(Duration, Duration)> {
        let at = max_staleness.at;
        let refresh_interval = self.duration(refresh_interval, defaults.0, REFRESH_INTERVAL);
        let max_staleness = self.duration(max_staleness, defaults.1, PERIOD);
        let (refresh_interval, max_staleness) = (refresh_interval?, max_staleness?);
        if max_staleness < refresh_interval {
            let message =
                "shorter than refresh_interval: what was fetched goes stale between refreshes";
            self.findings.warn(at, message);
        }
        Some((refresh_interval, max_staleness))
    }
}
