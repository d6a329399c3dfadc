//! What a rule asks of a request's credential.

use std::rc::Rc;
use std::time::Duration;

use crate::json::Value;
use crate::keys::AlgorithmSet;
use crate::policy::claim::ClaimId;
use crate::policy::location::CredentialLocation;
use crate::policy::provider::Provider;
use crate::request::header_name::HeaderName;
use crate::request::origin::Origin;
use crate::scope::RequiredScopes;

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
    /// How its refusals are written.
    pub refusal_form: RefusalForm,
}

/// What a caller can be asked to bring: a challenge names it.
#[derive(Debug, Default)]
pub struct Demands {
    /// Scopes that the credential must have. Each of these, since more than one part of a rule may ask for
    /// some.
    pub scopes: Vec<RequiredScopes>,
    /// How the person must have authenticated (RFC 9470).
    pub authentication: Option<Authentication>,
}

/// How, and how lately, a person must have authenticated (RFC 9470).
#[derive(Clone, Debug)]
pub struct Authentication {
    /// The `acr` claim, and the values of which it must be one.
    pub contexts: Option<(ClaimId, Vec<Box<str>>)>,
    /// The `auth_time` claim, and how old it may be.
    pub max_age: Option<(ClaimId, Duration)>,
}

/// How a rule's refusals are written, for the clients that its upstream has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalForm {
    /// One object with `error`, `error_description` and `code`.
    Plain,
    /// The same within an error of JSON-RPC, which clients of MCP show to their users.
    JsonRpc,
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

/// A part of a request that a claim is compared with.
#[derive(Debug)]
pub enum RequestPart {
    /// A segment of the path, counted from 0, percent-decoded.
    Segment(usize),
    /// A header that must be there exactly once.
    Header(HeaderName),
    /// A label of the host, counted from 0 and from the left.
    HostLabel(usize),
}

// === impl Demands ===

impl Demands {
    /// Every scope that is asked for, each once: `all`, then `any`, part by part.
    pub fn scopes_to_ask_for(&self) -> Vec<&str> {
        let mut scopes = Vec::new();
        for required in &self.scopes {
            for scope in required.all.iter().chain(&required.any) {
                if !scopes.contains(&scope.as_str()) {
                    scopes.push(scope.as_str());
                }
            }
        }
        scopes
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.scopes.iter().all(RequiredScopes::is_empty) && self.authentication.is_none()
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
