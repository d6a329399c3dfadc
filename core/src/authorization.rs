//! Whether a rule lets a caller pass.
//!
//! [`Permit`] is the evidence. Only this file makes one, and only after every check.

pub mod approval;
pub mod request_part;

use crate::authorization::approval::{Counts, Purpose};
use crate::json::Value;
use crate::policy::claim::ClaimId;
use crate::policy::demands::{Approval, Authentication, Demands};
use crate::policy::requirement::{Access, Condition, Rule, Test};
use crate::policy::{Policy, Unmatched};
use crate::request::RequestTarget;
use crate::spent::Spent;
use crate::time::UnixTime;
use crate::verification::Verified;
use crate::verification::principal::Principal;
use crate::verification::spending::{Expense, SpentId};

/// The evidence that a request may pass.
#[derive(Debug)]
pub struct Permit {
    caller: Option<Verified>,
}

/// A caller whose credential is meant for the rule.
#[derive(Clone, Copy, Debug)]
pub struct Addressed<'c>(&'c Verified);

/// A caller who may pass, but for approvals that count once.
#[derive(Clone, Debug)]
pub struct Authorized {
    caller: Verified,
    uses: Vec<Expense>,
}

/// Why there is no permit yet, or none at all.
#[derive(Debug)]
pub enum Unpermitted {
    /// The caller may not pass.
    Forbidden(Forbidden),
    /// This approval has to be used first.
    Unused(Expense),
}

/// Who sends a request without a credential that its rule lets pass.
#[derive(Debug)]
pub struct Stranger(());

/// Why a caller may not pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forbidden {
    /// A person's approval is missing.
    Approval,
    /// The token is for others than this rule wants.
    Audience,
    /// The person did not authenticate as this rule wants.
    Authentication,
    /// A condition on a claim does not hold.
    Claim,
    /// A credential is needed and none came.
    NoCredential,
    /// No rule matches.
    NoRule,
    /// The rule denies every request.
    RuleDenies,
    /// A scope is missing.
    Scope,
    /// Whether an approval was used before cannot be told.
    Unrecorded,
}

/// Checks whether a caller's token is meant for a rule at all.
pub fn addressed<'c>(rule: &Rule, caller: &'c Verified) -> Result<Addressed<'c>, Forbidden> {
    let principal = caller.principal();
    // API keys name no audience: a rule's audiences narrow those of its providers alone.
    let audience = |audience| principal.audiences.contains(audience);
    let is_meant = principal.provider.is_none()
        || rule.audiences.is_empty()
        || rule.audiences.iter().any(audience);
    is_meant
        .then_some(Addressed(caller))
        .ok_or(Forbidden::Audience)
}

/// Checks a caller against a rule, and against all that this request asks of its caller.
pub fn authorize(
    rule: &Rule,
    demands: &Demands,
    purpose: &Purpose<'_>,
    addressed: Addressed<'_>,
    now: UnixTime,
) -> Result<Authorized, Forbidden> {
    let mut authorized = authorize_unapproved(rule, demands, purpose.target, addressed, now)?;
    authorized.uses = uses(demands, purpose, authorized.caller.principal())?;
    Ok(authorized)
}

/// The same but for approvals, where the body says what they must be for.
pub fn authorize_unapproved(
    rule: &Rule,
    demands: &Demands,
    target: &RequestTarget<'_>,
    Addressed(caller): Addressed<'_>,
    now: UnixTime,
) -> Result<Authorized, Forbidden> {
    let principal = caller.principal();
    if let Some(authentication) = &demands.authentication
        && !authenticated(authentication, principal, now)
    {
        return Err(Forbidden::Authentication);
    }
    let has = |required| principal.scopes.satisfies(required);
    if !demands.scopes.iter().all(has) {
        return Err(Forbidden::Scope);
    }
    if !rule
        .claims
        .iter()
        .all(|condition| holds(condition, principal, target))
    {
        return Err(Forbidden::Claim);
    }
    Ok(Authorized {
        caller: caller.clone(),
        uses: Vec::new(),
    })
}

/// The approvals that one message needs, and that count once.
fn uses(
    demands: &Demands,
    purpose: &Purpose<'_>,
    principal: &Principal,
) -> Result<Vec<Expense>, Forbidden> {
    let mut uses: Vec<Expense> = Vec::new();
    for approval in &demands.approvals {
        let next = approved(approval, purpose, principal)?;
        // Rule and tool may ask for the same approval: one request uses it once.
        let is_new = |next: &Expense| uses.iter().all(|known| known.digest != next.digest);
        if let Some(next) = next.filter(is_new) {
            uses.push(next);
        }
    }
    Ok(uses)
}

/// The use of an approval that counts once; `None` where it counts always.
fn approved(
    approval: &Approval,
    purpose: &Purpose<'_>,
    principal: &Principal,
) -> Result<Option<Expense>, Forbidden> {
    let subject = purpose.subject(approval);
    let details = claim_of(principal, approval.details);
    let counts = details.and_then(|details| subject.approved_in(details));
    match counts.ok_or(Forbidden::Approval)? {
        Counts::Always if !approval.once => Ok(None),
        Counts::Always | Counts::Once => {
            // Without a name of its own, a token cannot be told from the next one.
            let token_id = principal.token_id.as_ref().filter(|id| !id.is_empty());
            let token = principal.provider.as_ref().zip(token_id);
            let (provider, token_id) = token.ok_or(Forbidden::Approval)?;
            let expires = principal.validity.expires;
            Ok(Some(Expense {
                id: SpentId::Approval,
                digest: subject.use_of(&provider.issuer, token_id),
                until: expires.map_or(UnixTime::FAR_FUTURE, |expires| {
                    expires.plus(provider.clock_tolerance)
                }),
            }))
        }
    }
}

/// Checks a request without a credential against a rule. A CORS preflight cannot carry one (Fetch standard,
/// CORS-preflight fetch), so it passes where only a credential is missing.
pub fn without_credential(rule: &Rule, is_preflight: bool) -> Result<Stranger, Forbidden> {
    match rule.access {
        Access::Anonymous | Access::Optional => Ok(Stranger(())),
        Access::Required if is_preflight => Ok(Stranger(())),
        Access::Required => Err(Forbidden::NoCredential),
        Access::Deny => Err(Forbidden::RuleDenies),
    }
}

/// Checks a request that no rule matches.
pub fn unmatched(policy: &Policy) -> Result<Permit, Forbidden> {
    match policy.unmatched {
        Unmatched::Anonymous => Ok(Permit { caller: None }),
        Unmatched::Deny => Err(Forbidden::NoRule),
    }
}

// === impl Authorized ===

impl Authorized {
    /// Who may pass.
    #[cfg(feature = "ai")]
    pub fn caller(&self) -> &Verified {
        &self.caller
    }

    /// Checks the caller against what a message asks that is in the body. An approval that counts once is for one
    /// message, of a batch too.
    #[cfg(feature = "ai")]
    pub fn also(
        &mut self,
        rule: &Rule,
        demands: &Demands,
        purpose: &Purpose<'_>,
        now: UnixTime,
    ) -> Result<(), Forbidden> {
        let caller = self.caller.clone();
        let authorized = authorize(rule, demands, purpose, Addressed(&caller), now)?;
        for next in authorized.uses {
            if self.uses.iter().any(|known| known.digest == next.digest) {
                return Err(Forbidden::Approval);
            }
            self.uses.push(next);
        }
        Ok(())
    }

    /// The permit, once every approval that counts once is used for this request. `spent` is what became of
    /// the first of them, in their order.
    pub fn permit(self, spent: &[Spent]) -> Result<Permit, Unpermitted> {
        let Authorized { caller, uses } = self;
        let mut spent = spent.iter();
        for next in uses {
            match spent.next() {
                Some(Spent::First) => {}
                Some(Spent::Again) => return Err(Unpermitted::Forbidden(Forbidden::Approval)),
                Some(Spent::Unrecorded) => {
                    return Err(Unpermitted::Forbidden(Forbidden::Unrecorded));
                }
                None => return Err(Unpermitted::Unused(next)),
            }
        }
        Ok(Permit {
            caller: Some(caller),
        })
    }
}

// === impl Stranger ===

impl Stranger {
    /// Checks what this request asks of its caller, beyond what its rule asks of all.
    pub fn authorize(&self, demands: Option<&Demands>) -> Result<Permit, Forbidden> {
        match demands {
            None => Ok(Permit { caller: None }),
            Some(_) => Err(Forbidden::NoCredential),
        }
    }
}

// === impl Permit ===

impl Permit {
    /// Who asked; `None` where no credential was needed.
    pub fn caller(&self) -> Option<&Verified> {
        self.caller.as_ref()
    }
}

// === authentication ===

/// RFC 9470 §4. An API key has none of these claims. The clocks may differ as far as for `exp`: a person who
/// has just logged in must not be sent back to do it again.
fn authenticated(required: &Authentication, principal: &Principal, now: UnixTime) -> bool {
    let Some(provider) = &principal.provider else {
        return false;
    };
    let tolerance = provider.clock_tolerance;
    let is_accepted = required.contexts.as_ref().is_none_or(|(claim, accepted)| {
        let context = claim_of(principal, *claim).and_then(Value::as_str);
        context.is_some_and(|context| accepted.iter().any(|acr| &**acr == context))
    });
    let is_recent = required.max_age.is_none_or(|(claim, max_age)| {
        let time = claim_of(principal, claim).and_then(Value::as_number);
        let time = time.and_then(UnixTime::from_numeric_date);
        time.is_some_and(|time| {
            now <= time.plus(max_age).plus(tolerance) && time <= now.plus(tolerance)
        })
    });
    is_accepted && is_recent
}

// === conditions ===

fn holds(condition: &Condition, principal: &Principal, target: &RequestTarget<'_>) -> bool {
    let claim = claim_of(principal, condition.claim);
    claim.is_some_and(|claim| meets(&condition.test, claim, target))
}

fn claim_of(principal: &Principal, id: ClaimId) -> Option<&Value<'static>> {
    principal.claims.get(id.0)?.as_ref()
}

/// Type-strict: the string `"1"` is not the number 1.
fn meets(test: &Test, claim: &Value<'_>, target: &RequestTarget<'_>) -> bool {
    match test {
        Test::Present => true,
        Test::Equals(wanted) => equal(claim, wanted),
        Test::EqualsPart(part) => claim
            .as_str()
            .is_some_and(|claim| request_part::equals(target, part, claim)),
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
