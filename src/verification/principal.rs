//! Who is calling, as far as it has been proved.

use std::rc::Rc;

use crate::json::Value;
use crate::policy::forward::Identity;
use crate::policy::provider::Provider;
use crate::policy::{Policy, ProviderId};
use crate::scope::ScopeSet;
use crate::time::UnixTime;
use crate::verification::status_list::Reference;

/// What is known about a caller whose credential held: facts, never a decision, so that one
/// caller's principal serves every rule and may be cached.
#[derive(Clone, Debug)]
pub struct Principal {
    pub issuer: Issuer,
    pub subject: Option<Rc<str>>,
    pub client_id: Option<Rc<str>>,
    /// Every client that is named, not the first alone: to be revoked is meant for any of them.
    pub clients: Vec<Rc<str>>,
    pub tenant: Option<Rc<str>>,
    pub key_id: Option<Rc<str>>,
    pub scopes: ScopeSet,
    pub audiences: Vec<Box<str>>,
    /// Indexed by `ClaimId`.
    pub claims: Vec<Option<Value<'static>>>,
    pub validity: Validity,
    /// `jti`.
    pub token_id: Option<Rc<str>>,
    /// Where its status stands, where the provider has status lists.
    pub status: Option<Reference>,
    /// `cnf` of a certificate-bound token (RFC 8705 §3.1).
    pub confirmation: Option<[u8; 32]>,
    /// The claims as base64url JSON, where the policy forwards them.
    pub payload: Option<Box<str>>,
    pub outgoing: Outgoing,
}

/// What every request of a caller sends on, prepared once; most texts are the facts' own.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The values of the policy's identity headers, in their order.
    pub headers: Vec<Option<Rc<str>>>,
    pub recorded: Recorded,
}

/// What access logs may write as it is: never empty, and without control characters, for a line
/// break in a claim would begin a line of the caller's own.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    pub subject: Option<Rc<str>>,
    pub client_id: Option<Rc<str>>,
    pub tenant: Option<Rc<str>>,
    pub scopes: Option<Rc<str>>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Issuer {
    Provider(ProviderId),
    ApiKeys,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    pub issued_at: Option<UnixTime>,
    pub not_before: Option<UnixTime>,
    pub expires: Option<UnixTime>,
}

/// What stands for a provider's name where there is none.
const API_KEYS: &str = "api_keys";

// === impl Issuer ===

impl Issuer {
    pub(super) fn provider(self, policy: &Policy) -> Option<(ProviderId, &Provider)> {
        match self {
            Issuer::ApiKeys => None,
            Issuer::Provider(id) => Some((id, policy.providers.get(id.0)?)),
        }
    }
}

// === impl Principal ===

impl Principal {
    /// The name of the provider, or `api_keys`.
    pub fn provider<'p>(&self, policy: &'p Policy) -> &'p str {
        match self.issuer.provider(policy) {
            Some((_, provider)) => &provider.name,
            None => API_KEYS,
        }
    }

    /// With what goes out for it; `None` where an identity header would hold a control character.
    pub(super) fn prepared(mut self, policy: &Policy) -> Option<Self> {
        let names = policy.forward.headers.iter();
        let headers: Vec<Option<Rc<str>>> = names
            .map(|(_, identity)| self.identity(policy, *identity))
            .collect();
        if headers.iter().flatten().any(|value| has_control(value)) {
            return None;
        }
        let clean = |text: &Rc<str>| !text.is_empty() && !has_control(text);
        self.outgoing = Outgoing {
            headers,
            recorded: Recorded {
                subject: self.subject.clone().filter(clean),
                client_id: self.client_id.clone().filter(clean),
                tenant: self.tenant.clone().filter(clean),
                scopes: Some(self.scopes.text()).filter(clean),
            },
        };
        Some(self)
    }

    fn identity(&self, policy: &Policy, identity: Identity) -> Option<Rc<str>> {
        match identity {
            Identity::Subject => self.subject.clone(),
            Identity::ClientId => self.client_id.clone(),
            Identity::Scopes => Some(self.scopes.text()).filter(|scopes| !scopes.is_empty()),
            Identity::Tenant => self.tenant.clone(),
            Identity::Provider => match self.issuer.provider(policy) {
                Some((_, provider)) => Some(Rc::clone(&provider.name)),
                None => Some(API_KEYS.into()),
            },
            Identity::KeyId => self.key_id.clone(),
            Identity::Claim(id) => self.claims.get(id.0)?.as_ref().map(header_text),
        }
    }
}

/// Most texts are ASCII, where a look at the bytes is enough.
fn has_control(text: &str) -> bool {
    match text.is_ascii() {
        true => text.bytes().any(|b| b.is_ascii_control()),
        false => text.contains(char::is_control),
    }
}

/// A claim as a header value: strings as they are, arrays joined with commas, the rest as JSON.
fn header_text(value: &Value<'_>) -> Rc<str> {
    match value {
        Value::String(s) => s.as_ref().into(),
        Value::Array(items) => {
            let items: Vec<Rc<str>> = items.iter().map(header_text).collect();
            items.join(",").into()
        }
        other => other.to_string().into(),
    }
}
