//! Whether a caller may do what a rule guards.
//!
//! [`Permit`] is the evidence: only this file makes one, and only after every check.

use crate::json::Value;
use crate::policy::Policy;
use crate::policy::requirement::{Access, Condition, Rule, Test};
use crate::verification::Verified;
use crate::verification::principal::{CredentialSource, Principal};

/// Leave to pass.
#[derive(Debug)]
pub struct Permit {
    caller: Option<Verified>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forbidden {
    /// The token is for others than this rule wants.
    Audience,
    Claim,
    NoCredential,
    NoRule,
    RuleDenies,
    Scope,
}

/// Judges a verified caller by a rule.
pub fn authorize(rule: &Rule, caller: &Verified) -> Result<Permit, Forbidden> {
    let principal = caller.principal();
    // API keys name no audience: a rule's audiences narrow those of its providers.
    let audience = |audience| principal.audiences.contains(audience);
    if matches!(principal.issuer, CredentialSource::Provider(_))
        && !rule.audiences.is_empty()
        && !rule.audiences.iter().any(audience)
    {
        return Err(Forbidden::Audience);
    }
    if !principal.scopes.satisfies(&rule.scopes) {
        return Err(Forbidden::Scope);
    }
    if !rule
        .claims
        .iter()
        .all(|condition| condition.holds(principal))
    {
        return Err(Forbidden::Claim);
    }
    Ok(Permit {
        caller: Some(caller.clone()),
    })
}

/// Judges a request that carries no credential. A CORS preflight cannot carry one (Fetch
/// standard, CORS-preflight fetch), so it passes where a credential is all that is missing.
pub fn without_credential(rule: &Rule, is_preflight: bool) -> Result<Permit, Forbidden> {
    match rule.access {
        Access::Anonymous | Access::Optional => Ok(Permit { caller: None }),
        Access::Required if is_preflight => Ok(Permit { caller: None }),
        Access::Required => Err(Forbidden::NoCredential),
        Access::Deny => Err(Forbidden::RuleDenies),
    }
}

/// A request that no rule matches.
pub fn unmatched(policy: &Policy) -> Result<Permit, Forbidden> {
    match policy.unmatched {
        crate::policy::Unmatched::Anonymous => Ok(Permit { caller: None }),
        crate::policy::Unmatched::Deny => Err(Forbidden::NoRule),
    }
}

// === impl Permit ===

impl Permit {
    pub fn caller(&self) -> Option<&Verified> {
        self.caller.as_ref()
    }
}

// === impl Condition ===

impl Condition {
    fn holds(&self, principal: &Principal) -> bool {
        principal
            .claims
            .get(self.claim.0)
            .and_then(Option::as_ref)
            .is_some_and(|claim| self.test.holds(claim))
    }
}

// === impl Test ===

impl Test {
    /// Type-strict: the string `"1"` is not the number 1.
    fn holds(&self, claim: &Value<'_>) -> bool {
        match self {
            Test::Present => true,
            Test::Equals(wanted) => equal(claim, wanted),
            Test::OneOf(wanted) => wanted.iter().any(|wanted| equal(claim, wanted)),
            Test::Contains(wanted) => match (claim, wanted) {
                (Value::Array(items), wanted) => items.iter().any(|item| equal(item, wanted)),
                (Value::String(text), Value::String(wanted)) => {
                    text.split(' ').any(|word| word == wanted.as_ref())
                }
                _ => false,
            },
        }
    }
}

/// Numbers by their value, so that `1` equals `1.0`; integers of 64 bits exactly, all others as
/// doubles.
fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i128(), b.as_i128()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, value)| b.get(name).is_some_and(|other| equal(value, other)))
        }
        _ => a == b,
    }
}
