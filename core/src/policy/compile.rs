//! Compiles a configuration to a policy, and finds all of its faults at once.

mod api_keys;
mod asked;
#[cfg(feature = "ai")]
mod bodies;
#[cfg(feature = "ai")]
mod budget_names;
#[cfg(feature = "ai")]
mod budgets;
mod callouts;
mod compiler;
mod dpop;
mod endpoint;
mod forward;
mod locations;
mod mcp;
#[cfg(feature = "ai")]
mod models;
mod patterns;
#[cfg(feature = "ai")]
mod prompts;
mod provider;
mod resources;
mod rules;
mod secret;
mod syntax;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;

use crate::config::fault::{At, ConfigFault, Warning, quoted};
use crate::config::reader::{FromValue, ListOf, Located, Named};
use crate::config::{
    ApiKeyListConfig, Audit, Config, FilterStateField, LimitsConfig, Mode, Unmatched, document,
};
#[cfg(feature = "ai")]
use crate::limits;
use crate::policy::api_keys::{ApiKeyTable, ApiKeys};
use crate::policy::compile::compiler::Compiler;
use crate::policy::compile::rules::CredentialNames;
use crate::policy::compiled::{Limits, Policy};
use crate::policy::location::CredentialLocation;
use crate::policy::requirement::Accepted;
use crate::policy::resource::Resources;
use crate::policy::route::Routes;
use crate::request::header_name::HeaderName;
use crate::secret::Pepper;

/// A policy, and what its author should know about it.
#[derive(Debug)]
pub struct Compiled {
    /// What the configuration means.
    pub policy: Policy,
    /// What is valid in it and probably a mistake.
    pub warnings: Vec<Warning>,
}

/// All faults of a configuration, at least one. None of them repeats a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidPolicy(Vec<ConfigFault>);

/// Compiles a configuration as Envoy hands it over. `environment` looks up a variable of the VM's
/// environment.
pub fn compile(
    configuration: &[u8],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Compiled, InvalidPolicy> {
    let value = document::configuration(configuration).map_err(|fault| vec![fault])?;
    let mut compiler = Compiler::new(document::CONFIGURATION, environment);
    compiler.findings.duplicate_keys(At::DOCUMENT, &value);
    let config = Config::from_value(&value, At::DOCUMENT, &mut compiler.findings);
    let policy = config.and_then(|config| compiler.policy(config));
    let (policy, warnings) = compiler.finish(policy)?;
    Ok(Compiled { policy, warnings })
}

/// Compiles an answer of `api_keys.remote`: `{"keys": [...]}`, as in the configuration. One invalid
/// entry fails the whole list, and the last list stays in use: without the entry, a key could pass
/// that the new list revokes.
pub fn compile_api_keys(
    body: &[u8],
    pepper: Option<&Pepper>,
) -> Result<ApiKeyTable, InvalidPolicy> {
    let value = document::api_key_list(body).map_err(|fault| vec![fault])?;
    let mut compiler = Compiler::new(document::API_KEY_LIST, &|_| None);
    compiler.findings.duplicate_keys(At::DOCUMENT, &value);
    let list = ApiKeyListConfig::from_value(&value, At::DOCUMENT, &mut compiler.findings);
    let table = list.and_then(|list| compiler.remote_key_table(list, pepper));
    let (table, _) = compiler.finish(table)?;
    Ok(table)
}

const DEFAULT_REALM: &str = "portcullis";

/// Longer credentials fit no header that Envoy passes by default.
const TOKEN_BYTES: RangeInclusive<u64> = 1..=1024 * 1024;
const DEFAULT_TOKEN_BYTES: u64 = 16 * 1024;

/// At a few kilobytes each, more would fill a VM's memory of 1 GiB.
const CACHE_ENTRIES: RangeInclusive<u64> = 0..=128 * 1024;
const DEFAULT_CACHE_ENTRIES: u64 = 4096;

/// A table of this size is made at start-up, for each budget.
#[cfg(feature = "ai")]
const BUDGET_CALLERS: RangeInclusive<u64> = 1..=limits::BUDGET_CALLERS as u64;
#[cfg(feature = "ai")]
const DEFAULT_BUDGET_CALLERS: u64 = 64 * 1024;

// === impl Compiler ===

impl<'v> Compiler<'v> {
    fn policy(&mut self, config: Config<'v>) -> Option<Policy> {
        let Config {
            realm,
            mode,
            providers,
            api_keys,
            rules,
            unmatched,
            allow_cors_preflight,
            resources,
            forward,
            limits,
            audit,
            filter_state,
            #[cfg(feature = "ai")]
            budgets,
        } = config;

        let realm = realm.or(DEFAULT_REALM);
        let realm = realm.and_then(|realm| self.realm(realm));

        let has_api_keys = !api_keys.is_absent();
        let providers = providers.or(Named::default());
        let providers = providers.map(|providers| providers.value);
        if !has_api_keys && providers.as_ref().is_some_and(Named::is_empty) {
            let expected = "at least one provider or one API key";
            self.findings.unfit(At::DOCUMENT, "none", expected);
        }
        let names = providers.as_ref();
        let names = names.map(|map| CredentialNames::new(map.names().collect(), has_api_keys));
        let providers = providers.and_then(|providers| self.providers(providers));
        self.token_locations = self.locations.values.len();
        let api_keys = api_keys.and_then(|api_keys| self.api_keys(api_keys.value));
        self.warn_of_overlapping_locations();
        self.refuse_credentials_beside_proofs();

        #[cfg(feature = "ai")]
        let budgets = budgets.map_or(Vec::new(), |budgets| self.budgets(budgets.value));
        let rules = rules.or(ListOf::default());
        if let Some(Located { at, value }) = &rules
            && value.is_empty()
        {
            let message = "none: every request is treated as unmatched";
            self.findings.warn(*at, message);
        }
        let accepting = providers.as_deref().unwrap_or_default();
        let unmatched = unmatched.or(Unmatched::Deny);
        let unmatched = unmatched.map(|unmatched| unmatched.value);
        let rules =
            rules.and_then(|rules| self.rules(rules.value, names.as_ref(), accepting, unmatched));
        #[cfg(feature = "ai")]
        self.warn_of_unused_budgets();
        let resources = resources.map_or(Resources::default(), |resources| {
            let rules = rules.as_deref().unwrap_or_default();
            self.resources(resources.value, rules, providers.as_deref())
        });

        let forward = forward.or_empty(&mut self.findings);
        let forward = forward.and_then(|forward| self.forward(forward.value));
        let limits = limits.or_empty(&mut self.findings);
        let limits = limits.and_then(|limits| self.limits(limits.value));

        let filter_state =
            filter_state.map_or(Vec::new(), |fields| self.filter_state(fields.value));

        let (providers, api_keys) = (providers?, api_keys?);
        let compiled = rules?.into_iter().map(|(mut rule, matching)| {
            rule.locations = locations(&rule.accepts, api_keys.as_ref());
            (matching, Rc::new(rule))
        });
        let matches: Vec<_> = compiled.collect();
        let rules = matches.iter().map(|(_, rule)| Rc::clone(rule)).collect();
        Some(Policy {
            realm: realm?,
            mode: mode.or(Mode::Enforce)?.value,
            takes_proofs: self.takes_proofs,
            providers,
            api_keys,
            locations: std::mem::take(&mut self.locations).values,
            routes: Routes::compile(matches),
            rules,
            unmatched: unmatched?,
            allow_cors_preflight: allow_cors_preflight.or(true)?.value,
            resources: resources?,
            forward: forward?,
            compared_headers: self.compared_headers(),
            #[cfg(feature = "ai")]
            budgets: budgets?,
            claims: std::mem::take(&mut self.claims).values,
            limits: limits?,
            audit: audit.or(Audit::Denied)?.value,
            filter_state: filter_state?,
        })
    }

    fn compared_headers(&mut self) -> Vec<HeaderName> {
        let mut names: Vec<HeaderName> = Vec::new();
        for (name, _) in std::mem::take(&mut self.compared_headers) {
            if !names.iter().any(|n| n.is(name.as_str().as_bytes())) {
                names.push(name);
            }
        }
        names
    }

    fn filter_state(&mut self, fields: ListOf<FilterStateField>) -> Option<Vec<FilterStateField>> {
        let mut seen: Vec<Located<FilterStateField>> = Vec::new();
        self.each(fields, |compiler, field| {
            if let Some(first) = seen.iter().find(|f| f.value == field.value) {
                let found = format!("the same as {}", compiler.findings.path(first.at));
                compiler.findings.unfit(field.at, found, "each field once");
                return None;
            }
            seen.push(field);
            Some(field.value)
        })
    }

    /// What may stand between the quotes of a quoted-string (RFC 9110 §5.6.4) as it is.
    fn realm(&mut self, Located { at, value }: Located<&str>) -> Option<Box<str>> {
        let legal = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
        if value.is_empty() || !value.bytes().all(legal) {
            let expected = "printable ASCII without quotes and backslashes";
            self.findings.unfit(at, quoted(value), expected);
            return None;
        }
        Some(value.into())
    }

    fn limits(&mut self, limits: LimitsConfig) -> Option<Limits> {
        let LimitsConfig {
            token_bytes,
            token_cache_entries,
            introspection_cache_entries,
            #[cfg(feature = "ai")]
            budget_callers,
        } = limits;
        let bytes = self.count(token_bytes, DEFAULT_TOKEN_BYTES, TOKEN_BYTES);
        let mut entries = |member| self.count(member, DEFAULT_CACHE_ENTRIES, CACHE_ENTRIES);
        let tokens = entries(token_cache_entries);
        let answers = entries(introspection_cache_entries);
        #[cfg(feature = "ai")]
        let callers = self.count(budget_callers, DEFAULT_BUDGET_CALLERS, BUDGET_CALLERS);
        Some(Limits {
            token_bytes: bytes?,
            token_cache_entries: tokens?,
            introspection_cache_entries: answers?,
            #[cfg(feature = "ai")]
            budget_callers: callers?,
        })
    }
}

/// Where accepted credentials may be, each location once.
fn locations(accepts: &Accepted, api_keys: Option<&ApiKeys>) -> Vec<Rc<CredentialLocation>> {
    let of_tokens = accepts.providers.iter().flat_map(|p| &p.locations);
    let of_api_keys = api_keys.filter(|_| accepts.api_keys);
    let of_api_keys = of_api_keys.into_iter().flat_map(|keys| &keys.locations);
    let all: BTreeSet<_> = of_tokens.chain(of_api_keys).cloned().collect();
    all.into_iter().collect()
}

// === impl InvalidPolicy ===

impl InvalidPolicy {
    /// In the order in which they were found.
    pub fn faults(&self) -> &[ConfigFault] {
        &self.0
    }
}

impl From<Vec<ConfigFault>> for InvalidPolicy {
    fn from(faults: Vec<ConfigFault>) -> Self {
        InvalidPolicy(faults)
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
