//! What the body of a model call decides: the model, how much it may say, and what it is charged.

use std::rc::Rc;

use crate::api::{Api, Estimate, Unit};
use crate::authorization::request_part;
use crate::config::FilterStateField;
use crate::decision::{Code, Denial};
use crate::json::Quoted;
use crate::model::edit::Changes;
use crate::model::{MalformedBody, ModelBody, Unsaid, allow};
use crate::policy::Policy;
use crate::policy::budget::Budget;
use crate::policy::demands::Demands;
use crate::policy::model::{Category, ModelEntry, ModelLocation, Models, Prompts};
use crate::policy::requirement::Rule;
use crate::request::headers::{Occurrence, occurrence};
use crate::request::{Request, RequestTarget};
use crate::verification::Verified;

/// A model call, while it is judged.
pub struct ModelCall<'a> {
    pub policy: &'a Policy,
    pub rule: &'a Rule,
    pub caller: Option<&'a Verified>,
    pub request: &'a Request<'a>,
    pub target: &'a RequestTarget<'a>,
    /// `None` where nothing of it is read.
    pub body: Option<&'a [u8]>,
}

/// What was found out about a model call.
#[derive(Default)]
pub struct Findings {
    /// The model that it names.
    pub model: Option<Box<str>>,
    /// What it asks of its caller, where that is more than its rule asks of every request.
    pub demands: Option<Rc<Demands>>,
    /// What goes on in place of its body.
    pub body: Option<Vec<u8>>,
    /// What its answer's usage is read as, where anybody asks for it.
    pub usage: Option<Api>,
    /// What it is thought to use of each budget of its rule, in their order.
    pub estimates: Vec<Estimate>,
    /// The name of the entry that allows the model.
    pub entry: Option<Box<str>>,
    /// The text that a classifier is asked about.
    pub text: String,
    /// The kind of its prompt, where headers or body say it.
    pub category: Option<Box<str>>,
}

impl ModelCall<'_> {
    /// Judges what the body says. What was found out until a refusal stays in `found`.
    pub fn judge(&self, found: &mut Findings) -> Result<(), Denial> {
        let body = self.body.map(ModelBody::parse).transpose()?;
        let (models, prompts) = (self.rule.models.as_ref(), self.rule.prompts.as_ref());
        let counts_tokens = |budget: &Rc<Budget>| budget.unit != Unit::Requests;
        let counts_tokens = self.rule.budgets.iter().any(counts_tokens);
        let mut entries = Vec::new();
        if let Some(models) = models {
            entries = self.allowed(models, body.as_ref(), found)?;
        } else if let Some(body) = &body {
            found.model = body.model().ok().map(Box::from);
        }
        let bounds = entries.iter().filter_map(|entry| entry.max_output_tokens);
        let bound = bounds.min();
        let written = models.and_then(|models| models.api);
        let api = written.or_else(|| Api::of_path(self.target.path()));
        let is_usage = |field: &FilterStateField| {
            matches!(
                field,
                FilterStateField::InputTokens | FilterStateField::OutputTokens
            )
        };
        let logs_tokens = models.is_some() && self.policy.filter_state.iter().any(is_usage);
        match (&body, api) {
            (Some(body), Some(api)) if bound.is_some() || counts_tokens || logs_tokens => {
                let changes = Changes {
                    bound: self.bound(models, body, api, bound, counts_tokens, found)?,
                    include_usage: counts_tokens || logs_tokens,
                };
                found.usage = (counts_tokens || logs_tokens).then_some(api);
                found.body = body.edited(api, &changes)?;
            }
            // What it would say, and how much, is not known.
            (_, None) if bound.is_some() || counts_tokens => {
                return Err(Code::ModelNotAllowed.into());
            }
            _ => {}
        }
        if let Some(prompts) = prompts {
            self.read_category(prompts, body.as_ref(), found);
        }
        Ok(())
    }

    /// The entries that allow the model and what may stand in for it, the model's own first.
    fn allowed<'m>(
        &self,
        models: &'m Models,
        body: Option<&ModelBody<'_>>,
        found: &mut Findings,
    ) -> Result<Vec<&'m ModelEntry>, Denial> {
        let model = match (&models.from, body) {
            (ModelLocation::Path(part), _) => request_part::text(self.target, part),
            (ModelLocation::Body, Some(body)) => Some(body.model()?.into()),
            (ModelLocation::Body, None) => None,
        };
        let model = model.ok_or(Code::ModelNotAllowed)?;
        found.model = Some(model.as_ref().into());
        let mut names = vec![model.as_ref()];
        if let Some(body) = body {
            names.extend(body.alternatives()?);
        }
        let entry = |name: &&str| allow::first_match(&models.allow, |e| &e.pattern, name);
        let entries: Option<Vec<_>> = names.iter().map(entry).collect();
        let entries = entries.ok_or(Code::ModelNotAllowed)?;
        if let Some(claim) = models.claim {
            let own = self
                .caller
                .and_then(|caller| caller.principal().claim(claim));
            if !names.iter().all(|name| allow::lists(own, name)) {
                return Err(Code::ModelNotAllowed.into());
            }
        }
        self.ask_for_scopes(&entries, found)?;
        if !models.allow_references && body.is_some_and(ModelBody::refers_to_stored_state) {
            return Err(Code::ReferenceNotAllowed.into());
        }
        found.entry = entries.first().map(|entry| entry.name.clone());
        Ok(entries)
    }

    fn ask_for_scopes(&self, entries: &[&ModelEntry], found: &mut Findings) -> Result<(), Denial> {
        for demands in entries.iter().filter_map(|entry| entry.demands.as_ref()) {
            found.demands = Some(match &found.demands {
                None => Rc::clone(demands),
                // Scopes contradict nothing.
                Some(others) => match others.and(Demands::clone(demands)) {
                    Ok(both) => Rc::new(both),
                    Err(_) => return Err(Code::InsufficientScope.into()),
                },
            });
        }
        let Some(demands) = &found.demands else {
            return Ok(());
        };
        let caller = self.caller.ok_or(Code::MissingToken)?;
        let scopes = &caller.principal().scopes;
        match demands
            .scopes
            .iter()
            .all(|required| scopes.satisfies(required))
        {
            true => Ok(()),
            false => Err(Code::InsufficientScope.into()),
        }
    }

    /// The bound that is put in, where the request names no maximum itself; and what it is thought to use.
    fn bound(
        &self,
        models: Option<&Models>,
        body: &ModelBody<'_>,
        api: Api,
        bound: Option<u64>,
        counts_tokens: bool,
        found: &mut Findings,
    ) -> Result<Option<(&'static str, u64)>, Denial> {
        if bound.is_none() && !counts_tokens {
            return Ok(None);
        }
        body.check_background()?;
        let wish = body.output(api)?;
        if bound.is_some_and(|bound| wish.exceeds(bound)) {
            return Err(Code::MaxTokensExceeded.into());
        }
        let estimate = |budget: &Rc<Budget>| {
            let unsaid = Unsaid {
                bound,
                output_tokens: budget.default_output_tokens,
                input_tokens: budget.default_input_tokens,
            };
            body.estimate(&wish, &unsaid)
        };
        found.estimates = self.rule.budgets.iter().map(estimate).collect();
        let name = models.map_or("max_completion_tokens", |models| models.output_name);
        Ok(bound.map(|bound| (name, bound)))
    }

    fn read_category(&self, prompts: &Prompts, body: Option<&ModelBody<'_>>, found: &mut Findings) {
        match &prompts.category {
            Category::Body(path) => {
                let category = body.and_then(|body| body.string_at(path));
                found.category = category.map(Box::from);
            }
            Category::Classifier(_) => found.text = body.map(ModelBody::text).unwrap_or_default(),
            Category::Header(name) => {
                if let Occurrence::Once(value) = occurrence(self.request.headers, name) {
                    found.category = std::str::from_utf8(value).ok().map(Box::from);
                }
            }
        }
    }
}

/// What a classifier is asked.
pub fn classifier_request(model: Option<&str>, text: &str) -> String {
    match model {
        Some(model) => format!(r#"{{"model":{},"text":{}}}"#, Quoted(model), Quoted(text)),
        None => format!(r#"{{"model":null,"text":{}}}"#, Quoted(text)),
    }
}

impl From<MalformedBody> for Denial {
    fn from(_: MalformedBody) -> Self {
        Code::MalformedBody.into()
    }
}
