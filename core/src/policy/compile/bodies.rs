//! Rules that decide from bodies: what reads them, and how much of them is awaited.

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use crate::api::Unit;
use crate::config::bodies::{BodyConfig, ModelConfig, PromptConfig};
use crate::config::fault::At;
use crate::config::reader::{NonEmpty, Optional};
use crate::limits::BODY_BYTES;
use crate::policy::budget::Budget;
use crate::policy::compile::asked::{Asked, OnlyTokens};
use crate::policy::compile::compiler::Compiler;
use crate::policy::demands::Demands;
use crate::policy::model::{BodyLimits, Models, Prompts};
use crate::policy::route::Match;

/// What a rule says about bodies.
pub(super) struct BodyMembers<'v> {
    pub(super) body: Optional<BodyConfig>,
    pub(super) model: Optional<ModelConfig<'v>>,
    pub(super) prompt: Optional<PromptConfig<'v>>,
    pub(super) budgets: Optional<NonEmpty<&'v str>>,
}

/// What its rest says.
pub(super) struct RestOfRule<'r> {
    /// What it asks of every caller.
    pub(super) demands: &'r Demands,
    /// `None` where it is faulty.
    pub(super) matching: Option<&'r Match>,
    /// Whether all of its callers have API keys.
    pub(super) keys_alone: bool,
    /// Whether callers may have API keys.
    pub(super) takes_keys: bool,
    /// Whether it has `mcp`.
    pub(super) has_mcp: bool,
    /// Whether `mcp` reads bodies.
    pub(super) verifies_body: bool,
}

/// What a rule does with bodies.
pub(super) struct Bodies {
    /// `None` where nothing reads them.
    pub(super) limits: Option<BodyLimits>,
    pub(super) models: Option<Models>,
    pub(super) prompts: Option<Prompts>,
    pub(super) budgets: Vec<Rc<Budget>>,
}

const MAX_BYTES: RangeInclusive<u64> = 1..=BODY_BYTES as u64;
const DEFAULT_MAX_BYTES: u64 = 1024 * 1024;

/// A connection is held for as long. An hour is longer than any network needs for the largest body.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

impl<'v> Compiler<'v> {
    /// `parts` are the members that look into requests.
    pub(super) fn bodies(
        &mut self,
        written: BodyMembers<'v>,
        rest: &RestOfRule<'_>,
        asked: &mut Asked,
        parts: &mut Vec<At>,
    ) -> Option<Bodies> {
        let BodyMembers {
            body,
            model,
            prompt,
            budgets,
        } = written;
        let has_model = !model.is_absent();
        for (name, at, is_there) in [
            ("model", model.at, has_model),
            ("prompt", prompt.at, !prompt.is_absent()),
        ] {
            if !is_there {
                continue;
            }
            parts.push(at);
            if rest.has_mcp {
                let found = format!("{name} beside mcp");
                let expected = "one of both: MCP messages name no model and no prompt of one";
                self.findings.unfit(at, found, expected);
            }
        }
        // Without a credential there is nobody to charge.
        if !budgets.is_absent() {
            asked.push((budgets.at, OnlyTokens::No));
        }
        let body_at = (!body.is_absent()).then_some(body.at);
        let limits = body.or_empty(&mut self.findings);
        let limits = limits.and_then(|body| self.body_limits(body.value));
        let models = model.and_then(|model| self.models(model.value, rest, asked));
        let prompts = prompt.and_then(|prompt| self.prompts(prompt.value, asked));
        let budgets = budgets.map_or(Vec::new(), |budgets| {
            self.charged_budgets(budgets.value, rest, has_model)
        });
        let (limits, models, prompts, budgets) = (limits?, models?, prompts?, budgets?);
        let reads_bodies = rest.verifies_body
            || models.is_some()
            || prompts.as_ref().is_some_and(Prompts::read_bodies)
            || budgets.iter().any(|budget| budget.unit != Unit::Requests);
        if let Some(at) = body_at.filter(|_| !reads_bodies) {
            self.findings.warn(at, "nothing in this rule reads bodies");
        }
        Some(Bodies {
            limits: reads_bodies.then_some(limits),
            models,
            prompts,
            budgets,
        })
    }

    fn body_limits(&mut self, body: BodyConfig) -> Option<BodyLimits> {
        let BodyConfig { max_bytes, timeout } = body;
        let max_bytes = self.count(max_bytes, DEFAULT_MAX_BYTES, MAX_BYTES);
        let timeout = self.duration(timeout, DEFAULT_TIMEOUT, TIMEOUT);
        Some(BodyLimits {
            max_bytes: max_bytes?,
            timeout: timeout?,
        })
    }
}

// === impl Bodies ===

impl Bodies {
    /// Whether its clients are those of model providers.
    pub(super) fn are_for_models(&self) -> bool {
        self.models.is_some() || !self.budgets.is_empty()
    }
}
