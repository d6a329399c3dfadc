//! The verified facts about a caller.

use std::rc::Rc;

use crate::json::Value;
use crate::policy::Policy;
#[cfg(feature = "ai")]
use crate::policy::claim::ClaimId;
use crate::policy::forward::Identity;
use crate::policy::provider::Provider;
use crate::revocation::RevocationSubject;
use crate::scope::ScopeSet;
use crate::secret::Digest;
use crate::time::UnixTime;
use crate::verification::status_list::Reference;

/// The facts about a caller whose credential is valid, without any decision. So one principal serves every
/// rule and can be cached.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Who issued the token; `None` for an API key.
    pub provider: Option<Rc<Provider>>,
    /// `sub`; of an API key, its client.
    pub subject: Option<Rc<str>>,
    /// The client.
    pub client_id: Option<Rc<str>>,
    /// Every client that the token names: revoking any of them revokes the token.
    pub clients: Vec<Rc<str>>,
    /// The tenant.
    pub tenant: Option<Rc<str>>,
    /// Who acts for the subject: `act.sub` (RFC 8693 §4.1), of the outermost actor alone.
    pub actor: Option<Rc<str>>,
    /// The id of an API key.
    pub key_id: Option<Rc<str>>,
    /// What the caller may do.
    pub scopes: ScopeSet,
    /// `aud`.
    pub audiences: Vec<Box<str>>,
    /// By `ClaimId`.
    pub claims: Vec<Option<Value<'static>>>,
    /// When the credential is valid.
    pub validity: Validity,
    /// `jti`.
    pub token_id: Option<Rc<str>>,
    /// The token's entry in a status list, where the provider has status lists.
    pub status: Option<Reference>,
    /// `cnf`.
    pub confirmation: Option<Confirmation>,
    /// The values of the policy's identity headers.
    pub forwarded: ForwardedIdentity,
}

/// What a token is bound to (RFC 7800).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Confirmation {
    /// The SHA-256 of its client's certificate (RFC 8705 §3.1).
    Certificate([u8; 32]),
    /// The thumbprint of its client's key (RFC 9449 §6.1).
    Key(Digest),
}

/// The values of identity headers, in one allocation: a request of a known caller reads all of them, and
/// each further place in memory is one that the CPU may have to fetch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ForwardedIdentity {
    text: Box<str>,
    /// Where each value ends in the text; `None` where there is no value.
    ends: Box<[Option<u32>]>,
}

/// When a credential is valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// `iat`.
    pub issued_at: Option<UnixTime>,
    /// `nbf`.
    pub not_before: Option<UnixTime>,
    /// `exp`.
    pub expires: Option<UnixTime>,
}

/// A fact cannot be the value of a header. A control character could begin another header. White space at
/// an end is not part of a header's value (RFC 9110 §5.5): `"admin "` would become `admin`. A double from
/// 2^53 upwards may be an integer that lost digits: two ids would become one value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unforwardable;

/// The name that is shown for API keys, which have no provider.
const API_KEYS: &str = "api_keys";

// === impl Principal ===

impl Principal {
    /// The name of the provider, or `api_keys`.
    pub fn provider_name(&self) -> &str {
        match &self.provider {
            Some(provider) => &provider.name,
            None => API_KEYS,
        }
    }

    /// A claim that the policy asks about, where the principal has it.
    #[cfg(feature = "ai")]
    pub fn claim(&self, id: ClaimId) -> Option<&Value<'static>> {
        self.claims.get(id.0)?.as_ref()
    }

    /// What entries of a revocation list are compared with.
    pub fn revocation_subject(&self) -> RevocationSubject<'_> {
        RevocationSubject {
            token_id: self.token_id.as_deref(),
            subject: self.subject.as_deref(),
            clients: &self.clients,
            issued_at: self.validity.issued_at,
        }
    }

    /// Prepares the values of identity headers, once for all requests of this caller.
    pub(super) fn with_forwarded_headers(mut self, policy: &Policy) -> Result<Self, Unforwardable> {
        let headers = policy.forward.headers.iter();
        let values = headers.map(|(_, identity)| self.identity(*identity));
        self.forwarded = ForwardedIdentity::new(values.collect::<Result<Vec<_>, _>>()?)?;
        Ok(self)
    }

    fn identity(&self, identity: Identity) -> Result<Option<Rc<str>>, Unforwardable> {
        let text = match identity {
            Identity::Subject => self.subject.clone(),
            Identity::ClientId => self.client_id.clone(),
            Identity::Scopes => Some(self.scopes.text()).filter(|scopes| !scopes.is_empty()),
            Identity::Tenant => self.tenant.clone(),
            Identity::Provider => match &self.provider {
                Some(provider) => Some(Rc::clone(&provider.name)),
                None => Some(API_KEYS.into()),
            },
            Identity::KeyId => self.key_id.clone(),
            Identity::Actor => self.actor.clone(),
            Identity::Claim(id) => match self.claims.get(id.0).and_then(Option::as_ref) {
                Some(claim) => Some(header_text(claim)?),
                None => None,
            },
        };
        text.map(forwardable).transpose()
    }

    /// Rules and headers that name a scope claim see the scopes that are left.
    pub(super) fn narrow_scope_claims(&mut self, policy: &Policy) {
        let Some(provider) = &self.provider else {
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

    /// About how much memory it takes beyond its own size.
    pub(super) fn bytes(&self) -> usize {
        let texts = [
            &self.subject,
            &self.tenant,
            &self.actor,
            &self.key_id,
            &self.token_id,
            &Some(self.scopes.text()),
        ];
        let texts = texts.into_iter().flatten().chain(&self.clients);
        // Each text also takes its pointers and the allocator's share.
        const EACH: usize = 32;
        let audiences = self.audiences.iter().map(|audience| audience.len());
        let claims = self.claims.iter().flatten().map(Value::bytes);
        let status = self.status.iter().map(|reference| reference.uri.len());
        let headers = self.forwarded.bytes();
        let texts = texts.map(|text| text.len()).chain([headers]);
        let texts = texts.chain(audiences).chain(claims).chain(status);
        texts.map(|bytes| bytes.saturating_add(EACH)).sum()
    }
}

// === impl ForwardedIdentity ===

impl ForwardedIdentity {
    fn new(values: Vec<Option<Rc<str>>>) -> Result<Self, Unforwardable> {
        let mut text = String::new();
        let mut ends = Vec::with_capacity(values.len());
        for value in values {
            ends.push(match value {
                None => None,
                Some(value) => {
                    text.push_str(&value);
                    // No token is so long.
                    Some(u32::try_from(text.len()).map_err(|_| Unforwardable)?)
                }
            });
        }
        Ok(ForwardedIdentity {
            text: text.into(),
            ends: ends.into(),
        })
    }

    /// The values in the order of the policy's headers.
    pub fn values(&self) -> impl Iterator<Item = Option<&str>> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = usize::try_from((*end)?).ok()?;
            let value = self.text.get(start..end);
            start = end;
            value
        })
    }

    fn bytes(&self) -> usize {
        self.text.len().saturating_add(size_of_val(&*self.ends))
    }
}

fn forwardable(text: Rc<str>) -> Result<Rc<str>, Unforwardable> {
    if has_control(&text) || text.trim().len() != text.len() {
        return Err(Unforwardable);
    }
    Ok(text)
}

/// Most texts are ASCII, for which a check of the bytes is enough.
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
        other if may_have_lost_digits(other) => return Err(Unforwardable),
        other => other.to_string().into(),
    })
}

/// Whether a number in it may differ from what the issuer wrote. Integers of 64 bits are exact; longer ones
/// are doubles, which hold every integer only below 2^53.
fn may_have_lost_digits(value: &Value<'_>) -> bool {
    const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            number.is_f64() && number.as_f64().is_none_or(|n| n.abs() >= EXACT_BELOW)
        }
        Value::Array(items) => items.iter().any(may_have_lost_digits),
        Value::Object(object) => object.iter().any(|(_, value)| may_have_lost_digits(value)),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}
