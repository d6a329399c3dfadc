//! From what operators wrote to what it means, with every fault along the way.

mod api_keys;
mod callouts;
mod endpoint;
mod forward;
mod places;
mod provider;
mod rules;
mod secret;
mod syntax;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::reader::{At, Fault, Faults, Field, List, Map, Read, quoted};
use crate::config::{self, Config, protobuf_struct};
use crate::json::{self, Value};
use crate::limits::CONFIGURATION_BYTES;
use crate::policy::api_keys::ApiKeyTable;
use crate::policy::provider::CredentialLocation;
use crate::policy::requirement::ClaimPath;
use crate::policy::route::Routes;
use crate::policy::{Audit, Limits, LocationId, Mode, Policy, ProviderId, Unmatched};
use crate::secret::Pepper;

/// A policy, and what its author should know about it.
#[derive(Debug)]
pub struct Compiled {
    pub policy: Policy,
    pub warnings: Vec<Warning>,
}

/// Something that is legal and hardly meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    pub path: Box<str>,
    pub message: Box<str>,
}

/// All faults of a configuration; never none. No secret is in any of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidPolicy(Vec<Fault>);

/// Compiles a configuration as the host hands it over. `environment` knows the VM's variables.
pub fn compile(
    configuration: &[u8],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Compiled, InvalidPolicy> {
    let mut compiler = Compiler::new(environment);
    let configuration = json_text(configuration);
    let policy = compiler.read(&configuration, At::CONFIGURATION, |compiler, value| {
        let config = Config::read(value, At::CONFIGURATION, &mut compiler.faults)?;
        compiler.policy(config)
    });
    let Compiler {
        faults, warnings, ..
    } = compiler;
    match policy {
        Some(policy) if faults.is_empty() => Ok(Compiled { policy, warnings }),
        _ => Err(InvalidPolicy(faults.into_vec())),
    }
}

/// What is no JSON may be a `Struct`, which reads as its JSON.
fn json_text(configuration: &[u8]) -> Cow<'_, [u8]> {
    let is_text = configuration.is_empty() || json::parse(configuration).is_ok();
    match protobuf_struct::decode(configuration).filter(|_| !is_text) {
        Some(value) => Cow::Owned(value.to_string().into()),
        None => Cow::Borrowed(configuration),
    }
}

/// Compiles a list of API keys as its source answers it: `{"keys": [...]}`, as in the
/// configuration. One entry that cannot be honoured fails the list as a whole, and the last good
/// one goes on to serve: with a part of it, a key could come back that a newer list has revoked.
pub fn compile_api_keys(
    body: &[u8],
    pepper: Option<&Pepper>,
) -> Result<ApiKeyTable, InvalidPolicy> {
    let mut compiler = Compiler::new(&|_| None);
    let list = At::Root("list of API keys");
    let table = compiler.read(body, list, |compiler, value| {
        compiler.remote_key_table(value, pepper, list)
    });
    match table {
        Some(table) if compiler.faults.is_empty() => Ok(table),
        _ => Err(InvalidPolicy(compiler.faults.into_vec())),
    }
}

/// What the parts of a configuration have in common while they are compiled.
struct Compiler<'e> {
    environment: &'e dyn Fn(&str) -> Option<String>,
    faults: Faults,
    warnings: Vec<Warning>,
    claims: Interned<ClaimPath>,
    places: Interned<CredentialLocation>,
    /// Where each place was mentioned first.
    place_paths: Vec<String>,
    /// The places before this one are providers'.
    token_places: usize,
    /// The providers that introspect, and where their tokens are.
    introspecting: Vec<(ProviderId, Vec<LocationId>)>,
}

/// Values that are referred to by their index, each held once.
struct Interned<T> {
    values: Vec<T>,
    indices: HashMap<T, usize>,
}

/// Whom a rule may name in `credentials`.
struct Issuers<'v> {
    /// Indexed by [`ProviderId`].
    names: Vec<&'v str>,
    ids: HashMap<&'v str, usize>,
    api_keys: bool,
}

/// The name by which rules refer to API keys.
const API_KEYS: &str = "api_keys";

const DEFAULT_REALM: &str = "portcullis";

/// Longer credentials fit no header that Envoy passes by default.
const TOKEN_BYTES: RangeInclusive<u64> = 1..=1024 * 1024;
const DEFAULT_TOKEN_BYTES: u64 = 16 * 1024;

/// At a few kilobytes each, more would fill a VM's memory of 1 GiB.
const CACHE_ENTRIES: RangeInclusive<u64> = 0..=128 * 1024;
const DEFAULT_CACHE_ENTRIES: u64 = 4096;

// === impl Compiler ===

impl<'e> Compiler<'e> {
    fn new(environment: &'e dyn Fn(&str) -> Option<String>) -> Self {
        Compiler {
            environment,
            faults: Faults::default(),
            warnings: Vec::new(),
            claims: Interned::default(),
            places: Interned::default(),
            place_paths: Vec::new(),
            token_places: 0,
            introspecting: Vec::new(),
        }
    }

    /// Whatever a JSON object is compiled to.
    fn read<T>(
        &mut self,
        text: &[u8],
        at: At<'_>,
        compile: impl FnOnce(&mut Self, &Value<'_>) -> Option<T>,
    ) -> Option<T> {
        const EXPECTED: &str = "a JSON object";
        if text.len() > CONFIGURATION_BYTES {
            let found = format!("{} bytes", text.len());
            let expected = format!("at most {CONFIGURATION_BYTES}");
            self.faults.unfit(at, found, expected);
            return None;
        }
        // Istio sends no bytes at all where a WasmPlugin has no `pluginConfig`.
        if text.trim_ascii().is_empty() {
            self.faults.unfit(at, "nothing", EXPECTED);
            return None;
        }
        let value = match json::parse_leniently(text) {
            Ok(value) => value,
            Err(invalid) => {
                self.faults.unfit(at, invalid.to_string(), EXPECTED);
                return None;
            }
        };
        let Value::Object(_) = value else {
            self.faults.wrong_type(at, &value, EXPECTED);
            return None;
        };
        self.faults.duplicates(at, &value);
        compile(self, &value)
    }

    fn policy(&mut self, config: Config<'_>) -> Option<Policy> {
        let Config {
            realm,
            mode,
            providers,
            api_keys,
            rules,
            unmatched,
            allow_cors_preflight,
            forward,
            limits,
            audit,
        } = config;
        let at = At::CONFIGURATION;

        let realm = realm.or(DEFAULT_REALM);
        let realm = realm.and_then(|realm| self.realm(realm, at.key("realm")));

        let has_api_keys = !api_keys.is_absent();
        let providers = providers.or(Map::default());
        if !has_api_keys && providers.as_ref().is_some_and(Map::is_empty) {
            let expected = "at least one provider or one API key";
            self.faults.unfit(at, "none", expected);
        }
        let issuers = providers.as_ref();
        let issuers = issuers.map(|map| Issuers::new(map.names().collect(), has_api_keys));
        let providers = providers.and_then(|map| self.providers(map, at.key("providers")));
        self.token_places = self.places.values.len();
        let api_keys = api_keys.and_then(|keys| self.api_keys(keys, at.key(API_KEYS)));
        self.warn_of_overlapping_places();

        let rules = rules.or(List::default());
        if rules.as_ref().is_some_and(List::is_empty) {
            let message = "none: every request is treated as unmatched";
            self.warn(at.key("rules"), message);
        }
        let rules = rules.and_then(|rules| self.rules(rules, issuers.as_ref(), at.key("rules")));

        let forward = forward.or(config::Forward::default());
        let forward = forward.and_then(|forward| self.forward(forward, at.key("forward")));
        let limits = limits.or(config::Limits::default());
        let limits = limits.and_then(|limits| self.limits(limits, at.key("limits")));

        let (mut rules, matches) = rules?;
        let (providers, api_keys) = (providers?, api_keys?);
        for rule in &mut rules {
            rule.places = rule.accepts.places(&providers, api_keys.as_ref());
        }
        Some(Policy {
            realm: realm?,
            mode: match mode.or(config::Mode::Enforce)? {
                config::Mode::Enforce => Mode::Enforce,
                config::Mode::Shadow => Mode::Shadow,
            },
            providers,
            api_keys,
            places: std::mem::take(&mut self.places).values,
            routes: Routes::compile(matches),
            rules,
            unmatched: match unmatched.or(config::Unmatched::Deny)? {
                config::Unmatched::Deny => Unmatched::Deny,
                config::Unmatched::Anonymous => Unmatched::Anonymous,
            },
            allow_cors_preflight: allow_cors_preflight.or(true)?,
            forward: forward?,
            claims: std::mem::take(&mut self.claims).values,
            limits: limits?,
            audit: match audit.or(config::Audit::Denied)? {
                config::Audit::Denied => Audit::Denied,
                config::Audit::All => Audit::All,
                config::Audit::None => Audit::None,
            },
        })
    }

    /// What may stand between the quotes of a quoted-string (RFC 9110 §5.6.4) as it is.
    fn realm(&mut self, realm: &str, at: At<'_>) -> Option<Box<str>> {
        let legal = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
        if realm.is_empty() || !realm.bytes().all(legal) {
            let expected = "printable ASCII without quotes and backslashes";
            self.faults.unfit(at, quoted(realm), expected);
            return None;
        }
        Some(realm.into())
    }

    fn limits(&mut self, limits: config::Limits, at: At<'_>) -> Option<Limits> {
        let config::Limits {
            token_bytes,
            token_cache_entries,
            introspection_cache_entries,
        } = limits;
        let key = "token_bytes";
        let bytes = self.count(token_bytes, DEFAULT_TOKEN_BYTES, TOKEN_BYTES, at.key(key));
        let mut entries =
            |field, key| self.count(field, DEFAULT_CACHE_ENTRIES, CACHE_ENTRIES, at.key(key));
        let tokens = entries(token_cache_entries, "token_cache_entries");
        let answers = entries(introspection_cache_entries, "introspection_cache_entries");
        Some(Limits {
            token_bytes: bytes?,
            token_cache_entries: tokens?,
            introspection_cache_entries: answers?,
        })
    }

    fn count(
        &mut self,
        field: Field<u64>,
        default: u64,
        range: RangeInclusive<u64>,
        at: At<'_>,
    ) -> Option<usize> {
        let count = field.or(default)?;
        if !range.contains(&count) {
            let expected = format!("{} to {}", range.start(), range.end());
            self.faults.unfit(at, count.to_string(), expected);
            return None;
        }
        usize::try_from(count).ok()
    }

    fn duration(
        &mut self,
        field: Field<Duration>,
        default: Duration,
        range: RangeInclusive<Duration>,
        at: At<'_>,
    ) -> Option<Duration> {
        let duration = field.or(default)?;
        if !range.contains(&duration) {
            let expected = format!(
                "{} to {}",
                DisplayDuration(*range.start()),
                DisplayDuration(*range.end())
            );
            self.faults
                .unfit(at, DisplayDuration(duration).to_string(), expected);
            return None;
        }
        Some(duration)
    }

    fn warn(&mut self, at: At<'_>, message: impl Into<Box<str>>) {
        self.warnings.push(Warning {
            path: at.to_string().into(),
            message: message.into(),
        });
    }
}

/// All or nothing, but not before the last one was tried: a fault must not hide the next.
fn all_or_none<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let mut collected = Some(Vec::new());
    for item in items {
        match (&mut collected, item) {
            (Some(list), Some(item)) => list.push(item),
            _ => collected = None,
        }
    }
    collected
}

/// Of short lists, which need no sort of their own.
fn insert_sorted<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(index) = list.binary_search(&item) {
        list.insert(index, item);
    }
}

// === impl Interned ===

impl<T: Clone + Eq + Hash> Interned<T> {
    fn index(&mut self, value: T) -> usize {
        if let Some(index) = self.indices.get(&value) {
            return *index;
        }
        let index = self.values.len();
        self.values.push(value.clone());
        self.indices.insert(value, index);
        index
    }
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Interned {
            values: Vec::new(),
            indices: HashMap::new(),
        }
    }
}

// === impl Warning ===

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

// === impl InvalidPolicy ===

impl InvalidPolicy {
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }
}

/// One line per fault.
impl fmt::Display for InvalidPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidPolicy {}

/// A duration as an operator would write it.
struct DisplayDuration(Duration);

// === impl DisplayDuration ===

impl fmt::Display for DisplayDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (self.0.subsec_nanos(), seconds) {
            (0, 0) => f.write_str("0s"),
            (0, s) if s.is_multiple_of(3600) => write!(f, "{}h", s / 3600),
            (0, s) if s.is_multiple_of(60) => write!(f, "{}m", s / 60),
            (0, s) => write!(f, "{s}s"),
            (n, _) if n.is_multiple_of(1_000_000) => write!(f, "{}ms", self.0.as_millis()),
            _ => write!(f, "{:?}", self.0),
        }
    }
}
