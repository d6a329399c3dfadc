//! Evaluates a request: runs all stages in order, from the headers to a decision.

use std::rc::Rc;

use crate::authorization;
#[cfg(feature = "ai")]
use crate::authorization::Permit;
use crate::authorization::approval::Purpose;
use crate::authorization::{Forbidden, Unpermitted};
#[cfg(feature = "ai")]
use crate::body::{self, Budgeted, Content, Next, Passed};
#[cfg(feature = "ai")]
use crate::budget::reserved::Reservation;
#[cfg(feature = "ai")]
use crate::charging::Charge;
use crate::credential;
#[cfg(feature = "ai")]
use crate::deadline::Deadline;
use crate::decision::{Code, Decision, Denial, Verdict};
use crate::mcp::Message;
#[cfg(feature = "ai")]
use crate::mcp::body::HeaderVersion;
use crate::policy::demands::Demands;
use crate::policy::requirement::{Access, Rule};
use crate::policy::{Mode, Policy};
use crate::request::{Request, RequestTarget};
use crate::time::UnixTime;
use crate::verification::callout::{Callout, Replies, Reply};
use crate::verification::{self, Context, State, Unproven, Unspent, Unverified};

/// What comes next for a request.
#[derive(Debug)]
pub enum Step {
    /// Something has to be found out first. Bring the reply to [`Waiting::resume`].
    Await(Waiting, Callout),
    /// The request is decided. See [`effects::of`](crate::effects::of) for what that does to it.
    Decided(Decision),
    /// In shadow mode: the request goes on by this decision, and nothing is counted before its body has passed.
    #[cfg(feature = "ai")]
    Observe(Decision, Box<Content>),
}

/// A request that waits for a reply. It keeps its policy: a new configuration in the meantime changes
/// nothing for it.
#[derive(Debug)]
pub struct Waiting {
    policy: Rc<Policy>,
    /// The rule that it met, where it met one yet.
    #[cfg(feature = "ai")]
    rule: Option<Rc<Rule>>,
    stage: Stage,
}

/// How far a request came.
#[derive(Debug)]
enum Stage {
    /// Its headers are judged.
    Headers(Replies),
    /// Its headers let it pass, and its body is judged.
    #[cfg(feature = "ai")]
    Body(Box<Content>),
}

/// Evaluates a request with what this worker knows.
pub fn begin(policy: &Rc<Policy>, state: &mut State, request: &Request<'_>, now: UnixTime) -> Step {
    step(policy, Replies::default(), state, request, now)
}

// === impl Waiting ===

impl Waiting {
    /// Whether the request may be held up. In shadow mode no request waits: it goes on without the
    /// reply.
    pub fn may_wait(&self) -> bool {
        self.policy.mode == Mode::Enforce
    }

    /// The policy that the request began with.
    pub fn policy(&self) -> &Rc<Policy> {
        &self.policy
    }

    /// Continues with the reply to the callout. The headers are evaluated from the start again, by the same code.
    /// No reply is asked for twice, so this ends.
    pub fn resume(
        self,
        state: &mut State,
        request: &Request<'_>,
        reply: Reply,
        now: UnixTime,
    ) -> Step {
        match self.stage {
            Stage::Headers(mut replies) => {
                replies.record(reply);
                step(&self.policy, replies, state, request, now)
            }
            #[cfg(feature = "ai")]
            Stage::Body(content) => {
                let rule = Rc::clone(content.rule());
                judged(&self.policy, (rule, content.resume(request, reply, now)))
            }
        }
    }

    /// Whether the request's body is read before the request goes on.
    #[cfg(feature = "ai")]
    pub fn reads_body(&self) -> bool {
        self.rule.as_ref().is_some_and(|rule| rule.body.is_some())
    }

    /// What the request would be charged to, for [`Callout::Reserve`].
    #[cfg(feature = "ai")]
    pub fn charges(&self) -> &[Charge] {
        match &self.stage {
            Stage::Headers(_) => &[],
            Stage::Body(content) => content.charges(),
        }
    }

    /// Continues with what became of the budgets, after [`Callout::Reserve`].
    #[cfg(feature = "ai")]
    pub fn reserved(self, budgeted: Budgeted) -> Step {
        match self.stage {
            // Headers hold nothing back.
            Stage::Headers(_) => Step::Decided(Decision {
                verdict: Verdict::Deny(Code::BudgetUnavailable.into()),
                rule: self.rule,
                passage: None,
            }),
            Stage::Body(content) => {
                let rule = Rc::clone(content.rule());
                judged(&self.policy, (rule, content.reserved(budgeted)))
            }
        }
    }

    /// Until when the request waits for a grant of a ledger, whose first one would come until `deadline`.
    #[cfg(feature = "ai")]
    pub fn lease_deadline(&mut self, deadline: Deadline) -> Deadline {
        match &mut self.stage {
            Stage::Headers(_) => deadline,
            Stage::Body(content) => content.lease_deadline(deadline),
        }
    }

    /// Takes back what is held back for the request, which goes nowhere.
    #[cfg(feature = "ai")]
    pub fn take_reservations(&mut self) -> Vec<(Charge, Reservation)> {
        match &mut self.stage {
            Stage::Headers(_) => Vec::new(),
            Stage::Body(content) => content.take_reservations(),
        }
    }
}

/// The step that a judged body leads to.
#[cfg(feature = "ai")]
fn judged(policy: &Rc<Policy>, (rule, next): (Rc<Rule>, Next)) -> Step {
    let (verdict, passage) = match next {
        Next::Await(content, callout) => {
            let waiting = Waiting {
                policy: Rc::clone(policy),
                rule: Some(rule),
                stage: Stage::Body(content),
            };
            return Step::Await(waiting, callout);
        }
        Next::Pass(permit, passage) => (Verdict::Allow(permit), Some(passage)),
        Next::Refuse(denial) => (Verdict::Deny(denial), None),
    };
    Step::Decided(Decision {
        verdict,
        rule: Some(rule),
        passage,
    })
}

fn step(
    policy: &Rc<Policy>,
    replies: Replies,
    state: &mut State,
    request: &Request<'_>,
    now: UnixTime,
) -> Step {
    state.see(now);
    let context = Context {
        policy,
        replies: &replies,
        now,
    };
    let mut rule = None;
    let verdict = match evaluate(&context, state, request, &mut rule) {
        Ok(Judged::Verdict(verdict)) => verdict,
        #[cfg(feature = "ai")]
        Ok(Judged::Headers(rule, passed)) => {
            return judged(policy, Content::begin(policy, rule, passed, request, now));
        }
        #[cfg(feature = "ai")]
        Ok(Judged::Observed(rule, passed, permit)) => {
            let decision = Decision {
                verdict: Verdict::Allow(permit),
                rule: Some(Rc::clone(&rule)),
                passage: None,
            };
            return Step::Observe(decision, Content::new(policy, &rule, passed));
        }
        Err(Obstacle::Denial(denial)) => Verdict::Deny(denial),
        Err(Obstacle::Unknown(callout)) => return wait(policy, rule, replies, callout),
        Err(Obstacle::Unspent(unspent)) => {
            let callout = Callout::Spend(unspent.expense());
            let unspent = Some(unspent);
            return wait(policy, rule, Replies { unspent, ..replies }, callout);
        }
    };
    Step::Decided(Decision {
        verdict,
        rule,
        #[cfg(feature = "ai")]
        passage: None,
    })
}

fn wait(
    policy: &Rc<Policy>,
    #[cfg_attr(not(feature = "ai"), expect(unused_variables))] rule: Option<Rc<Rule>>,
    replies: Replies,
    callout: Callout,
) -> Step {
    let waiting = Waiting {
        policy: Rc::clone(policy),
        #[cfg(feature = "ai")]
        rule,
        stage: Stage::Headers(replies),
    };
    Step::Await(waiting, callout)
}

/// What the headers decide.
enum Judged {
    /// The request.
    Verdict(Verdict),
    /// That it passes, if its body lets it.
    #[cfg(feature = "ai")]
    Headers(Rc<Rule>, Passed),
    /// The same in shadow mode, where nothing waits for the body.
    #[cfg(feature = "ai")]
    Observed(Rc<Rule>, Passed, Permit),
}

/// Why a request has no verdict that it may go on, or none yet.
enum Obstacle {
    Denial(Denial),
    Unknown(Callout),
    Unspent(Box<Unspent>),
}

/// The stages in their order. `matched` is where the rule goes: a denial has one too.
fn evaluate(
    context: &Context<'_>,
    state: &mut State,
    request: &Request<'_>,
    matched: &mut Option<Rc<Rule>>,
) -> Result<Judged, Obstacle> {
    let policy = context.policy;
    let target = RequestTarget::from_request(request)?;
    if let Some(resource) = policy.resources.described_at(&target) {
        return match request.method {
            b"GET" | b"HEAD" | b"OPTIONS" => {
                Ok(Verdict::Metadata(resource.metadata.clone()).into())
            }
            _ => Err(Code::MethodNotAllowed.into()),
        };
    }
    let preflighted = target.preflighted().filter(|_| policy.allow_cors_preflight);
    let found = policy
        .routes
        .find(preflighted.as_ref().unwrap_or(&target))?;
    let Some(rule) = found else {
        let permit = authorization::unmatched(policy)?;
        credential::refuse_ambiguous(policy, request)?;
        return Ok(permit.into());
    };
    *matched = Some(Rc::clone(rule));
    let is_preflight = preflighted.is_some();
    if rule
        .mcp
        .as_ref()
        .is_some_and(|mcp| !mcp.allows_origin(request))
    {
        return Err(Denial::from(Code::OriginNotAllowed).into());
    }
    let credential = credential::find(policy, rule, request)?;
    if rule.mcp.is_some() && is_preflight {
        // Its origin may send messages. Each is judged when it comes.
        let permit = authorization::without_credential(rule, is_preflight)?.authorize(None)?;
        return Ok(permit.into());
    }
    let asks = matches!(rule.access, Access::Required | Access::Optional);
    let Some(credential) = credential.filter(|_| asks) else {
        let stranger = authorization::without_credential(rule, is_preflight)?;
        let (_, demands) = message(rule, request)?;
        let permit = stranger.authorize(demands.map(Rc::as_ref));
        let permit = permit.map_err(|e| Denial::from(e).demanding(demands))?;
        #[cfg(feature = "ai")]
        if body::is_judged(rule) && !is_preflight {
            let passed = Passed::Stranger(stranger);
            return Ok(match policy.mode {
                Mode::Enforce => Judged::Headers(Rc::clone(rule), passed),
                Mode::Shadow => Judged::Observed(Rc::clone(rule), passed, permit),
            });
        }
        return Ok(permit.into());
    };
    let location = credential.location;
    let allowed = rule.accepts.cookie_origins(location);
    credential::refuse_cross_site(request, location, allowed)?;
    let caller = verification::verify(context, state, &rule.accepts, request, &credential)?;
    let denial = |reason: Denial| Denial::about(reason, &caller);
    // Of several providers, each allows the origins of its own pages alone.
    if let Some(provider) = &caller.principal().provider {
        credential::refuse_cross_site(request, location, provider.cookie_origins.iter())
            .map_err(|refused| denial(refused.into()))?;
    }
    let addressed = authorization::addressed(rule, &caller).map_err(|e| denial(e.into()))?;
    let (message, demands) = message(rule, request).map_err(denial)?;
    let purpose = Purpose {
        policy,
        target: &target,
        message: message.as_ref(),
    };
    let asked = demands.unwrap_or(&rule.demands);
    let forbidden = |e: Forbidden| Obstacle::from(denial(e.into()).demanding(demands));
    let authorized = match is_in_body(rule, request) {
        false => authorization::authorize(rule, asked, &purpose, addressed, context.now),
        true => authorization::authorize_unapproved(rule, asked, &target, addressed, context.now),
    };
    let authorized = authorized.map_err(forbidden)?;
    #[cfg(feature = "ai")]
    let is_judged = body::is_judged(rule) && !is_preflight;
    #[cfg(feature = "ai")]
    if is_judged && policy.mode == Mode::Enforce {
        return Ok(Judged::Headers(Rc::clone(rule), Passed::Known(authorized)));
    }
    #[cfg(feature = "ai")]
    let passed = is_judged.then(|| Passed::Known(authorized.clone()));
    // The last check of all: what is used is used, whatever came after it.
    match authorized.permit(&context.replies.approvals) {
        #[cfg(feature = "ai")]
        Ok(permit) => Ok(match passed {
            Some(passed) => Judged::Observed(Rc::clone(rule), passed, permit),
            None => permit.into(),
        }),
        #[cfg(not(feature = "ai"))]
        Ok(permit) => Ok(permit.into()),
        Err(Unpermitted::Forbidden(e)) => Err(forbidden(e)),
        Err(Unpermitted::Unused(next)) => Err(Obstacle::Unknown(Callout::Spend(next))),
    }
}

/// The message that a request is, where its rule is for an MCP server, and what the message asks of its caller
/// beyond what its rule asks of all.
fn message<'a, 'r>(
    rule: &'r Rule,
    request: &Request<'a>,
) -> Result<(Option<Message<'a>>, Option<&'r Rc<Demands>>), Denial> {
    let Some(mcp) = &rule.mcp else {
        return Ok((None, None));
    };
    // Other methods belong to versions with sessions: the headers are for POST.
    if request.method != b"POST" {
        return Err(Code::MethodNotAllowed.into());
    }
    #[cfg(feature = "ai")]
    if mcp.verifies_body && HeaderVersion::of(request)? == HeaderVersion::Older {
        // Its body says what it asks.
        return Ok((None, None));
    }
    let message = Message::read(request)?;
    let demands = mcp.demands_of(&message)?;
    Ok((Some(message), demands))
}

/// Whether only the body of a request says which message it is.
#[cfg(feature = "ai")]
fn is_in_body(rule: &Rule, request: &Request<'_>) -> bool {
    let verifies_body = rule.mcp.as_ref().is_some_and(|mcp| mcp.verifies_body);
    verifies_body && HeaderVersion::of(request) == Ok(HeaderVersion::Older)
}

/// This module never reads a body.
#[cfg(not(feature = "ai"))]
fn is_in_body(_: &Rule, _: &Request<'_>) -> bool {
    false
}

// === impl Judged ===

impl<V: Into<Verdict>> From<V> for Judged {
    fn from(verdict: V) -> Self {
        Judged::Verdict(verdict.into())
    }
}

// === impl Obstacle ===

impl<D: Into<Denial>> From<D> for Obstacle {
    fn from(denial: D) -> Self {
        Obstacle::Denial(denial.into())
    }
}

impl From<Unproven> for Obstacle {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Unspent(unspent) => Obstacle::Unspent(unspent),
            Unproven::Unverified(Unverified::Await(callout)) => Obstacle::Unknown(callout),
            Unproven::Unverified(Unverified::Refused(refusal)) => Obstacle::Denial(refusal.into()),
        }
    }
}
