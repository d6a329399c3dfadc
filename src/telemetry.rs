//! Counters and log lines.

use std::cell::Cell;

use crate::host::{self, LogLevel};
use portcullis_core::cache::Uses;
use portcullis_core::decision::Code;
use portcullis_core::effects::{AuditRecord, Counter};
use portcullis_core::time::UnixTime;
use portcullis_core::verification::callout::Service;

/// Denials that one worker logs in a second, each of some kilobytes at the most: an attacker must
/// not fill the disk.
const LINES_PER_SECOND: u32 = 100;

/// How a callout ended, for the counters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CalloutOutcome {
    Ok,
    Failed,
    Timeout,
    /// A request waited for a call that another one had started.
    Joined,
}

pub struct Telemetry {
    allowed: Metric,
    denied: Vec<Metric>,
    shadow_denied: Vec<Metric>,
    token_hit: Metric,
    token_miss: Metric,
    answer_hit: Metric,
    answer_miss: Metric,
    /// By service, then by outcome.
    callouts: [[Metric; 4]; Service::ALL.len()],
    suppressed_total: Metric,
    second: Cell<i64>,
    lines: Cell<u32>,
    suppressed: Cell<u64>,
}

/// A counter that was defined once, when the configuration was loaded.
#[derive(Clone, Copy)]
struct Metric(Option<u32>);

impl Telemetry {
    pub fn new() -> Self {
        let by_code = |kind: &str| {
            Code::ALL
                .iter()
                .map(|code| {
                    let name = code.name().to_ascii_lowercase();
                    Metric::define(&format!("portcullis.{kind}.{name}"))
                })
                .collect()
        };
        let by_outcome = |service: Service| {
            let service = service.name();
            ["ok", "failed", "timeout", "joined"]
                .map(|outcome| Metric::define(&format!("portcullis.callout.{service}.{outcome}")))
        };
        Telemetry {
            allowed: Metric::define("portcullis.allowed"),
            denied: by_code("denied"),
            shadow_denied: by_code("shadow_denied"),
            token_hit: Metric::define("portcullis.cache.token.hit"),
            token_miss: Metric::define("portcullis.cache.token.miss"),
            answer_hit: Metric::define("portcullis.cache.introspection.hit"),
            answer_miss: Metric::define("portcullis.cache.introspection.miss"),
            callouts: Service::ALL.map(by_outcome),
            suppressed_total: Metric::define("portcullis.audit.suppressed"),
            second: Cell::new(0),
            lines: Cell::new(0),
            suppressed: Cell::new(0),
        }
    }

    pub fn count(&self, counter: Counter) {
        match counter {
            Counter::Allowed => self.allowed.increment(),
            Counter::Denied(code) => increment(&self.denied, code),
            Counter::ShadowDenied(code) => increment(&self.shadow_denied, code),
        }
    }

    pub fn count_tokens(&self, uses: Uses) {
        self.token_hit.add(uses.hits);
        self.token_miss.add(uses.misses);
    }

    pub fn count_answers(&self, uses: Uses) {
        self.answer_hit.add(uses.hits);
        self.answer_miss.add(uses.misses);
    }

    pub fn count_callout(&self, service: Service, outcome: CalloutOutcome) {
        let metrics = self.callouts.get(service as usize);
        if let Some(metric) = metrics.and_then(|metrics| metrics.get(outcome as usize)) {
            metric.increment();
        }
    }

    /// Logs a decision; a denial only where this second has room left. Suppressed lines are not
    /// formatted.
    pub fn audit(&self, record: &AuditRecord<'_>, now: UnixTime) {
        let level = match record.is_denial() {
            true if !self.takes_line(now) => return,
            true => LogLevel::Warn,
            false => LogLevel::Info,
        };
        let address = host::property(b"source\0address").ok();
        host::log(level, &record.line(address.as_deref()));
    }

    fn takes_line(&self, now: UnixTime) -> bool {
        self.report_suppressed(now);
        let lines = self.lines.get().saturating_add(1);
        if lines > LINES_PER_SECOND {
            self.suppressed.set(self.suppressed.get().saturating_add(1));
            self.suppressed_total.increment();
            return false;
        }
        self.lines.set(lines);
        true
    }

    /// With a new second comes new room, and a word on what the last one had none for.
    pub fn report_suppressed(&self, now: UnixTime) {
        if self.second.replace(now.as_secs()) == now.as_secs() {
            return;
        }
        self.lines.set(0);
        match self.suppressed.take() {
            0 => {}
            n => host::log(
                LogLevel::Warn,
                &format!("{{\"time\":\"{now}\",\"suppressed_audit_lines\":{n}}}"),
            ),
        }
    }
}

fn increment(metrics: &[Metric], code: Code) {
    if let Some(metric) = metrics.get(code as usize) {
        metric.increment();
    }
}

impl Metric {
    fn define(name: &str) -> Self {
        Metric(host::define_counter(name).ok())
    }

    fn increment(self) {
        self.add(1);
    }

    fn add(self, n: u32) {
        if let (Some(id), 1..) = (self.0, n) {
            // A lost count is no reason to fail a request.
            let _ = host::increment(id, i64::from(n));
        }
    }
}
