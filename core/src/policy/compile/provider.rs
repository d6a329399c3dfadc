//! Providers and their keys.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use crate::config::fault::{At, alternatives, quoted};
use crate::config::reader::{Located, Named, NonEmpty, Optional};
use crate::config::{ClaimConfig, JwksConfig, ProviderConfig, RemoteJwksConfig};
use crate::json::Object;
use crate::keys::{Algorithm, AlgorithmSet, InvalidKeySet, KeySet, Origin};
use crate::limits::{JWKS_KEYS, MAX_CLOCK_TOLERANCE};
use crate::policy::claim::ClaimPath;
use crate::policy::compile::callouts::PERIOD;
use crate::policy::compile::compiler::{API_KEYS, Compiler, all_or_none};
use crate::policy::provider::{
    Audiences, Keys, Provider, ProviderId, RemoteKeys, Types, media_type,
};
use crate::request::is_token;

const DEFAULT_CLOCK_TOLERANCE: Duration = Duration::from_secs(30);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_REFRESH_INTERVAL: Duration = Duration::from_secs(3600);
const DEFAULT_MIN_REFETCH_INTERVAL: Duration = Duration::from_secs(6);
const DEFAULT_MAX_STALENESS: Duration = Duration::from_secs(24 * 3600);

/// JSON that is nested deeper than this is not read.
const ACTORS: RangeInclusive<u64> = 0..=100;

impl<'v> Compiler<'v> {
    pub(super) fn providers(
        &mut self,
        providers: Named<'v, ProviderConfig<'v>>,
    ) -> Option<Vec<Rc<Provider>>> {
        let mut by_issuer: HashMap<&str, &str> = HashMap::new();
        let providers = providers.into_iter().enumerate();
        all_or_none(providers.map(|(i, (name, provider))| {
            let valid_name = self.text(name);
            if name.value == API_KEYS {
                let expected = "another name: api_keys is reserved";
                self.findings
                    .unfit(name.at, "a provider of this name", expected);
            }
            let provider = provider?;
            if let Some(issuer) = provider.issuer {
                let first = *by_issuer.entry(issuer.value).or_insert(name.value);
                if first != name.value {
                    let found = format!("the issuer of {first}");
                    self.findings
                        .unfit(issuer.at, found, "one provider per issuer");
                }
            }
            let provider = self.provider(ProviderId(i), valid_name, provider);
            provider.map(Rc::new)
        }))
    }

    fn provider(
        &mut self,
        id: ProviderId,
        name: Option<Box<str>>,
        provider: ProviderConfig<'v>,
    ) -> Option<Provider> {
        let ProviderConfig {
            issuer,
            audiences,
            danger_any_audience,
            algorithms,
            jwks,
            clock_tolerance,
            require_exp,
            max_lifetime,
            max_actors,
            types,
            from,
            scope_claims,
            client_id_claims,
            tenant_claim,
            dpop,
            introspection,
            revocation,
        } = provider;

        let issuer = issuer.and_then(|issuer| self.text(issuer));
        let audiences = self.audiences(audiences, danger_any_audience);
        let algorithms_at = algorithms.at;
        let (any, asymmetric) = (AlgorithmSet::of(&Algorithm::ALL), AlgorithmSet::DEFAULT);
        let algorithms = self.algorithms(algorithms, any, asymmetric);
        let has_keys = !jwks.is_absent();
        if !has_keys && introspection.is_absent() {
            self.findings.missing(jwks.at);
        }
        let keys = jwks.map_or(Keys::None, |jwks| match jwks.value {
            JwksConfig::Inline(set) => self.inline_keys(set, algorithms),
            JwksConfig::Remote(remote) => {
                if let Some(listed) = algorithms {
                    self.refuse_published_secrets(listed, algorithms_at);
                }
                self.remote_keys(remote.value)
            }
        });
        let clock_tolerance = self.duration(
            clock_tolerance,
            DEFAULT_CLOCK_TOLERANCE,
            Duration::ZERO..=MAX_CLOCK_TOLERANCE,
        );
        let max_lifetime = max_lifetime.and_then(|max| self.within(max, PERIOD));
        let max_actors = max_actors.and_then(|max| self.count_within(max, ACTORS));
        let types = self.types(types);
        let (mut locations, cookie_origins) = self.token_locations(from).unzip();
        let dpop_at = dpop.at;
        let has_dpop = !dpop.is_absent();
        let dpop = dpop.and_then(|dpop| self.dpop(dpop.value));
        if has_dpop {
            locations = locations.map(|locations| self.with_dpop(locations, dpop_at));
        }
        let scope_claims = self.claims(scope_claims, ["scope", "scp"]);
        let client_id_claims = self.claims(client_id_claims, ["client_id", "azp"]);
        let tenant_claim = tenant_claim.or(ClaimConfig::Dotted("tenant"));
        let tenant_claim = tenant_claim.and_then(|claim| self.claim(claim));
        if let (Some(locations), false) = (&locations, introspection.is_absent()) {
            self.introspecting.push((id, locations.clone()));
        }
        let introspection = introspection
            .and_then(|introspection| self.introspection(introspection.value, has_keys));
        let revocation = self.revocation(revocation, has_keys);

        let (revocation_list, status_lists) = revocation?;
        Some(Provider {
            id,
            name: name?.into(),
            issuer: issuer?,
            audiences: audiences?,
            algorithms: algorithms?,
            keys: keys?,
            clock_tolerance: clock_tolerance?,
            require_exp: require_exp.or(true)?.value,
            max_lifetime: max_lifetime?,
            max_actors: max_actors?,
            types: types?,
            locations: self.resolve(&locations?)?,
            cookie_origins: cookie_origins?,
            scope_claims: scope_claims?,
            client_id_claims: client_id_claims?,
            tenant_claim: tenant_claim?,
            dpop: dpop?,
            introspection: introspection?,
            revocation_list,
            status_lists,
        })
    }

    fn audiences(
        &mut self,
        audiences: Optional<NonEmpty<&str>>,
        danger_any_audience: Optional<bool>,
    ) -> Option<Audiences> {
        let any = danger_any_audience.or(false)?;
        match (audiences.is_absent(), any.value) {
            (true, true) => Some(Audiences::Any),
            (true, false) => {
                self.findings.missing(audiences.at);
                None
            }
            (false, true) => {
                self.findings
                    .unfit(any.at, "true beside audiences", "only one of them");
                None
            }
            (false, false) => {
                let audiences = self.texts(audiences.given()?.value);
                audiences.map(Audiences::OneOf)
            }
        }
    }

    pub(super) fn texts(&mut self, texts: NonEmpty<&str>) -> Option<Vec<Box<str>>> {
        self.each(texts, |compiler, text| compiler.text(text))
    }

    pub(super) fn algorithms(
        &mut self,
        names: Optional<NonEmpty<&str>>,
        offered: AlgorithmSet,
        default: AlgorithmSet,
    ) -> Option<AlgorithmSet> {
        names.map_or(default, |names| {
            let algorithms = self.each(names.value, |compiler, Located { at, value }| {
                let algorithm = Algorithm::parse(value);
                let algorithm = algorithm.filter(|algorithm| offered.contains(*algorithm));
                if algorithm.is_none() {
                    let expected = alternatives(offered.iter().map(Algorithm::name));
                    compiler.findings.unfit(at, quoted(value), expected);
                }
                algorithm
            });
            algorithms.map(AlgorithmSet::from_iter)
        })
    }

    /// Remote sets never yield `oct` keys: a published secret is no secret.
    fn refuse_published_secrets(&mut self, listed: AlgorithmSet, at: At) {
        let mut listed = listed.iter();
        if let Some(shared) = listed.find(|a| !AlgorithmSet::DEFAULT.contains(*a)) {
            let found = format!("{} for remote keys", shared.name());
            self.findings
                .unfit(at, found, "HS* only beside jwks.inline");
        }
    }

    fn inline_keys(
        &mut self,
        Located { at, value: set }: Located<&'v Object<'v>>,
        algorithms: Option<AlgorithmSet>,
    ) -> Option<Keys> {
        // Of a JWK Set (RFC 7517 §5.1), which has a reader of its own.
        let keys_at = self.findings.key(at, "keys");
        let (keys, skipped) = match KeySet::from_object(set, Origin::Inline) {
            Ok(read) => read,
            Err(invalid) => {
                self.invalid_keys(set, invalid, keys_at);
                return None;
            }
        };
        for key in skipped {
            let at = self.findings.index(keys_at, key.index);
            self.findings.warn(at, format!("skipped, {}", key.reason));
        }
        let algorithms = algorithms?;
        let fits = |algorithm| keys.iter().any(|key| key.algorithms().contains(algorithm));
        let mut unserved = algorithms
            .iter()
            .filter(|a| !AlgorithmSet::DEFAULT.contains(*a) && !fits(*a));
        if let Some(algorithm) = unserved.next() {
            let found = format!("no key for {}", algorithm.name());
            let expected = "an oct key that is long enough";
            self.findings.unfit(keys_at, found, expected);
            return None;
        }
        if !algorithms.iter().any(fits) {
            let found = "no key for any of the provider's algorithms";
            self.findings.unfit(keys_at, found, "at least one");
            return None;
        }
        Some(Keys::Inline(Rc::new(keys)))
    }

    fn invalid_keys(&mut self, set: &Object<'_>, invalid: InvalidKeySet, at: At) {
        match invalid {
            InvalidKeySet::NoKeys => match set.get("keys") {
                None => self.findings.missing(at),
                Some(value) => self.findings.wrong_type(at, value, "an array"),
            },
            InvalidKeySet::NoUsableKey(skipped) if skipped.is_empty() => {
                let expected = "at least one element";
                self.findings.unfit(at, "an empty array", expected);
            }
            InvalidKeySet::NoUsableKey(skipped) => {
                for key in skipped {
                    let at = self.findings.index(at, key.index);
                    self.findings.invalid(at, key.reason.to_string());
                }
            }
            InvalidKeySet::PrivateKey { index } => {
                let at = self.findings.index(at, index);
                self.findings
                    .unfit(at, "a private key", "the public one alone");
            }
            InvalidKeySet::TooManyKeys { keys } => {
                let expected = format!("at most {JWKS_KEYS}");
                self.findings.unfit(at, format!("{keys} keys"), expected);
            }
            InvalidKeySet::NotJson(_) | InvalidKeySet::TooLarge { .. } => {
                self.findings.invalid(at, invalid.to_string());
            }
        }
    }

    fn remote_keys(&mut self, remote: RemoteJwksConfig<'_>) -> Option<Keys> {
        let RemoteJwksConfig {
            cluster,
            uri,
            authorization,
            timeout,
            refresh_interval,
            min_refetch_interval,
            max_staleness,
        } = remote;
        let uri = uri.and_then(|uri| self.uri(uri));
        let authorization = self.authorization(authorization);
        let endpoint = self.endpoint(cluster, uri, authorization, timeout, DEFAULT_TIMEOUT);
        let default = DEFAULT_MIN_REFETCH_INTERVAL;
        let min_refetch_interval = self.duration(min_refetch_interval, default, PERIOD);
        let defaults = (DEFAULT_REFRESH_INTERVAL, DEFAULT_MAX_STALENESS);
        let freshness = self.freshness(refresh_interval, max_staleness, defaults);
        let (refresh_interval, max_staleness) = freshness?;
        Some(Keys::Remote(RemoteKeys {
            endpoint: endpoint?,
            refresh_interval,
            min_refetch_interval: min_refetch_interval?,
            max_staleness,
        }))
    }

    fn types(&mut self, types: Optional<NonEmpty<&str>>) -> Option<Types> {
        let default = Types {
            names: vec!["at+jwt".into(), "jwt".into()],
            absent: true,
        };
        types.map_or(default, |types| {
            let names = self.each(types.value, |compiler, Located { at, value }| {
                let short = media_type(value);
                let valid = short.split('/').all(|part| is_token(part.as_bytes()));
                if !valid {
                    compiler.findings.unfit(at, quoted(value), "a media type");
                }
                valid.then(|| short.into())
            });
            Some(Types {
                names: names?,
                absent: false,
            })
        })
    }

    fn claims<const N: usize>(
        &mut self,
        claims: Optional<NonEmpty<ClaimConfig<'_>>>,
        default: [&str; N],
    ) -> Option<Vec<ClaimPath>> {
        if claims.is_absent() {
            return default.into_iter().map(ClaimPath::from_dotted).collect();
        }
        self.each(claims.given()?.value, Self::claim)
    }

    pub(super) fn claim(
        &mut self,
        Located { at, value }: Located<ClaimConfig<'_>>,
    ) -> Option<ClaimPath> {
        match value {
            ClaimConfig::Dotted(text) => {
                let path = ClaimPath::from_dotted(text);
                if path.is_none() {
                    let expected = "names with a dot between any two";
                    self.findings.unfit(at, quoted(text), expected);
                }
                path
            }
            ClaimConfig::Literal(names) => {
                let names = self.each(names, |_, name| Some(name.value.into()))?;
                let path = ClaimPath::new(names);
                if path.is_none() {
                    let expected = "names of members";
                    self.findings.unfit(at, "an empty name", expected);
                }
                path
            }
        }
    }
}
