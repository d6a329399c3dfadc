//! The only sequencer: the path of a request from its headers to a decision.

use std::rc::Rc;

use crate::authorization::{self, Permit};
use crate::credential;
use crate::decision::{Decision, Denial, Verdict};
use crate::policy::requirement::Access;
use crate::policy::{Mode, Policy};
use crate::request::{Request, RequestTarget};
use crate::time::UnixTime;
use crate::verification::callout::{Callout, Replies, Reply};
use crate::verification::{self, State, Unverified};

#[derive(Debug)]
pub enum Step {
    /// Ask, and bring the reply to [`Waiting::resume`].
    Await(Waiting, Callout),
    Decided(Decision),
}

/// A request that waits for a reply. It keeps its policy: a new configuration in the meantime
/// changes nothing for it.
#[derive(Debug)]
pub struct Waiting {
    policy: Rc<Policy>,
    replies: Replies,
}

/// Judges a request as far as this worker's knowledge goes.
pub fn begin(policy: &Rc<Policy>, state: &mut State, request: &Request<'_>, now: UnixTime) -> Step {
    step(policy, Replies::default(), state, request, now)
}

// === impl Waiting ===

impl Waiting {
    /// Whether the request may be held up. In shadow mode no request waits: it is judged without
    /// the reply.
    pub fn may_wait(&self) -> bool {
        self.policy.mode == Mode::Enforce
    }

    pub fn policy(&self) -> &Rc<Policy> {
        &self.policy
    }

    /// Goes on with what came of the callout. The request is judged from its start again, by
    /// the same path; no reply is asked for twice, so this ends.
    pub fn resume(
        mut self,
        state: &mut State,
        request: &Request<'_>,
        reply: Reply,
        now: UnixTime,
    ) -> Step {
        self.replies.record(reply);
        step(&self.policy, self.replies, state, request, now)
    }
}

fn step(
    policy: &Rc<Policy>,
    replies: Replies,
    state: &mut State,
    request: &Request<'_>,
    now: UnixTime,
) -> Step {
    state.see(now);
    match decide(policy, &replies, state, request, now) {
        Ok(decision) => Step::Decided(decision),
        Err(callout) => {
            let policy = Rc::clone(policy);
            Step::Await(Waiting { policy, replies }, callout)
        }
    }
}

/// A decision, or what has to be known first.
fn decide(
    policy: &Policy,
    replies: &Replies,
    state: &mut State,
    request: &Request<'_>,
    now: UnixTime,
) -> Result<Decision, Callout> {
    let mut rule = None;
    let verdict = match judge(policy, replies, state, request, now, &mut rule) {
        Ok(permit) => Verdict::Allow(permit),
        Err(Obstacle::Unknown(callout)) => return Err(callout),
        Err(Obstacle::Denial(denial)) => Verdict::Deny(denial),
    };
    Ok(Decision { verdict, rule })
}

/// What stands between a request and its permit.
enum Obstacle {
    Denial(Denial),
    Unknown(Callout),
}

/// The stages in their order; `matched` is where the index of the rule goes.
fn judge(
    policy: &Policy,
    replies: &Replies,
    state: &mut State,
    request: &Request<'_>,
    now: UnixTime,
    matched: &mut Option<usize>,
) -> Result<Permit, Obstacle> {
    let target = RequestTarget::read(request)?;
    let preflighted = target.preflighted().filter(|_| policy.allow_cors_preflight);
    *matched = policy
        .routes
        .find(preflighted.as_ref().unwrap_or(&target))?;
    let Some(rule) = matched.and_then(|index| policy.rules.get(index)) else {
        let permit = authorization::unmatched(policy)?;
        credential::refuse_ambiguous(policy, request)?;
        return Ok(permit);
    };
    let credential = credential::find(policy, rule, request)?;
    let asks = matches!(rule.access, Access::Required | Access::Optional);
    let Some(credential) = credential.filter(|_| asks) else {
        return Ok(authorization::without_credential(
            rule,
            preflighted.is_some(),
        )?);
    };
    let caller = verification::verify(policy, state, &rule.accepts, &credential, replies, now)?;
    authorization::authorize(rule, &caller)
        .map_err(|forbidden| Denial::of(forbidden, Some(&caller)).into())
}

// === impl Obstacle ===

impl<D: Into<Denial>> From<D> for Obstacle {
    fn from(denial: D) -> Self {
        Obstacle::Denial(denial.into())
    }
}

impl From<Unverified> for Obstacle {
    fn from(unverified: Unverified) -> Self {
        match unverified {
            Unverified::Await(callout) => Obstacle::Unknown(callout),
            Unverified::Refused(refusal) => Obstacle::Denial(refusal.into()),
        }
    }
}
