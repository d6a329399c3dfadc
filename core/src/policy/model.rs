//! What a rule lets pass of the APIs of model providers.

use std::rc::Rc;
use std::time::Duration;

use crate::api::Api;
use crate::pattern::Pattern;
use crate::policy::claim::ClaimId;
use crate::policy::demands::Demands;
use crate::policy::endpoint::Endpoint;
use crate::policy::request_part::RequestPart;
use crate::request::header_name::HeaderName;
use crate::scope::RequiredScopes;

/// How much of a body is awaited, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BodyLimits {
    /// A longer body is refused.
    pub max_bytes: usize,
    /// From the headers to the last byte.
    pub timeout: Duration,
}

/// Which models a rule lets pass.
#[derive(Debug)]
pub struct Models {
    /// Where a request names its model.
    pub from: ModelLocation,
    /// What the rule's paths speak; `None`: what the end of a request's path says.
    pub api: Option<Api>,
    /// The models that pass; the first that matches decides.
    pub allow: Vec<ModelEntry>,
    /// The claim that lists the caller's own models, which must name it too.
    pub claim: Option<ClaimId>,
    /// The member that bounds the output of chat completions: `max_completion_tokens` or `max_tokens`.
    pub output_name: &'static str,
    /// Whether a body may refer to what the provider stores.
    pub allow_references: bool,
}

/// Where a request names its model.
#[derive(Debug)]
pub enum ModelLocation {
    /// In the member `model` of its body.
    Body,
    /// In this part of its path.
    Path(RequestPart),
}

/// A model, or several.
#[derive(Debug)]
pub struct ModelEntry {
    /// As it is written: budgets know the model by it.
    pub name: Box<str>,
    /// Which models it is for.
    pub pattern: Pattern,
    /// What its rule and it ask together; `None` where it asks for nothing itself.
    pub demands: Option<Rc<Demands>>,
    /// The most tokens of output that a request may ask for.
    pub max_output_tokens: Option<u64>,
}

/// Which kinds of prompts a rule lets pass.
#[derive(Debug)]
pub struct Prompts {
    /// How the kind is found out.
    pub category: Category,
    /// The kinds that pass; the first that matches decides.
    pub allow: Vec<PromptEntry>,
}

/// How the kind of a prompt is found out.
#[derive(Debug)]
pub enum Category {
    /// The body says it in this member; the names that lead to it, outermost first.
    Body(Vec<Box<str>>),
    /// This service says it.
    Classifier(Endpoint),
    /// This header says it, which must be there exactly once.
    Header(HeaderName),
}

/// A kind of prompt, or several.
#[derive(Debug)]
pub struct PromptEntry {
    /// Which kinds it is for.
    pub pattern: Pattern,
    /// The scopes that it asks for itself.
    pub scopes: Option<RequiredScopes>,
}

// === impl Prompts ===

impl Prompts {
    /// Whether a request's body is needed to find out of which kind it is.
    pub fn read_bodies(&self) -> bool {
        match self.category {
            Category::Body(_) | Category::Classifier(_) => true,
            Category::Header(_) => false,
        }
    }
}
