//! Which kinds of prompts a rule lets pass.

use std::time::Duration;

use crate::config::bodies::{CategoryConfig, ClassifierConfig, PromptConfig, PromptEntryConfig};
use crate::config::reader::Located;
use crate::policy::compile::asked::Asked;
use crate::policy::compile::compiler::Compiler;
use crate::policy::compile::patterns::SeenPatterns;
use crate::policy::endpoint::Endpoint;
use crate::policy::model::{Category, PromptEntry, Prompts};

const DEFAULT_CLASSIFIER_TIMEOUT: Duration = Duration::from_millis(500);

impl<'v> Compiler<'v> {
    pub(super) fn prompts(
        &mut self,
        prompt: PromptConfig<'v>,
        asked: &mut Asked,
    ) -> Option<Prompts> {
        let PromptConfig { category, allow } = prompt;
        let category = category.and_then(|category| self.category(category.value));
        let mut seen = SeenPatterns::default();
        let allow = allow.and_then(|allow| {
            self.each(allow.value, |compiler, entry| {
                let entry = compiler.prompt_entry(entry.value, asked)?;
                seen.note(entry.at, &entry.value.pattern, &mut compiler.findings);
                Some(entry.value)
            })
        });
        Some(Prompts {
            category: category?,
            allow: allow?,
        })
    }

    fn category(&mut self, category: CategoryConfig<'_>) -> Option<Category> {
        match category {
            CategoryConfig::Body(member) => {
                let path = self.claim(member)?;
                Some(Category::Body(path.members().map(Box::from).collect()))
            }
            CategoryConfig::Header(name) => self.compared_header(name).map(Category::Header),
            CategoryConfig::Classifier(classifier) => {
                self.classifier(classifier.value).map(Category::Classifier)
            }
        }
    }

    fn classifier(&mut self, classifier: ClassifierConfig<'_>) -> Option<Endpoint> {
        let ClassifierConfig {
            cluster,
            uri,
            timeout,
            authorization,
        } = classifier;
        let uri = uri.and_then(|uri| self.uri(uri));
        let authorization = self.authorization(authorization);
        let default = DEFAULT_CLASSIFIER_TIMEOUT;
        self.endpoint(cluster, uri, authorization, timeout, default)
    }

    /// Where its name stands, and what it means.
    fn prompt_entry(
        &mut self,
        entry: PromptEntryConfig<'v>,
        asked: &mut Asked,
    ) -> Option<Located<PromptEntry>> {
        let PromptEntryConfig { name, scopes } = entry;
        let pattern = name.and_then(|name| self.pattern(name));
        let scopes = self.asked_scopes(scopes, asked);
        let Located { at, value: pattern } = pattern?;
        let value = PromptEntry {
            pattern,
            scopes: scopes?,
        };
        Some(Located { at, value })
    }
}
