//! What a request's body decides, after its headers have.
//!
//! The order of the checks is the contract's: a body that is encoded or announced too large; its arrival; what it says,
//! by `models` or `messages`; the kind of its prompt; the budgets in their order; approvals that count once.

mod messages;
mod models;

use std::rc::Rc;
use std::time::Duration;

use crate::api::Estimate;
use crate::authorization::{Authorized, Permit, Stranger, Unpermitted};
use crate::budget::reserved::Reservation;
use crate::charging::{Charge, Standing};
use crate::deadline::Deadline;
use crate::decision::{Code, Denial, RefusedContent};
use crate::model::allow;
use crate::passage::{Lists, Passage};
use crate::policy::Policy;
use crate::policy::demands::Demands;
use crate::policy::mcp::Mcp;
use crate::policy::model::{BodyLimits, Category};
use crate::policy::requirement::Rule;
use crate::request::{Request, RequestTarget};
use crate::spent::Spent;
use crate::time::UnixTime;
use crate::verification::Verified;
use crate::verification::call::{Call, Standing as CallStanding};
use crate::verification::callout::{BodyArrival, Callout, Question, Reply};

/// A request that passes by its headers.
#[derive(Debug)]
pub enum Passed {
    /// Its caller is known.
    Known(Authorized),
    /// It has no credential, and its rule lets it pass without.
    Stranger(Stranger),
}

/// A request whose body is judged.
#[derive(Debug)]
pub struct Content {
    policy: Rc<Policy>,
    rule: Rc<Rule>,
    passed: Passed,
    draft: Draft,
    awaits: Awaits,
}

/// What is known of the request so far.
#[derive(Debug, Default)]
struct Draft {
    passage: Passage,
    /// What it asks of its caller, where that is more than its rule asks of every request.
    demands: Option<Rc<Demands>>,
    charges: Vec<Charge>,
    /// The text that a classifier is asked about, and the model.
    text: String,
    category: Option<Box<str>>,
    /// An MCP message's own id, as JSON, for its refusal.
    message_id: Option<Box<str>>,
    /// What to ask an authorization server for, where only the body says which approvals are needed.
    to_approve: Vec<String>,
    /// What became of the approvals that count once.
    approvals: Vec<Spent>,
    standings: Vec<Standing>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Awaits {
    Body,
    Classifier,
    Budgets(LeaseWait),
    Approval,
}

/// How a request waits for grants of a ledger.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct LeaseWait {
    /// The end of all its waits together, once it waits.
    until: Option<Deadline>,
    /// The ledger did not answer, and what may be spent without it was tried.
    is_without: bool,
}

/// What comes next for a body.
#[derive(Debug)]
pub enum Next {
    /// Something has to be found out first.
    Await(Box<Content>, Callout),
    /// The request passes.
    Pass(Permit, Box<Passage>),
    /// It is refused.
    Refuse(Denial),
}

/// What became of a request's budgets.
#[derive(Debug)]
pub enum Budgeted {
    /// All have room, and hold it back for the request.
    Admitted(Vec<Reservation>),
    /// One has no room. Nothing is held back.
    Refused {
        /// When the last window of those without room ends.
        retry_after: Duration,
        /// How all of them stand.
        standings: Vec<Standing>,
    },
    /// Of one it cannot be told. Nothing is held back.
    Unavailable {
        /// How all of them stand.
        standings: Vec<Standing>,
    },
}

/// Whether a rule asks anything of a request beyond its headers.
pub fn is_judged(rule: &Rule) -> bool {
    let filters = rule.mcp.as_ref().is_some_and(|mcp| mcp.filters_lists);
    rule.body.is_some() || rule.prompts.is_some() || !rule.budgets.is_empty() || filters
}

// === impl Content ===

impl Content {
    /// A request that its headers let pass, before anything else is known of it.
    pub fn new(policy: &Rc<Policy>, rule: &Rc<Rule>, passed: Passed) -> Box<Self> {
        Box::new(Content {
            policy: Rc::clone(policy),
            rule: Rc::clone(rule),
            passed,
            draft: Draft::default(),
            awaits: Awaits::Body,
        })
    }

    /// Begins with a request that its headers let pass.
    pub fn begin(
        policy: &Rc<Policy>,
        rule: Rc<Rule>,
        passed: Passed,
        request: &Request<'_>,
        now: UnixTime,
    ) -> (Rc<Rule>, Next) {
        let content = Content::new(policy, &rule, passed);
        let next = match rule
            .body
            .map(|limits| (limits, refuse_unread(request, &limits)))
        {
            None => content.after_body(request, None, now),
            Some((limits, Ok(()))) => Next::Await(content, Callout::Body(limits)),
            Some((_, Err(code))) => content.refuse(code),
        };
        (rule, next)
    }

    /// The rule that it met.
    pub fn rule(&self) -> &Rc<Rule> {
        &self.rule
    }

    /// The caller, where it is known.
    fn caller(&self) -> Option<&Verified> {
        match &self.passed {
            Passed::Known(authorized) => Some(authorized.caller()),
            Passed::Stranger(_) => None,
        }
    }

    /// What the request would be charged to, for the host to reserve.
    pub fn charges(&self) -> &[Charge] {
        &self.draft.charges
    }

    /// Takes back what is reserved: the request goes nowhere.
    pub fn take_reservations(&mut self) -> Vec<(Charge, Reservation)> {
        let charges = self.draft.passage.charges.drain(..);
        charges
            .filter_map(|(charge, held)| Some((charge, held?)))
            .collect()
    }

    /// Continues with the reply to the callout.
    pub fn resume(mut self: Box<Self>, request: &Request<'_>, reply: Reply, now: UnixTime) -> Next {
        match (self.awaits, reply) {
            (Awaits::Body, Reply::Body(BodyArrival::Whole(body))) => {
                self.after_body(request, Some(body), now)
            }
            (Awaits::Body, Reply::Body(BodyArrival::TooLarge)) => self.refuse(Code::BodyTooLarge),
            (Awaits::Body, _) => self.refuse(Code::BodyTimeout),
            (Awaits::Classifier, Reply::Classified(Some(category))) => {
                self.draft.category = Some(category);
                self.after_category()
            }
            (Awaits::Classifier, _) => self.refuse(unavailable(Code::ClassifierUnavailable)),
            (Awaits::Budgets(wait), Reply::Leased(granted)) => self.leased(wait, granted),
            (Awaits::Approval, Reply::Spent(_, spent)) => {
                self.draft.approvals.push(spent);
                self.approve()
            }
            (Awaits::Budgets(_), _) => self.refuse(unavailable(Code::BudgetUnavailable)),
            (Awaits::Approval, _) => self.refuse(unavailable(Code::ApprovalsUnavailable)),
        }
    }

    /// The body has arrived, or none is awaited.
    fn after_body(
        mut self: Box<Self>,
        request: &Request<'_>,
        body: Option<Vec<u8>>,
        now: UnixTime,
    ) -> Next {
        match self.read(request, body.as_deref(), now) {
            Ok(()) => self.classify(),
            Err(denial) => self.refuse(denial),
        }
    }

    fn read(
        &mut self,
        request: &Request<'_>,
        body: Option<&[u8]>,
        now: UnixTime,
    ) -> Result<(), Denial> {
        let target = RequestTarget::from_request(request)?;
        match Rc::clone(&self.rule).mcp.as_ref() {
            Some(mcp) => self.read_message(mcp, request, &target, body, now),
            None => self.read_model_call(request, &target, body),
        }
    }

    fn read_message(
        &mut self,
        mcp: &Mcp,
        request: &Request<'_>,
        target: &RequestTarget<'_>,
        body: Option<&[u8]>,
        now: UnixTime,
    ) -> Result<(), Denial> {
        let mut found = messages::Findings::default();
        let call = messages::McpCall {
            policy: &self.policy,
            rule: &self.rule,
            mcp,
            request,
            target,
            now,
        };
        let sender = match &mut self.passed {
            Passed::Known(authorized) => messages::Sender::Known(authorized),
            Passed::Stranger(stranger) => messages::Sender::Stranger(stranger),
        };
        let judged = call.judge(body, sender, &mut found);
        self.draft.message_id = found.id;
        self.draft.demands = found.demands;
        self.draft.to_approve = found.approvals;
        self.draft.passage.tools = found.tools;
        judged?;
        if let Some(filter) = found.filter.filter(|_| mcp.filters_lists) {
            let lists = Lists::new(&self.rule, self.caller(), filter);
            self.draft.passage.lists = Some(lists);
        }
        self.charge(None, &[])
    }

    fn read_model_call(
        &mut self,
        request: &Request<'_>,
        target: &RequestTarget<'_>,
        body: Option<&[u8]>,
    ) -> Result<(), Denial> {
        let mut found = models::Findings::default();
        let call = models::ModelCall {
            policy: &self.policy,
            rule: &self.rule,
            caller: self.caller(),
            request,
            target,
            body,
        };
        let judged = call.judge(&mut found);
        let passage = &mut self.draft.passage;
        passage.model = found.model;
        passage.body = found.body;
        passage.usage = found.usage;
        self.draft.demands = found.demands;
        self.draft.text = found.text;
        self.draft.category = found.category;
        judged?;
        self.charge(found.entry.as_deref(), &found.estimates)
    }

    /// What the request is charged to.
    fn charge(&mut self, model: Option<&str>, estimates: &[Estimate]) -> Result<(), Denial> {
        if self.rule.budgets.is_empty() {
            return Ok(());
        }
        let caller = self.caller().ok_or(Code::MissingToken)?;
        let mut estimates = estimates.iter().copied();
        let charges = self.rule.budgets.iter().map(|budget| {
            // Without any, the budgets count requests alone.
            let estimate = estimates.next().unwrap_or_default();
            Charge::new(budget, caller.principal(), model, estimate)
        });
        let charges: Result<Vec<_>, _> = charges.collect();
        self.draft.charges = charges.map_err(|_| Code::ClaimMismatch)?;
        Ok(())
    }

    fn classify(mut self: Box<Self>) -> Next {
        let Some(prompts) = &self.rule.prompts else {
            return self.reserve(LeaseWait::default());
        };
        let Category::Classifier(endpoint) = &prompts.category else {
            return self.after_category();
        };
        let model = self.draft.passage.model.as_deref();
        let body = models::classifier_request(model, &self.draft.text);
        let question = Question::classifier(endpoint, &body);
        let call = Box::new(Call {
            endpoint: endpoint.clone(),
            standing: CallStanding::Known,
            method: "POST",
            headers: vec![
                ("content-type", (*b"application/json").into()),
                ("accept", (*b"application/json").into()),
            ],
            body: body.into_bytes(),
        });
        self.draft.text = String::new();
        self.awaits = Awaits::Classifier;
        Next::Await(self, Callout::Ask(question, call))
    }

    fn after_category(mut self: Box<Self>) -> Next {
        match self.judge_category() {
            Ok(()) => self.reserve(LeaseWait::default()),
            Err(denial) => self.refuse(denial),
        }
    }

    fn judge_category(&mut self) -> Result<(), Denial> {
        let Some(prompts) = &self.rule.prompts else {
            return Ok(());
        };
        let category = self.draft.category.as_deref();
        let category = category.ok_or(Code::PromptNotAllowed)?;
        let entry = allow::first_match(&prompts.allow, |entry| &entry.pattern, category);
        let Some(scopes) = &entry.ok_or(Code::PromptNotAllowed)?.scopes else {
            return Ok(());
        };
        let demands = self.draft.demands.as_ref().unwrap_or(&self.rule.demands);
        let more = Demands {
            scopes: vec![scopes.clone()],
            ..Demands::default()
        };
        // Scopes contradict nothing.
        let both = demands.and(more).map_err(|_| Code::InsufficientScope)?;
        self.draft.demands = Some(Rc::new(both));
        let caller = self.caller().ok_or(Code::MissingToken)?;
        match caller.principal().scopes.satisfies(scopes) {
            true => Ok(()),
            false => Err(Code::InsufficientScope.into()),
        }
    }

    /// Asks the host to hold back what the request is thought to use.
    fn reserve(mut self: Box<Self>, wait: LeaseWait) -> Next {
        if self.draft.charges.is_empty() {
            return self.approve();
        }
        self.awaits = Awaits::Budgets(wait);
        Next::Await(self, Callout::Reserve)
    }

    /// Until when it waits for a grant, of which it may need several: until the end of its first wait.
    pub fn lease_deadline(&mut self, deadline: Deadline) -> Deadline {
        match &mut self.awaits {
            Awaits::Budgets(wait) => *wait.until.get_or_insert(deadline),
            _ => deadline,
        }
    }

    /// Continues with what became of the budgets.
    pub fn reserved(mut self: Box<Self>, budgeted: Budgeted) -> Next {
        match budgeted {
            Budgeted::Admitted(reservations) => {
                let charges = std::mem::take(&mut self.draft.charges);
                let held = reservations.into_iter().map(Some);
                self.draft.passage.charges = charges.into_iter().zip(held).collect();
                self.approve()
            }
            Budgeted::Refused {
                retry_after,
                standings,
            } => {
                self.draft.standings = standings;
                self.refuse(Denial {
                    retry_after: Some(retry_after),
                    ..Code::BudgetExceeded.into()
                })
            }
            Budgeted::Unavailable { standings } => {
                self.draft.standings = standings;
                self.refuse(unavailable(Code::BudgetUnavailable))
            }
        }
    }

    /// The ledger has answered, or not. A grant may be gone to others already: then it is asked again.
    fn leased(self: Box<Self>, wait: LeaseWait, granted: bool) -> Next {
        let ledgers = self.draft.charges.iter();
        let mut ledgers = ledgers.filter_map(|charge| charge.budget.ledger.as_ref());
        if granted {
            return self.reserve(wait);
        }
        match !wait.is_without && ledgers.any(|ledger| ledger.allow_local) {
            true => self.reserve(LeaseWait {
                is_without: true,
                ..wait
            }),
            false => self.refuse(unavailable(Code::BudgetUnavailable)),
        }
    }

    /// The last check of all: what is used is used, whatever came after it.
    fn approve(mut self: Box<Self>) -> Next {
        let permit = match &self.passed {
            Passed::Known(authorized) => authorized.clone().permit(&self.draft.approvals),
            Passed::Stranger(stranger) => {
                let permit = stranger.authorize(None);
                permit.map_err(Unpermitted::Forbidden)
            }
        };
        match permit {
            Ok(permit) => Next::Pass(permit, Box::new(std::mem::take(&mut self.draft.passage))),
            Err(Unpermitted::Unused(expense)) => {
                self.awaits = Awaits::Approval;
                Next::Await(self, Callout::Spend(expense))
            }
            Err(Unpermitted::Forbidden(forbidden)) => self.refuse(forbidden),
        }
    }

    fn refuse(mut self: Box<Self>, reason: impl Into<Denial>) -> Next {
        Next::Refuse(self.denial(reason.into()))
    }

    fn denial(&mut self, reason: Denial) -> Denial {
        let mut denial = match self.caller() {
            Some(caller) => Denial::about(reason, caller),
            None => reason,
        };
        if denial.demands.is_none() {
            denial = denial.demanding(self.draft.demands.as_ref());
        }
        denial.content = Some(Box::new(RefusedContent {
            message_id: self.draft.message_id.take(),
            to_approve: std::mem::take(&mut self.draft.to_approve),
            tools: self.draft.passage.tools.take(),
            model: self.draft.passage.model.take(),
            standings: std::mem::take(&mut self.draft.standings),
            reservations: self.take_reservations(),
        }));
        denial
    }

    /// Judges in shadow mode: nothing waits, no service is asked and nothing is held back. Usage is charged all the same.
    pub fn observe(
        mut self: Box<Self>,
        request: &Request<'_>,
        body: BodyArrival,
        now: UnixTime,
    ) -> (Option<Denial>, Box<Passage>) {
        let judged = self.judge_at_once(request, body, now);
        let denial = judged.err().map(|reason| self.denial(reason));
        let mut passage = std::mem::take(&mut self.draft.passage);
        passage.body = None;
        passage.lists = None;
        let charges = self.draft.charges.drain(..);
        passage.charges = charges.map(|charge| (charge, None)).collect();
        (denial, Box::new(passage))
    }

    fn judge_at_once(
        &mut self,
        request: &Request<'_>,
        body: BodyArrival,
        now: UnixTime,
    ) -> Result<(), Denial> {
        let Some(limits) = self.rule.body else {
            self.read(request, None, now)?;
            return self.judge_category();
        };
        refuse_unread(request, &limits)?;
        match body {
            BodyArrival::Late => return Err(Code::BodyTimeout.into()),
            BodyArrival::TooLarge => return Err(Code::BodyTooLarge.into()),
            BodyArrival::Whole(body) => self.read(request, Some(&body), now)?,
        }
        let prompts = self.rule.prompts.as_ref();
        match prompts.map(|prompts| &prompts.category) {
            Some(Category::Classifier(_)) => Ok(()),
            _ => self.judge_category(),
        }
    }
}

fn unavailable(code: Code) -> Denial {
    Denial {
        retry_after: Some(Duration::ZERO),
        ..code.into()
    }
}

/// What is refused before any of the body is read.
fn refuse_unread(request: &Request<'_>, limits: &BodyLimits) -> Result<(), Code> {
    // Their bytes are no body, or do not end before an answer begins.
    let is_upgrade = request.method == b"CONNECT" || request.header("upgrade").is_some();
    if is_upgrade || request.is_grpc() {
        return Err(Code::MalformedBody);
    }
    let mut encodings = request.values("content-encoding");
    if !encodings.all(|encoding| encoding.trim_ascii().eq_ignore_ascii_case(b"identity")) {
        return Err(Code::UnsupportedEncoding);
    }
    let announced = request.header("content-length");
    let announced = announced.and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limits.max_bytes as u64) {
        return Err(Code::BodyTooLarge);
    }
    Ok(())
}
