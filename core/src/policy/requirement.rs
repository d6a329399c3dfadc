//! What a rule asks of a request's credential.

use std::rc::Rc;

use crate::json::Value;
use crate::keys::AlgorithmSet;
#[cfg(feature = "ai")]
use crate::policy::budget::Budget;
use crate::policy::claim::ClaimId;
use crate::policy::demands::Demands;
use crate::policy::location::CredentialLocation;
use crate::policy::mcp::Mcp;
#[cfg(feature = "ai")]
use crate::policy::model::{BodyLimits, Models, Prompts};
use crate::policy::provider::Provider;
use crate::policy::request_part::RequestPart;
use crate::request::origin::Origin;
use crate::scope;

pub use crate::config::Access;

/// What a request needs that this rule matches.
#[derive(Debug)]
pub struct Rule {
    /// Its name, or its path in the configuration: `rules[3]`.
    pub label: Box<str>,
    /// Whether a credential is needed.
    pub access: Access,
    /// Whose credentials it accepts.
    pub accepts: Accepted,
    /// Where those credentials may be, each location once.
    pub locations: Vec<Rc<CredentialLocation>>,
    /// A token must also be meant for one of these. Empty: the provider's audiences are enough.
    pub audiences: Vec<Box<str>>,
    /// What it asks of every caller.
    pub demands: Rc<Demands>,
    /// Conditions on claims; all must hold.
    pub claims: Vec<Condition>,
    /// Which messages pass, where its upstream is an MCP server.
    pub mcp: Option<Mcp>,
    /// How its refusals are written.
    pub refusal_form: RefusalForm,
    /// How much of a request's body is awaited, where something of it is read before the request goes on.
    #[cfg(feature = "ai")]
    pub body: Option<BodyLimits>,
    /// Which models pass, where its upstream has some.
    #[cfg(feature = "ai")]
    pub models: Option<Models>,
    /// Which kinds of prompts pass.
    #[cfg(feature = "ai")]
    pub prompts: Option<Prompts>,
    /// What its requests are charged to, in this order.
    #[cfg(feature = "ai")]
    pub budgets: Vec<Rc<Budget>>,
}

/// How a rule's refusals are written, for the clients that its upstream has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalForm {
    /// One object with `error`, `error_description` and `code`.
    Plain,
    /// The same within an error of JSON-RPC, which clients of MCP show to their users.
    JsonRpc,
    /// The same within an error as OpenAI's and Anthropic's clients show it.
    #[cfg(feature = "ai")]
    ModelApi,
}

/// The credentials that a rule accepts; never none at all.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// In the order of their ids.
    pub providers: Vec<Rc<Provider>>,
    /// Whether API keys are accepted.
    pub api_keys: bool,
}

/// A claim, and what must be true of it.
#[derive(Debug)]
pub struct Condition {
    /// The claim.
    pub claim: ClaimId,
    /// What must be true.
    pub test: Test,
}

/// What must be true of a claim. A claim that is absent meets none of these.
#[derive(Debug)]
pub enum Test {
    /// It equals this.
    Equals(Value<'static>),
    /// It is a string and equals this part of the request.
    EqualsPart(RequestPart),
    /// It equals one of these.
    OneOf(Vec<Value<'static>>),
    /// An element of an array, or a space-separated word of a string, equals it.
    Contains(Value<'static>),
    /// The claim is there.
    Present,
}

// === impl Rule ===

impl Rule {
    /// Everything that it may ask of a caller: of all, and of some; but for the scopes of prompts.
    pub fn all_demands(&self) -> impl Iterator<Item = &Demands> {
        let entries = self.mcp.iter().flat_map(Mcp::entries);
        let of_entries = entries.filter_map(|entry| entry.demands.as_deref());
        #[cfg(feature = "ai")]
        let of_entries = {
            let models = self.models.iter().flat_map(|models| &models.allow);
            of_entries.chain(models.filter_map(|entry| entry.demands.as_deref()))
        };
        std::iter::once(&*self.demands).chain(of_entries)
    }

    /// Every scope that it may ask for, each once.
    pub fn all_scopes(&self) -> Vec<&str> {
        let required = self.all_demands().flat_map(|demands| &demands.scopes);
        #[cfg(feature = "ai")]
        let required = {
            let prompts = self.prompts.iter().flat_map(|prompts| &prompts.allow);
            required.chain(prompts.filter_map(|entry| entry.scopes.as_ref()))
        };
        scope::each_once(required)
    }

    /// Whether it may ask for an approval.
    pub fn asks_for_approval(&self) -> bool {
        self.all_demands()
            .any(|demands| !demands.approvals.is_empty())
    }
}

// === impl Accepted ===

impl Accepted {
    /// The accepted provider with this `iss`, among those whose tokens may be at `location`.
    pub fn provider_of_issuer(
        &self,
        location: &Rc<CredentialLocation>,
        issuer: &str,
    ) -> Option<&Rc<Provider>> {
        self.providers_at(location)
            .find(|provider| provider.issuer.as_ref() == issuer)
    }

    /// The one accepted provider that is asked about opaque tokens at `location`. The compiler refuses
    /// a configuration with two.
    pub fn introspecting_at(&self, location: &Rc<CredentialLocation>) -> Option<&Rc<Provider>> {
        self.providers_at(location)
            .find(|provider| provider.introspection.is_some())
    }

    /// Whether a token of `provider` is accepted at `location`.
    pub fn accepts(&self, provider: &Rc<Provider>, location: &Rc<CredentialLocation>) -> bool {
        let is_accepted = self.providers.iter().any(|p| Rc::ptr_eq(p, provider));
        is_accepted && provider.locations.contains(location)
    }

    /// The origins whose pages may use the cookie at `location`, of any accepted provider.
    pub fn cookie_origins(
        &self,
        location: &Rc<CredentialLocation>,
    ) -> impl Iterator<Item = &Origin> {
        self.providers_at(location)
            .flat_map(|provider| &provider.cookie_origins)
    }

    /// The algorithms of the proofs that its providers accept; none where no token may be bound to a key.
    pub fn proof_algorithms(&self) -> AlgorithmSet {
        let proofs = self.providers.iter();
        let proofs = proofs.filter_map(|provider| provider.dpop.as_ref());
        proofs.flat_map(|dpop| dpop.algorithms.iter()).collect()
    }

    fn providers_at(
        &self,
        location: &Rc<CredentialLocation>,
    ) -> impl Iterator<Item = &Rc<Provider>> {
        let is_there = |provider: &&Rc<Provider>| provider.locations.contains(location);
        self.providers.iter().filter(is_there)
    }
}
