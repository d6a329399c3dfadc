//! Counters and audit lines.
//!
//! A host call for each count would cost every request more than counting does, so counts are added
//! up here and handed over on the tick, and when the configuration's life ends.

use std::cell::{Cell, RefCell};
#[cfg(feature = "ai")]
use std::rc::Rc;

use portcullis_core::audit_rate::{AuditRate, LineAdmission};
#[cfg(feature = "ai")]
use portcullis_core::budget::reserved::Reserved;
use portcullis_core::cache::Uses;
use portcullis_core::decision::Code;
use portcullis_core::effects::{AuditRecord, Counter};
use portcullis_core::policy::Policy;
#[cfg(feature = "ai")]
use portcullis_core::policy::budget::{Budget, BudgetId};
use portcullis_core::time::UnixTime;
use portcullis_core::verification::State;
use portcullis_core::verification::callout::{CallFault, Service};
use portcullis_core::verification::spending::SpentId;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{LogLevel, MetricType};

use crate::log;

/// How a callout ended, for the counters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CalloutOutcome {
    /// The service answered.
    Ok,
    /// It did not, or not to any use.
    Failed,
    /// It took too long.
    Timeout,
    /// A request waited for a call that another one had started.
    Joined,
}

/// All counters of a configuration, and the bound on its audit lines.
pub struct Telemetry {
    allowed: Metric,
    metadata: Metric,
    denied: Vec<Metric>,
    shadow_denied: Vec<Metric>,
    token_hits: Metric,
    token_misses: Metric,
    answer_hits: Metric,
    answer_misses: Metric,
    /// By service, then by outcome.
    callouts: Vec<[Metric; 4]>,
    proofs_forgotten: Metric,
    suppressed: Metric,
    audit_rate: RefCell<AuditRate>,
    /// Admitted, refused, full; by budget.
    #[cfg(feature = "ai")]
    budgets: Vec<[Metric; 3]>,
    /// Input, output.
    #[cfg(feature = "ai")]
    tokens: [Metric; 2],
}

/// A counter that was defined once, when the configuration was loaded.
struct Metric {
    id: Option<u32>,
    /// Counted, and not handed over yet.
    pending: Cell<u32>,
}

impl Telemetry {
    /// Defines all counters, so that they are there before anything is counted.
    #[cfg_attr(not(feature = "ai"), expect(unused_variables))]
    pub fn new(policy: &Policy) -> Self {
        let by_code = |kind: &str| {
            Code::ALL
                .iter()
                .map(|code| {
                    let name = code.name().to_ascii_lowercase();
                    Metric::define(&format!("portcullis.{kind}.{name}"))
                })
                .collect()
        };
        let by_outcome = |service: &Service| {
            let service = service.name();
            ["ok", "failed", "timeout", "joined"]
                .map(|outcome| Metric::define(&format!("portcullis.callout.{service}.{outcome}")))
        };
        Telemetry {
            allowed: Metric::define("portcullis.allowed"),
            metadata: Metric::define("portcullis.metadata"),
            denied: by_code("denied"),
            shadow_denied: by_code("shadow_denied"),
            token_hits: Metric::define("portcullis.cache.token.hit"),
            token_misses: Metric::define("portcullis.cache.token.miss"),
            answer_hits: Metric::define("portcullis.cache.introspection.hit"),
            answer_misses: Metric::define("portcullis.cache.introspection.miss"),
            callouts: Service::ALL.iter().map(by_outcome).collect(),
            proofs_forgotten: Metric::define("portcullis.proofs.forgotten"),
            suppressed: Metric::define("portcullis.audit.suppressed"),
            audit_rate: RefCell::default(),
            #[cfg(feature = "ai")]
            budgets: {
                let of_budget = |budget: &Rc<Budget>| {
                    let name = &budget.name;
                    ["admitted", "refused", "full"]
                        .map(|what| Metric::define(&format!("portcullis.budget.{name}.{what}")))
                };
                policy.budgets.iter().map(of_budget).collect()
            },
            #[cfg(feature = "ai")]
            tokens: ["input", "output"]
                .map(|which| Metric::define(&format!("portcullis.tokens.{which}"))),
        }
    }

    /// Counts a decision.
    pub fn count(&self, counter: Counter) {
        let metric = match counter {
            Counter::Allowed => Some(&self.allowed),
            Counter::Metadata => Some(&self.metadata),
            Counter::Denied(code) => self.denied.get(code as usize),
            Counter::ShadowDenied(code) => self.shadow_denied.get(code as usize),
        };
        if let Some(metric) = metric {
            metric.add(1);
        }
    }

    /// Counts how a callout ended.
    pub fn count_callout(&self, service: Service, outcome: CalloutOutcome) {
        let metrics = self.callouts.get(service as usize);
        if let Some(metric) = metrics.and_then(|metrics| metrics.get(outcome as usize)) {
            metric.add(1);
        }
    }

    /// Counts what a full table forgot although it still counted.
    pub fn count_forgotten(&self, id: SpentId, forgotten: usize) {
        match id {
            // Its table refuses instead.
            SpentId::Approval => {}
            SpentId::Proof(_) => self
                .proofs_forgotten
                .add(u32::try_from(forgotten).unwrap_or(u32::MAX)),
        }
    }

    /// Counts what a budget said to a request.
    #[cfg(feature = "ai")]
    pub fn count_reserved(&self, budget: BudgetId, reserved: &Reserved) {
        let Some([admitted, refused, full]) = self.budgets.get(budget.0) else {
            return;
        };
        match reserved {
            Reserved::Admitted(..) => admitted.add(1),
            Reserved::Refused(_) => refused.add(1),
            Reserved::Full => full.add(1),
            Reserved::Unavailable | Reserved::Waiting => {}
        }
    }

    /// Counts what a budget would have said to a request.
    #[cfg(feature = "ai")]
    pub fn count_in_shadow(&self, budget: BudgetId, has_room: bool) {
        if let Some([admitted, refused, _]) = self.budgets.get(budget.0) {
            let counted = if has_room { admitted } else { refused };
            counted.add(1);
        }
    }

    /// Counts what answers said that they used.
    #[cfg(feature = "ai")]
    pub fn count_tokens(&self, input: u64, output: u64) {
        let [counted_input, counted_output] = &self.tokens;
        counted_input.add(u32::try_from(input).unwrap_or(u32::MAX));
        counted_output.add(u32::try_from(output).unwrap_or(u32::MAX));
    }

    /// Counts how often tokens and answers were remembered since the last time.
    pub fn count_uses(&self, state: &mut State) {
        let Uses { hits, misses } = state.take_token_uses();
        self.token_hits.add(hits);
        self.token_misses.add(misses);
        let Uses { hits, misses } = state.take_answer_uses();
        self.answer_hits.add(hits);
        self.answer_misses.add(misses);
    }

    /// Gives the host what was counted.
    pub fn hand_over(&self) {
        let one = [
            &self.allowed,
            &self.metadata,
            &self.token_hits,
            &self.token_misses,
            &self.answer_hits,
            &self.answer_misses,
            &self.proofs_forgotten,
            &self.suppressed,
        ];
        let by_code = self.denied.iter().chain(&self.shadow_denied);
        let metrics = one.into_iter().chain(by_code);
        #[cfg(feature = "ai")]
        let metrics = metrics
            .chain(self.budgets.iter().flatten())
            .chain(&self.tokens);
        metrics
            .chain(self.callouts.iter().flatten())
            .for_each(Metric::hand_over);
    }

    /// Logs a decision; a denial only where this second has room left. Suppressed lines are not
    /// formatted.
    pub fn audit(&self, record: &AuditRecord<'_>, now: UnixTime) {
        let level = match record.is_denial() {
            true if !self.admit_line(now) => return,
            true => LogLevel::Warn,
            false => LogLevel::Info,
        };
        let address = hostcalls::get_property(vec!["source", "address"]).ok();
        log::line(level, &record.line(address.flatten().as_deref()));
    }

    fn admit_line(&self, now: UnixTime) -> bool {
        self.report_suppressed(now);
        match self.audit_rate.borrow_mut().admit() {
            LineAdmission::Line => true,
            LineAdmission::Suppressed => {
                self.suppressed.add(1);
                false
            }
        }
    }

    /// Reports what an earlier second suppressed.
    pub fn report_suppressed(&self, now: UnixTime) {
        if let Some(n) = self.audit_rate.borrow_mut().take_suppressed(now) {
            let text = format!("{{\"time\":\"{now}\",\"suppressed_audit_lines\":{n}}}");
            log::line(LogLevel::Warn, &text);
        }
    }
}

impl Metric {
    fn define(name: &str) -> Self {
        Metric {
            id: hostcalls::define_metric(MetricType::Counter, name).ok(),
            pending: Cell::new(0),
        }
    }

    fn add(&self, n: u32) {
        self.pending.set(self.pending.get().saturating_add(n));
    }

    fn hand_over(&self) {
        if let (Some(id), pending @ 1..) = (self.id, self.pending.take()) {
            // A lost count is no reason to fail anything.
            let _ = hostcalls::increment_metric(id, pending.into());
        }
    }
}

impl CalloutOutcome {
    /// Of a call that brought nothing.
    pub fn of(fault: CallFault) -> Self {
        match fault {
            CallFault::Timeout => CalloutOutcome::Timeout,
            CallFault::BrokenOff
            | CallFault::NotSent
            | CallFault::Status(_)
            | CallFault::TooLarge => CalloutOutcome::Failed,
        }
    }
}
