//! Which models a rule lets pass.

use std::rc::Rc;

use crate::api::Api;
use crate::config::RequestPartConfig;
use crate::config::bodies::{
    ModelConfig, ModelEntryConfig, ModelFromConfig, OutputName, References,
};
use crate::config::fault::At;
use crate::config::reader::Located;
use crate::limits::WHOLE_NUMBER;
use crate::policy::compile::asked::{Asked, OnlyTokens};
use crate::policy::compile::bodies::RestOfRule;
use crate::policy::compile::compiler::Compiler;
use crate::policy::compile::patterns::SeenPatterns;
use crate::policy::demands::Demands;
use crate::policy::model::{ModelEntry, ModelLocation, Models};

impl<'v> Compiler<'v> {
    pub(super) fn models(
        &mut self,
        model: ModelConfig<'v>,
        rest: &RestOfRule<'_>,
        asked: &mut Asked,
    ) -> Option<Models> {
        let ModelConfig {
            from,
            api,
            allow,
            claim,
            output_name,
            references,
        } = model;
        let from = from.map_or(ModelLocation::Body, |from| match from.value {
            ModelFromConfig::Body => Some(ModelLocation::Body),
            ModelFromConfig::Path(from) => {
                let part = RequestPartConfig::Path(from.path?);
                let part = self.request_part(part, rest.matching);
                part.map(ModelLocation::Path)
            }
        });
        let api = api.and_then(|api| Some(api.value));
        let mut seen = SeenPatterns::default();
        let allow = allow.and_then(|allow| {
            self.each(allow.value, |compiler, entry| {
                let entry = compiler.model_entry(entry.value, rest.demands, asked)?;
                seen.note(entry.at, &entry.value.pattern, &mut compiler.findings);
                Some(entry.value)
            })
        });
        if !claim.is_absent() {
            asked.push((claim.at, OnlyTokens::No));
        }
        let claim = claim.and_then(|claim| self.needed_claim(claim, rest.keys_alone));
        let name_at = (!output_name.is_absent()).then_some(output_name.at);
        let output_name = output_name.or(OutputName::MaxCompletionTokens);
        let references = references.or(References::Allow);
        let models = Models {
            from: from?,
            api: api?,
            allow: allow?,
            claim: claim?,
            output_name: output_name?.value.word(),
            allow_references: references?.value == References::Allow,
        };
        if let Some(at) = name_at {
            self.warn_of_unused_name(&models, at);
        }
        Some(models)
    }

    fn warn_of_unused_name(&mut self, models: &Models, at: At) {
        let has_bound = |entry: &ModelEntry| entry.max_output_tokens.is_some();
        if models.api.is_some_and(|api| api != Api::Chat) {
            self.findings.warn(at, "only chat completions have it");
        } else if !models.allow.iter().any(has_bound) {
            let message = "no model here has max_output_tokens: nothing is put in";
            self.findings.warn(at, message);
        }
    }

    /// Where its name stands, and what it means.
    fn model_entry(
        &mut self,
        entry: ModelEntryConfig<'v>,
        own: &Demands,
        asked: &mut Asked,
    ) -> Option<Located<ModelEntry>> {
        let ModelEntryConfig {
            name,
            scopes,
            max_output_tokens,
        } = entry;
        let pattern = name.and_then(|name| self.pattern(name));
        let scopes = self.asked_scopes(scopes, asked);
        let bound = max_output_tokens.and_then(|n| self.number_within(n, 1..=WHOLE_NUMBER));
        let demands = scopes?.map(|scopes| {
            let mut both = own.clone();
            both.scopes.push(scopes);
            Rc::new(both)
        });
        let Located { at, value: pattern } = pattern?;
        let value = ModelEntry {
            name: pattern.as_str().into(),
            pattern,
            demands,
            max_output_tokens: bound?,
        };
        Some(Located { at, value })
    }
}
