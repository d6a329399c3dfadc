//! Providers, their keys and the places of their tokens.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use crate::config::reader::{At, Field, Map, OneOrMore, alternatives, quoted};
use crate::config::{self, Claim, Jwks};
use crate::json::Object;
use crate::keys::{Algorithm, AlgorithmSet, InvalidKeySet, KeySet, Origin};
use crate::limits::{JWKS_KEYS, MAX_CLOCK_TOLERANCE};
use crate::policy::ProviderId;
use crate::policy::compile::callouts::PERIOD;
use crate::policy::compile::{API_KEYS, Compiler, all_or_none, syntax};
use crate::policy::provider::{Audiences, Keys, Provider, RemoteKeys, Types};
use crate::policy::requirement::ClaimPath;

const DEFAULT_CLOCK_TOLERANCE: Duration = Duration::from_secs(30);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_REFRESH_INTERVAL: Duration = Duration::from_secs(3600);
const DEFAULT_MIN_REFETCH_INTERVAL: Duration = Duration::from_secs(6);
const DEFAULT_MAX_STALENESS: Duration = Duration::from_secs(24 * 3600);

impl Compiler<'_> {
    pub(super) fn providers(
        &mut self,
        providers: Map<'_, config::Provider<'_>>,
        at: At<'_>,
    ) -> Option<Vec<Provider>> {
        let mut by_issuer: HashMap<&str, usize> = HashMap::new();
        let names: Vec<_> = providers.names().collect();
        let providers = providers.into_members().enumerate();
        all_or_none(providers.map(|(i, (name, provider))| {
            let at = at.key(name);
            let legal_name = self.text(name, at);
            if name == API_KEYS {
                let expected = "another name: rules call the API keys so";
                self.faults.unfit(at, "a provider of this name", expected);
            }
            let provider = provider?;
            if let Some(issuer) = provider.issuer {
                let first = *by_issuer.entry(issuer).or_insert(i);
                if first != i {
                    let first = names.get(first).unwrap_or(&"");
                    let found = format!("the issuer of {first}");
                    self.faults
                        .unfit(at.key("issuer"), found, "one provider per issuer");
                }
            }
            self.provider(ProviderId(i), legal_name, provider, at)
        }))
    }

    fn provider(
        &mut self,
        id: ProviderId,
        name: Option<Box<str>>,
        provider: config::Provider<'_>,
        at: At<'_>,
    ) -> Option<Provider> {
        let config::Provider {
            issuer,
            audiences,
            danger_any_audience,
            algorithms,
            jwks,
            clock_tolerance,
            require_exp,
            max_lifetime,
            types,
            from,
            scope_claims,
            client_id_claims,
            tenant_claim,
            introspection,
            revocation,
        } = provider;

        let issuer = issuer.and_then(|issuer| self.text(issuer, at.key("issuer")));
        let audiences = self.audiences(audiences, danger_any_audience, at);
        let algorithms = self.algorithms(algorithms, at.key("algorithms"));
        let has_keys = !jwks.is_absent();
        let keys = match jwks {
            Field::Absent if !introspection.is_absent() => Some(Keys::None),
            Field::Absent => {
                self.faults.missing(at.key("jwks"));
                None
            }
            Field::Faulty => None,
            Field::Given(Jwks::Inline(set)) => {
                self.inline_keys(set, algorithms, at.key("jwks").key("inline"))
            }
            Field::Given(Jwks::Remote(remote)) => {
                if let Some(listed) = algorithms {
                    self.refuse_published_secrets(listed, at.key("algorithms"));
                }
                self.remote_keys(remote, at.key("jwks").key("remote"))
            }
        };
        let clock_tolerance = self.duration(
            clock_tolerance,
            DEFAULT_CLOCK_TOLERANCE,
            Duration::ZERO..=MAX_CLOCK_TOLERANCE,
            at.key("clock_tolerance"),
        );
        let max_lifetime = max_lifetime.and_then(|max| {
            let at = at.key("max_lifetime");
            self.duration(Field::Given(max), max, PERIOD, at)
        });
        let types = self.types(types, at.key("types"));
        let places = self.token_places(from, at.key("from"));
        let scope_claims = self.claims(scope_claims, ["scope", "scp"], at.key("scope_claims"));
        let client_id_claims = self.claims(
            client_id_claims,
            ["client_id", "azp"],
            at.key("client_id_claims"),
        );
        let tenant_claim = tenant_claim.or(Claim::Dotted("tenant"));
        let tenant_claim = tenant_claim.and_then(|claim| self.claim(claim, at.key("tenant_claim")));
        if let (Some(places), false) = (&places, introspection.is_absent()) {
            self.introspecting.push((id, places.clone()));
        }
        let introspection = introspection.and_then(|introspection| {
            self.introspection(introspection, has_keys, at.key("introspection"))
        });
        let revocation = self.revocation(revocation, has_keys, at.key("revocation"));

        let (revocation_list, status_lists) = revocation?;
        Some(Provider {
            name: name?.into(),
            issuer: issuer?,
            audiences: audiences?,
            algorithms: algorithms?,
            keys: keys?,
            clock_tolerance: clock_tolerance?,
            require_exp: require_exp.or(true)?,
            max_lifetime: max_lifetime?,
            types: types?,
            places: places?,
            scope_claims: scope_claims?,
            client_id_claims: client_id_claims?,
            tenant_claim: tenant_claim?,
            introspection: introspection?,
            revocation_list,
            status_lists,
        })
    }

    fn audiences(
        &mut self,
        audiences: Field<OneOrMore<&str>>,
        danger_any_audience: Field<bool>,
        at: At<'_>,
    ) -> Option<Audiences> {
        let any = danger_any_audience.or(false);
        match (audiences, any?) {
            (Field::Absent, true) => Some(Audiences::Any),
            (Field::Absent, false) => {
                self.faults.missing(at.key("audiences"));
                None
            }
            (_, true) => {
                let at = at.key("danger_any_audience");
                self.faults
                    .unfit(at, "true beside audiences", "only one of them");
                None
            }
            (audiences, false) => {
                let audiences = audiences.and_then(|a| self.texts(a, at.key("audiences")));
                audiences?.map(Audiences::OneOf)
            }
        }
    }

    pub(super) fn texts(&mut self, texts: OneOrMore<&str>, at: At<'_>) -> Option<Vec<Box<str>>> {
        let texts = texts.into_indexed();
        all_or_none(texts.map(|(i, text)| self.text(text, at.index(i))))
    }

    fn algorithms(&mut self, names: Field<OneOrMore<&str>>, at: At<'_>) -> Option<AlgorithmSet> {
        let names = match names {
            Field::Faulty => return None,
            Field::Absent => return Some(AlgorithmSet::DEFAULT),
            Field::Given(names) => names,
        };
        let algorithms = all_or_none(names.into_indexed().map(|(i, name)| {
            let algorithm = Algorithm::parse(name);
            if algorithm.is_none() {
                let expected = alternatives(Algorithm::ALL.map(Algorithm::name));
                self.faults.unfit(at.index(i), quoted(name), expected);
            }
            algorithm
        }));
        algorithms.map(AlgorithmSet::from_iter)
    }

    /// Remote sets never yield `oct` keys: a secret that is published is none.
    fn refuse_published_secrets(&mut self, listed: AlgorithmSet, at: At<'_>) {
        let shared: Vec<_> = listed
            .iter()
            .filter(|a| !AlgorithmSet::DEFAULT.contains(*a))
            .collect();
        if let [first, ..] = shared.as_slice() {
            let found = format!("{} for remote keys", first.name());
            self.faults.unfit(at, found, "HS* only beside jwks.inline");
        }
    }

    fn inline_keys(
        &mut self,
        set: &Object<'_>,
        algorithms: Option<AlgorithmSet>,
        at: At<'_>,
    ) -> Option<Keys> {
        let keys_at = at.key("keys");
        let (keys, skipped) = match KeySet::from_object(set, Origin::Inline) {
            Ok(read) => read,
            Err(invalid) => {
                self.invalid_keys(set, invalid, keys_at);
                return None;
            }
        };
        for key in skipped {
            self.warn(keys_at.index(key.index), format!("skipped, {}", key.reason));
        }
        let algorithms = algorithms?;
        let fits = |algorithm| keys.iter().any(|key| key.algorithms().contains(algorithm));
        let mut unserved = algorithms
            .iter()
            .filter(|a| !AlgorithmSet::DEFAULT.contains(*a) && !fits(*a));
        if let Some(algorithm) = unserved.next() {
            let found = format!("no key for {}", algorithm.name());
            self.faults
                .unfit(keys_at, found, "an oct key that is long enough");
            return None;
        }
        if !algorithms.iter().any(fits) {
            let found = "no key for any of the provider's algorithms";
            self.faults.unfit(keys_at, found, "at least one");
            return None;
        }
        Some(Keys::Inline(Rc::new(keys)))
    }

    fn invalid_keys(&mut self, set: &Object<'_>, invalid: InvalidKeySet, at: At<'_>) {
        match invalid {
            InvalidKeySet::NoKeys => match set.get("keys") {
                None => self.faults.missing(at),
                Some(value) => self.faults.wrong_type(at, value, "an array"),
            },
            InvalidKeySet::NoUsableKey(skipped) if skipped.is_empty() => {
                self.faults
                    .unfit(at, "an empty array", "at least one element");
            }
            InvalidKeySet::NoUsableKey(skipped) => {
                for key in skipped {
                    self.faults
                        .invalid(at.index(key.index), key.reason.to_string());
                }
            }
            InvalidKeySet::PrivateKey { index } => {
                self.faults
                    .unfit(at.index(index), "a private key", "the public one alone");
            }
            InvalidKeySet::TooManyKeys { keys } => {
                let expected = format!("at most {JWKS_KEYS}");
                self.faults.unfit(at, format!("{keys} keys"), expected);
            }
            InvalidKeySet::NotJson(_) | InvalidKeySet::TooLarge { .. } => {
                self.faults.invalid(at, invalid.to_string());
            }
        }
    }

    fn remote_keys(&mut self, remote: config::RemoteJwks<'_>, at: At<'_>) -> Option<Keys> {
        let config::RemoteJwks {
            cluster,
            uri,
            authorization,
            timeout,
            refresh_interval,
            min_refetch_interval,
            max_staleness,
        } = remote;
        let endpoint = self.endpoint(cluster, uri, authorization, timeout, DEFAULT_TIMEOUT, at);
        let min_refetch_interval = self.duration(
            min_refetch_interval,
            DEFAULT_MIN_REFETCH_INTERVAL,
            PERIOD,
            at.key("min_refetch_interval"),
        );
        let defaults = (DEFAULT_REFRESH_INTERVAL, DEFAULT_MAX_STALENESS);
        let freshness = self.freshness(refresh_interval, max_staleness, defaults, at);
        let (refresh_interval, max_staleness) = freshness.unzip();
        Some(Keys::Remote(RemoteKeys {
            endpoint: endpoint?,
            refresh_interval: refresh_interval?,
            min_refetch_interval: min_refetch_interval?,
            max_staleness: max_staleness?,
        }))
    }

    /// RFC 7515 §4.1.9: `application/` may be left out, and case does not count.
    fn types(&mut self, types: Field<OneOrMore<&str>>, at: At<'_>) -> Option<Types> {
        let types = match types {
            Field::Faulty => return None,
            Field::Given(types) => types,
            Field::Absent => {
                return Some(Types {
                    names: vec!["at+jwt".into(), "jwt".into()],
                    absent: true,
                });
            }
        };
        let names = all_or_none(types.into_indexed().map(|(i, name)| {
            let lower = name.to_ascii_lowercase();
            let short = lower.strip_prefix("application/").unwrap_or(&lower);
            let legal = short.split('/').all(syntax::is_token);
            if !legal {
                self.faults.unfit(at.index(i), quoted(name), "a media type");
            }
            legal.then(|| short.into())
        }));
        Some(Types {
            names: names?,
            absent: false,
        })
    }

    fn claims<const N: usize>(
        &mut self,
        claims: Field<OneOrMore<Claim<'_>>>,
        default: [&str; N],
        at: At<'_>,
    ) -> Option<Vec<ClaimPath>> {
        match claims {
            Field::Faulty => None,
            Field::Absent => default.into_iter().map(ClaimPath::from_dotted).collect(),
            Field::Given(claims) => {
                let claims = claims.into_indexed();
                all_or_none(claims.map(|(i, claim)| self.claim(claim, at.index(i))))
            }
        }
    }

    pub(super) fn claim(&mut self, claim: Claim<'_>, at: At<'_>) -> Option<ClaimPath> {
        match claim {
            Claim::Dotted(text) => {
                let path = ClaimPath::from_dotted(text);
                if path.is_none() {
                    let expected = "names with a dot between any two";
                    self.faults.unfit(at, quoted(text), expected);
                }
                path
            }
            Claim::Members(names) => {
                let path = ClaimPath::new(names.iter().map(|(_, name)| Box::from(*name)));
                if path.is_none() {
                    self.faults.unfit(at, "an empty name", "names of members");
                }
                path
            }
        }
    }
}
