//! Budgets: who shares one, how much it holds, and which rules charge it.

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use crate::api::Unit;
use crate::config::bodies::{
    BudgetConfig, LeaseConfig, LedgerConfig, LedgerFallback, LimitConfig, RemoteLedgerConfig,
};
use crate::config::fault::{At, quoted};
use crate::config::reader::{ListOf, Located, Named, NonEmpty, Optional};
use crate::ledger::terms::LeaseSize;
use crate::limits::WHOLE_NUMBER;
use crate::policy::budget::{Budget, BudgetId, Ledger, Limit, Part};
use crate::policy::compile::bodies::RestOfRule;
use crate::policy::compile::compiler::{Compiler, all_or_none};

/// A name stands in header fields, in names of counters and in the keys of ledgers.
const NAME_CHARACTERS: RangeInclusive<usize> = 1..=64;

/// What is left is told in whole seconds. The longest month has 744 hours.
const WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(744 * 3600);

const DEFAULT_OUTPUT_TOKENS: u64 = 1024;
const DEFAULT_LEDGER_TIMEOUT: Duration = Duration::from_millis(300);
/// 2%.
const DEFAULT_LEASE: LeaseSize = LeaseSize::Share(20_000);
const WHOLE: u64 = 1_000_000;

impl<'v> Compiler<'v> {
    pub(super) fn budgets(
        &mut self,
        budgets: Named<'v, BudgetConfig<'v>>,
    ) -> Option<Vec<Rc<Budget>>> {
        all_or_none(budgets.into_iter().map(|(name, config)| {
            let id = self.budgets.next_id();
            let label = self.budget_name(name);
            let budget = config.and_then(|config| self.budget(id, label, config));
            let budget = budget.map(Rc::new);
            self.budgets.push(name.value, name.at, budget.clone());
            budget
        }))
    }

    fn budget_name(&mut self, Located { at, value }: Located<&str>) -> Option<Box<str>> {
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !NAME_CHARACTERS.contains(&value.len()) || !value.bytes().all(is_legal) {
            let expected = "a name of 1 to 64 letters, digits, _ and -";
            self.findings.unfit(at, quoted(value), expected);
            return None;
        }
        Some(value.into())
    }

    fn budget(
        &mut self,
        id: BudgetId,
        name: Option<Box<str>>,
        budget: BudgetConfig<'_>,
    ) -> Option<Budget> {
        let BudgetConfig {
            per,
            limit,
            window,
            charge,
            default_output_tokens,
            default_input_tokens,
            ledger,
        } = budget;
        let per = per.map_or(Vec::new(), |per| self.parts(per.value));
        let limit = limit.and_then(|limit| self.limit(limit.value));
        let window = window.and_then(|window| self.seconds_within(window, WINDOW));
        let unit = charge.or(Unit::TotalTokens);
        let output_at = default_output_tokens.at;
        let mut tokens = |member: Optional<u64>, default| {
            let number = member.or(default)?;
            self.number_within(number, 0..=WHOLE_NUMBER)
        };
        let output = tokens(default_output_tokens, DEFAULT_OUTPUT_TOKENS);
        let input = tokens(default_input_tokens, 0);
        let ledger = ledger.map_or(None, |ledger| match ledger.value {
            LedgerConfig::Local => Some(None),
            LedgerConfig::Remote(ledger) => self.ledger(ledger).map(Some),
        });
        let (limit, unit, output) = (limit?, unit?.value, output?);
        if let Limit::Fixed(1..) = limit
            && let Limit::Fixed(limit) = limit
            && matches!(unit, Unit::OutputTokens | Unit::TotalTokens)
            && output > limit
        {
            let message = format!(
                "{output} are more than the limit: requests that name no maximum, to models \
                 without max_output_tokens, are always refused"
            );
            self.findings.warn(output_at, message);
        }
        Some(Budget {
            id,
            name: name?,
            per: per?,
            limit,
            window: window?,
            unit,
            default_output_tokens: output,
            default_input_tokens: input?,
            ledger: ledger?,
        })
    }

    fn parts(&mut self, parts: ListOf<Part>) -> Option<Vec<Part>> {
        let mut seen: Vec<Located<Part>> = Vec::new();
        self.each(parts, |compiler, part| {
            if let Some(first) = seen.iter().find(|first| first.value == part.value) {
                let found = format!("the same as {}", compiler.findings.path(first.at));
                compiler.findings.unfit(part.at, found, "each part once");
                return None;
            }
            seen.push(part);
            Some(part.value)
        })
    }

    fn limit(&mut self, limit: LimitConfig<'_>) -> Option<Limit> {
        match limit {
            LimitConfig::Fixed(number) => {
                let number = self.number_within(number, 0..=WHOLE_NUMBER);
                number.map(Limit::Fixed)
            }
            LimitConfig::Claim(limit) => {
                let claim = limit.claim.and_then(|claim| self.claim_id(claim));
                let default = limit.default;
                let default = default.and_then(|n| self.number_within(n, 0..=WHOLE_NUMBER));
                Some(Limit::Claim {
                    claim: claim?,
                    default: default?,
                })
            }
        }
    }

    fn ledger(&mut self, ledger: RemoteLedgerConfig<'_>) -> Option<Ledger> {
        let RemoteLedgerConfig {
            cluster,
            uri,
            authorization,
            timeout,
            lease,
            on_unavailable,
        } = ledger;
        let uri = uri.and_then(|uri| self.uri(uri));
        let authorization = authorization.and_then(|source| self.header_secret(source));
        let authorization = authorization.map(Some);
        let endpoint = self.endpoint(cluster, uri, authorization, timeout, DEFAULT_LEDGER_TIMEOUT);
        let lease = lease.map_or(DEFAULT_LEASE, |lease| match lease.value {
            LeaseConfig::Share(share) if !(1..=WHOLE).contains(&share.value) => {
                let found = "a share of nothing, or of more than there is";
                self.findings.unfit(share.at, found, "0.0001% to 100%");
                None
            }
            LeaseConfig::Share(share) => Some(LeaseSize::Share(share.value)),
            LeaseConfig::Fixed(number) => {
                let number = self.number_within(number, 1..=WHOLE_NUMBER);
                number.map(LeaseSize::Fixed)
            }
        });
        let on_unavailable = on_unavailable.or(LedgerFallback::Deny);
        Some(Ledger {
            endpoint: endpoint?,
            lease: lease?,
            allow_local: on_unavailable?.value == LedgerFallback::AllowLocal,
        })
    }

    pub(super) fn warn_of_unused_budgets(&mut self) {
        for at in self.budgets.unused() {
            self.findings.warn(at, "no rule charges it");
        }
    }

    /// What a rule's requests are charged to.
    pub(super) fn charged_budgets(
        &mut self,
        names: NonEmpty<&str>,
        rest: &RestOfRule<'_>,
        has_model: bool,
    ) -> Option<Vec<Rc<Budget>>> {
        let mut seen: Vec<Located<&str>> = Vec::new();
        self.each(names, |compiler, name| {
            if let Some(first) = seen.iter().find(|first| first.value == name.value) {
                let found = format!("the same as {}", compiler.findings.path(first.at));
                compiler.findings.unfit(name.at, found, "each budget once");
                return None;
            }
            seen.push(name);
            let Some(budget) = compiler.budgets.choose(name.value) else {
                let known = compiler.budgets.to_string();
                compiler.findings.unfit(name.at, quoted(name.value), known);
                return None;
            };
            let budget = budget?;
            compiler.chargeable(&budget, name.at, rest, has_model)?;
            Some(budget)
        })
    }

    /// Whether a rule's requests have what a budget tells callers apart by, and use what it counts.
    fn chargeable(
        &mut self,
        budget: &Budget,
        at: At,
        rest: &RestOfRule<'_>,
        has_model: bool,
    ) -> Option<()> {
        if rest.has_mcp && budget.unit != Unit::Requests {
            let found = "a budget of tokens beside mcp";
            let expected = "one that has charge: requests, since MCP messages use no tokens";
            self.findings.unfit(at, found, expected);
            return None;
        }
        if budget.per.contains(&Part::Model) && !has_model {
            let found = "a budget per model in a rule without model";
            self.findings
                .unfit(at, found, "model beside it, or another budget");
            return None;
        }
        if budget.per.contains(&Part::KeyId) && !rest.takes_keys {
            let message = "no token has a key_id: no request can meet this rule";
            self.findings.warn(at, message);
        }
        if let Limit::Claim {
            claim,
            default: None,
        } = budget.limit
            && rest.keys_alone
            && let Some(path) = self.claims.values.get(claim.0)
            && path.of_api_key().is_none()
        {
            let message = "no API key has the claim of its limit: no request can meet this rule";
            self.findings.warn(at, message);
        }
        Some(())
    }
}
