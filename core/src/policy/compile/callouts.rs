//! Services that are asked about credentials.

use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::config::reader::{At, Field};
use crate::config::{self, SecretSource};
use crate::policy::callout::{
    Fallback, Introspection, RemoteApiKeys, RevocationList, StatusLists, When, form_encode,
};
use crate::policy::compile::Compiler;
use crate::policy::compile::endpoint::Uri;
use crate::policy::provider::Endpoint;
use crate::secret::Secret;

/// Beyond a year, "for ever" is meant, and the answer to that is no.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Background work: an interval below the filter's ticks would be a promise that it can't keep.
const REFRESH_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=YEAR;
pub(super) const PERIOD: RangeInclusive<Duration> = Duration::from_millis(1)..=YEAR;

/// What was true a day ago has to be asked about again.
const CACHE_TTL: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
const DEFAULT_CACHE_TTL: Duration = Duration::from_secs(30);
const DEFAULT_NEGATIVE_CACHE_TTL: Duration = Duration::from_secs(5);
const DEFAULT_INTROSPECTION_TIMEOUT: Duration = Duration::from_millis(500);

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

const DEFAULT_REVOCATION_INTERVAL: Duration = Duration::from_secs(5);
const DEFAULT_REVOCATION_STALENESS: Duration = Duration::from_secs(60);

/// A key that was taken from the list is good for the longer of both at most.
const DEFAULT_API_KEYS_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_API_KEYS_STALENESS: Duration = Duration::from_secs(3600);

impl Compiler<'_> {
    pub(super) fn introspection(
        &mut self,
        introspection: config::Introspection<'_>,
        has_keys: bool,
        at: At<'_>,
    ) -> Option<Introspection> {
        let config::Introspection {
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
        let default = DEFAULT_INTROSPECTION_TIMEOUT;
        let endpoint = self.endpoint(cluster, uri, Field::Absent, timeout, default, at);
        let authorization = self.basic(client_id, client_secret, at);
        let when = when.or(config::When::Opaque);
        if let (Some(config::When::Always), false) = (when, has_keys) {
            let expected = "opaque: without jwks no JWT is verified";
            self.faults.unfit(at.key("when"), "always", expected);
        }
        let cache_ttl = self.duration(cache_ttl, DEFAULT_CACHE_TTL, CACHE_TTL, at.key("cache_ttl"));
        let negative_cache_ttl = self.duration(
            negative_cache_ttl,
            DEFAULT_NEGATIVE_CACHE_TTL,
            CACHE_TTL,
            at.key("negative_cache_ttl"),
        );
        let on_unavailable = fallback(on_unavailable);
        if let (Some(config::When::Opaque), Some(Fallback::Allow)) = (when, on_unavailable) {
            let expected = "deny, unless when is always: else nothing was verified";
            self.faults
                .unfit(at.key("on_unavailable"), "danger_allow", expected);
        }
        Some(Introspection {
            endpoint: Endpoint {
                authorization: Some(authorization?),
                ..endpoint?
            },
            when: match when? {
                config::When::Opaque => When::Opaque,
                config::When::Always => When::Always,
            },
            cache_ttl: cache_ttl?,
            negative_cache_ttl: negative_cache_ttl?,
            on_unavailable: on_unavailable?,
        })
    }

    /// HTTP Basic as RFC 6749 §2.3.1 wants it for clients: both parts form-encoded first.
    fn basic(
        &mut self,
        id: Option<&str>,
        secret: Option<SecretSource<'_>>,
        at: At<'_>,
    ) -> Option<Secret> {
        let id = id.and_then(|id| self.text(id, at.key("client_id")));
        let secret = secret.and_then(|source| self.secret(source, 1, at.key("client_secret")));
        let (id, secret) = (id?, secret?);
        let mut pair = Zeroizing::new(Vec::new());
        form_encode(id.as_bytes(), &mut pair);
        pair.push(b':');
        form_encode(secret.expose(), &mut pair);
        let encoded = Zeroizing::new(STANDARD.encode(&*pair));
        Some(Secret::new(format!("Basic {}", encoded.as_str())))
    }

    pub(super) fn revocation(
        &mut self,
        revocation: Field<config::Revocation<'_>>,
        has_keys: bool,
        at: At<'_>,
    ) -> Option<(Option<RevocationList>, Option<StatusLists>)> {
        let revocation = match revocation {
            Field::Absent => return Some((None, None)),
            Field::Faulty => return None,
            Field::Given(revocation) => revocation,
        };
        let config::Revocation { list, status_list } = revocation;
        if list.is_absent() && status_list.is_absent() {
            self.faults
                .unfit(at, "none", "at least one of list, status_list");
        }
        let list = list.and_then(|list| self.revocation_list(list, at.key("list")));
        let status_list = status_list.and_then(|lists| {
            let at = at.key("status_list");
            if !has_keys {
                let expected = "jwks too: a status list is signed";
                self.faults.unfit(at, "a provider without jwks", expected);
            }
            self.status_lists(lists, at)
        });
        Some((list?, status_list?))
    }

    pub(super) fn revocation_list(
        &mut self,
        list: config::RevocationList<'_>,
        at: At<'_>,
    ) -> Option<RevocationList> {
        let config::RevocationList {
            cluster,
            uri,
            authorization,
            refresh_interval,
            timeout,
            max_staleness,
            on_stale,
        } = list;
        let endpoint = self.endpoint(cluster, uri, authorization, timeout, DEFAULT_TIMEOUT, at);
        let defaults = (DEFAULT_REVOCATION_INTERVAL, DEFAULT_REVOCATION_STALENESS);
        let freshness = self.freshness(refresh_interval, max_staleness, defaults, at);
        let on_stale = fallback(on_stale);
        let (refresh_interval, max_staleness) = freshness?;
        Some(RevocationList {
            endpoint: endpoint?,
            refresh_interval,
            max_staleness,
            on_stale: on_stale?,
        })
    }

    fn status_lists(&mut self, lists: config::StatusList<'_>, at: At<'_>) -> Option<StatusLists> {
        let config::StatusList {
            cluster,
            uri_prefix,
            authorization,
            required,
            timeout,
            on_unavailable,
        } = lists;
        let uri = uri_prefix.and_then(|prefix| self.uri_prefix(prefix, at.key("uri_prefix")));
        let default = DEFAULT_TIMEOUT;
        let endpoint = self.endpoint_at(cluster, uri, authorization, timeout, default, at);
        Some(StatusLists {
            uri_prefix: uri_prefix?.into(),
            endpoint: endpoint?,
            required: required.or(true)?,
            on_unavailable: fallback(on_unavailable)?,
        })
    }

    /// Without the slash, `http://authority` would also begin `http://authority.evil.example`; and
    /// no `uri` with any of the rest is ever followed.
    fn uri_prefix(&mut self, prefix: &str, at: At<'_>) -> Option<Uri> {
        let uri = self.uri(prefix, at)?;
        let mut segments = prefix.split('/');
        if !prefix.ends_with('/')
            || prefix.contains(['?', '%'])
            || segments.any(|segment| segment == "." || segment == "..")
        {
            let found = "a URI that cannot begin another one";
            let expected = "a slash at its end, and no dot segment, escape or query";
            self.faults.unfit(at, found, expected);
            return None;
        }
        Some(uri)
    }

    pub(super) fn remote_api_keys(
        &mut self,
        remote: config::RemoteApiKeys<'_>,
        at: At<'_>,
    ) -> Option<RemoteApiKeys> {
        let config::RemoteApiKeys {
            cluster,
            uri,
            authorization,
            timeout,
            refresh_interval,
            max_staleness,
        } = remote;
        let endpoint = self.endpoint(cluster, uri, authorization, timeout, DEFAULT_TIMEOUT, at);
        let defaults = (DEFAULT_API_KEYS_INTERVAL, DEFAULT_API_KEYS_STALENESS);
        let freshness = self.freshness(refresh_interval, max_staleness, defaults, at);
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
        refresh_interval: Field<Duration>,
        max_staleness: Field<Duration>,
        defaults: (Duration, Duration),
        at: At<'_>,
    ) -> Option<(Duration, Duration)> {
        let refresh_interval = self.duration(
            refresh_interval,
            defaults.0,
            REFRESH_INTERVAL,
            at.key("refresh_interval"),
        );
        let max_staleness =
            self.duration(max_staleness, defaults.1, PERIOD, at.key("max_staleness"));
        let (refresh_interval, max_staleness) = (refresh_interval?, max_staleness?);
        if max_staleness < refresh_interval {
            let message =
                "shorter than refresh_interval: what is good goes stale between refreshes";
            self.warn(at.key("max_staleness"), message);
        }
        Some((refresh_interval, max_staleness))
    }
}

fn fallback(field: Field<config::Fallback>) -> Option<Fallback> {
    let fallback = field.or(config::Fallback::Deny)?;
    Some(match fallback {
        config::Fallback::Deny => Fallback::Deny,
        config::Fallback::DangerAllow => Fallback::Allow,
    })
}
