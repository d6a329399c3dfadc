//! What the parts of a configuration share while they are compiled.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use crate::config::fault::{At, ConfigFault, Findings, Warning};
use crate::config::reader::{Located, Optional};
use crate::config::scalar::DisplayDuration;
use crate::policy::claim::ClaimPath;
#[cfg(feature = "ai")]
use crate::policy::compile::budget_names::BudgetNames;
use crate::policy::location::CredentialLocation;
use crate::policy::provider::ProviderId;
use crate::request::header_name::HeaderName;

/// The findings so far, and what one part of the configuration must know about another.
pub(super) struct Compiler<'v> {
    pub(super) environment: &'v dyn Fn(&str) -> Option<String>,
    pub(super) findings: Findings<'v>,
    /// Every claim that is asked about.
    pub(super) claims: Interned<ClaimPath>,
    /// Every location of a credential.
    pub(super) locations: Interned<Rc<CredentialLocation>>,
    /// Where each location was mentioned first.
    pub(super) mentions: Vec<At>,
    /// How many of the locations are providers'; they come first.
    pub(super) token_locations: usize,
    /// Whether any provider has proofs of possession.
    pub(super) takes_proofs: bool,
    /// The providers that introspect, and where their tokens are.
    pub(super) introspecting: Vec<(ProviderId, Vec<LocationId>)>,
    /// Every header of the request that a rule compares, and where.
    pub(super) compared_headers: Vec<(HeaderName, At)>,
    /// The budgets that rules can name.
    #[cfg(feature = "ai")]
    pub(super) budgets: BudgetNames<'v>,
}

/// A location by its index, while locations are collected.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct LocationId(pub(super) usize);

/// Values that are referred to by their index, each held once.
pub(super) struct Interned<T> {
    pub(super) values: Vec<T>,
    indices: HashMap<T, usize>,
}

/// The name by which rules accept API keys.
pub(super) const API_KEYS: &str = "api_keys";

// === impl Compiler ===

impl<'v> Compiler<'v> {
    pub(super) fn new(
        document: &'static str,
        environment: &'v dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Compiler {
            environment,
            findings: Findings::new(document),
            claims: Interned::default(),
            locations: Interned::default(),
            mentions: Vec::new(),
            token_locations: 0,
            takes_proofs: false,
            introspecting: Vec::new(),
            compared_headers: Vec::new(),
            #[cfg(feature = "ai")]
            budgets: BudgetNames::default(),
        }
    }

    /// What was compiled, where there is no fault.
    pub(super) fn finish<T>(
        self,
        compiled: Option<T>,
    ) -> Result<(T, Vec<Warning>), Vec<ConfigFault>> {
        let warnings = self.findings.finish()?;
        // Nothing fails without a recorded fault; if it did, it would still be refused.
        let compiled = compiled.ok_or_else(Vec::new)?;
        Ok((compiled, warnings))
    }

    /// A number within a range, and its default.
    pub(super) fn count(
        &mut self,
        member: Optional<u64>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Option<usize> {
        self.count_within(member.or(default)?, range)
    }

    /// A number within a range.
    pub(super) fn count_within(
        &mut self,
        number: Located<u64>,
        range: RangeInclusive<u64>,
    ) -> Option<usize> {
        usize::try_from(self.number_within(number, range)?).ok()
    }

    /// A number within a range that a `usize` may not hold.
    pub(super) fn number_within(
        &mut self,
        Located { at, value }: Located<u64>,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        if !range.contains(&value) {
            let expected = format!("{} to {}", range.start(), range.end());
            self.findings.unfit(at, value.to_string(), expected);
            return None;
        }
        Some(value)
    }

    /// A duration within a range, and its default.
    pub(super) fn duration(
        &mut self,
        member: Optional<Duration>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        self.within(member.or(default)?, range)
    }

    /// A duration within a range.
    pub(super) fn within(
        &mut self,
        Located { at, value }: Located<Duration>,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        if !range.contains(&value) {
            let found = DisplayDuration(value).to_string();
            let (start, end) = (
                DisplayDuration(*range.start()),
                DisplayDuration(*range.end()),
            );
            self.findings.unfit(at, found, format!("{start} to {end}"));
            return None;
        }
        Some(value)
    }

    /// A duration within a range, in whole seconds.
    pub(super) fn seconds_within(
        &mut self,
        duration: Located<Duration>,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let value = self.within(duration, range)?;
        if value.subsec_nanos() != 0 {
            let found = DisplayDuration(value).to_string();
            self.findings.unfit(duration.at, found, "whole seconds");
            return None;
        }
        Some(value)
    }

    /// Compiles each element of a list; `None` if one could not be read or compiled.
    pub(super) fn each<T, U>(
        &mut self,
        list: impl IntoIterator<Item = Option<Located<T>>>,
        mut compile: impl FnMut(&mut Self, Located<T>) -> Option<U>,
    ) -> Option<Vec<U>> {
        let compiled = list.into_iter().map(|element| compile(self, element?));
        all_or_none(compiled)
    }
}

/// `None` if one of them is, but only after all were compiled: one fault must not hide the next.
pub(super) fn all_or_none<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let mut collected = Some(Vec::new());
    for item in items {
        match (&mut collected, item) {
            (Some(list), Some(item)) => list.push(item),
            _ => collected = None,
        }
    }
    collected
}

/// For short lists, which need no sort of their own.
pub(super) fn insert_sorted<T: Ord>(list: &mut Vec<T>, item: T) {
    if let Err(index) = list.binary_search(&item) {
        list.insert(index, item);
    }
}

// === impl Interned ===

impl<T: Clone + Eq + Hash> Interned<T> {
    pub(super) fn index(&mut self, value: T) -> usize {
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

#[cfg(test)]
mod tests;
