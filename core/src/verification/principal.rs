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
    pub issuer: CredentialSource,
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
    pub outgoing: ForwardedIdentity,
}

/// What every request of a caller sends on, prepared once; most texts are the facts' own.
#[derive(Clone, Debug, Default)]
pub struct ForwardedIdentity {
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
pub enum CredentialSource {
    Provider(ProviderId),
    ApiKeys,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    pub issued_at: Option<UnixTime>,
    pub not_before: Option<UnixTime>,
    pub expires: Option<UnixTime>,
}

/// A fact that goes into a header would not arrive there as it is: a control character would begin
/// another header, and white space at an end is not a part of a header's value (RFC 9110 §5.5), so
/// that `"admin "` would become `admin`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unforwardable;

/// What stands for a provider's name where there is none.
const API_KEYS: &str = "api_keys";

// === impl CredentialSource ===

impl CredentialSource {
    pub(super) fn provider(self, policy: &Policy) -> Option<(ProviderId, &Provider)> {
        match self {
            CredentialSource::ApiKeys => None,
            CredentialSource::Provider(id) => Some((id, policy.providers.get(id.0)?)),
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

    /// With what goes out for it, where all of it would arrive as it is.
    pub(super) fn prepared(mut self, policy: &Policy) -> Result<Self, Unforwardable> {
        let names = policy.forward.headers.iter();
        let headers: Vec<Option<Rc<str>>> = names
            .map(|(_, identity)| self.identity(policy, *identity))
            .collect::<Result<_, _>>()?;
        let clean = |text: &Rc<str>| !text.is_empty() && !has_control(text);
        self.outgoing = ForwardedIdentity {
            headers,
            recorded: Recorded {
                subject: self.subject.clone().filter(clean),
                client_id: self.client_id.clone().filter(clean),
                tenant: self.tenant.clone().filter(clean),
                scopes: Some(self.scopes.text()).filter(clean),
            },
        };
        Ok(self)
    }

    fn identity(
        &self,
        policy: &Policy,
        identity: Identity,
    ) -> Result<Option<Rc<str>>, Unforwardable> {
        let text = match identity {
            Identity::Subject => self.subject.clone(),
            Identity::ClientId => self.client_id.clone(),
            Identity::Scopes => Some(self.scopes.text()).filter(|scopes| !scopes.is_empty()),
            Identity::Tenant => self.tenant.clone(),
            Identity::Provider => match self.issuer.provider(policy) {
                Some((_, provider)) => Some(Rc::clone(&provider.name)),
                None => Some(API_KEYS.into()),
            },
            Identity::KeyId => self.key_id.clone(),
            Identity::Claim(id) => match self.claims.get(id.0).and_then(Option::as_ref) {
                Some(claim) => Some(header_text(claim)?),
                None => None,
            },
        };
        text.map(forwardable).transpose()
    }

    /// Rules and headers that ask about a scope claim as such see the scopes that are left.
    pub(super) fn narrow_scope_claims(&mut self, policy: &Policy) {
        let Some((_, provider)) = self.issuer.provider(policy) else {
            return;
        };
        let text = self.scopes.text();
        for (path, claim) in policy.claims.iter().zip(&mut self.claims) {
            if !provider.scope_claims.contains(path) {
                continue;
            }
            let word = |word: &str| Value::String(word.to_owned().into());
            *claim = match claim {
                None => None,
                Some(Value::Array(_)) => {
                    let words = text.split(' ').filter(|word| !word.is_empty());
                    Some(Value::Array(words.map(word).collect()))
                }
                Some(_) => Some(word(&text)),
            };
        }
    }

    /// Memory that it takes, about: what is of no fixed size.
    pub(super) fn bytes(&self) -> usize {
        let texts = [
            &self.subject,
            &self.tenant,
            &self.key_id,
            &self.token_id,
            &Some(self.scopes.text()),
        ];
        let texts = texts.into_iter().flatten().chain(&self.clients);
        let headers = self.outgoing.headers.iter().flatten();
        // A text of its own takes its pointers and the allocator's share, too.
        const EACH: usize = 32;
        let audiences = self.audiences.iter().map(|audience| audience.len());
        let claims = self.claims.iter().flatten().map(Value::bytes);
        let status = self.status.iter().map(|reference| reference.uri.len());
        let texts = texts.chain(headers).map(|text| text.len());
        let texts = texts.chain(audiences).chain(claims).chain(status);
        texts.map(|bytes| bytes.saturating_add(EACH)).sum()
    }
}

fn forwardable(text: Rc<str>) -> Result<Rc<str>, Unforwardable> {
    if has_control(&text) || text.trim().len() != text.len() {
        return Err(Unforwardable);
    }
    Ok(text)
}

/// Most texts are ASCII, where a look at the bytes is enough.
fn has_control(text: &str) -> bool {
    match text.is_ascii() {
        true => text.bytes().any(|b| b.is_ascii_control()),
        false => text.contains(char::is_control),
    }
}

/// A claim as a header value: strings as they are, arrays joined with commas, the rest as JSON.
fn header_text(value: &Value<'_>) -> Result<Rc<str>, Unforwardable> {
    Ok(match value {
        Value::String(s) => s.as_ref().into(),
        Value::Array(items) => {
            let items = items.iter().map(|item| forwardable(header_text(item)?));
            let items: Vec<Rc<str>> = items.collect::<Result<_, _>>()?;
            items.join(",").into()
        }
        other => other.to_string().into(),
    })
}
