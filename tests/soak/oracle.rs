//! What may become of a request, by the public contract alone: nothing here is the filter's code.
//!
//! A request is a list of conditions. Each holds for certain, fails for certain, or is open because something
//! that it rests on changed a moment ago. A request that fails a condition for certain must not pass; it may be
//! refused by the code of any condition that fails or is open, and by no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::client::Answer;
use crate::harness::refusal::{self, Challenge};
use crate::history::{Fact, Moment, Trouble, Troubles, Truth, Way, lock, now};

/// By any of these a refusal may be told.
pub type Codes = &'static [&'static str];

/// What an upstream learns about the caller: the value of each identity header, absent where there is none.
pub type Identity = BTreeMap<&'static str, String>;

/// By the default of `forward.headers`.
pub const IDENTITY_HEADERS: [&str; 6] = [
    "x-auth-subject",
    "x-auth-client-id",
    "x-auth-scopes",
    "x-auth-tenant",
    "x-auth-provider",
    "x-auth-key-id",
];

#[derive(Clone)]
pub enum Condition {
    /// Never holds.
    Fails(Codes),
    /// The fact has this value.
    Is(Arc<Fact>, bool, Codes),
    /// Holds until some moment between these two.
    Until(Moment, Moment, Codes),
    /// Something else answers.
    Served(Service),
    /// Depends on which configuration judges.
    Configured(fn(u64) -> Option<&'static str>),
    /// The configuration with one of these numbers judges.
    ConfiguredBy(Vec<u64>, Codes),
}

/// What an answer needs beyond the gateway, and what becomes of requests without it.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub trouble: Trouble,
    pub code: &'static str,
    /// After the trouble has ended, requests may still fail for so long.
    pub recovers_in: Duration,
    /// What the gateway remembers counts for so long; then every request must fail. `None`: for longer than any
    /// trouble here.
    pub remembered_for: Option<Duration>,
    /// What else may keep it from answering, and for how long after.
    pub also: &'static [(Trouble, Duration)],
}

/// Why one answer was wrong.
pub type Wrong = String;

/// How a request ended as it may, and how much else it might have become.
#[derive(Debug, PartialEq, Eq)]
pub struct Right {
    pub outcome: String,
    /// There was no other right answer.
    pub is_only: bool,
    /// Whether it had to pass, or must not, was clear.
    pub is_clear: bool,
}

/// What a request may become.
#[derive(Debug, Default)]
pub struct Allowed {
    pass: bool,
    codes: BTreeSet<&'static str>,
    /// Envoy's own 5xx, for want of a VM.
    bare: bool,
}

#[derive(Clone)]
pub struct Expectation {
    pub conditions: Vec<Condition>,
    /// What the upstream learns, should the request pass.
    pub identity: Identity,
    pub challenge: Challenge,
    /// The longest that the gateway may take for a decision, where nothing is wrong.
    pub limit: Duration,
}

/// When a request was under way, and when Envoy chose the configuration for its connection.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: Moment,
    pub to: Moment,
    pub bound: (Moment, Moment),
}

/// A VM that trapped is back by then: `base_interval` of the backoff is 0.1 s, and Envoy draws up to half as much more.
const RELOAD: Duration = Duration::from_millis(1000);

/// `stream_idle_timeout` of the shipped configuration: what else ends requests that wait in a VM that is lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// What a busy machine may add to any limit.
const NOISE: Duration = Duration::from_secs(3);

#[derive(Default)]
pub struct Oracle {
    pub troubles: Troubles,
    configurations: Mutex<Vec<Configuration>>,
    wrongs: Mutex<Vec<Wrong>>,
}

struct Configuration {
    number: u64,
    begun: Moment,
    taken: Option<Moment>,
}

impl Allowed {
    fn right(&self, outcome: &str) -> Right {
        Right {
            outcome: outcome.to_owned(),
            is_only: !self.bare && usize::from(self.pass) + self.codes.len() == 1,
            is_clear: !self.pass || self.codes.is_empty(),
        }
    }
}

impl Oracle {
    /// Before the first request, and before each update that Envoy has to take.
    pub fn configuration_begins(&self, number: u64) {
        lock(&self.configurations).push(Configuration {
            number,
            begun: now(),
            taken: None,
        });
    }

    pub fn configuration_taken(&self, number: u64) {
        let mut configurations = lock(&self.configurations);
        let taken = configurations.iter_mut().find(|it| it.number == number);
        taken.expect("it has begun").taken = Some(now());
    }

    /// The configurations that may judge a connection that was accepted between two moments. Envoy's main thread has
    /// taken a new one a moment before each worker has.
    fn configurations(&self, (from, to): (Moment, Moment)) -> Vec<u64> {
        const HANDED_OVER: Duration = Duration::from_secs(1);
        let configurations = lock(&self.configurations);
        let next = configurations.iter().skip(1).map(Some).chain([None]);
        let in_force = configurations.iter().zip(next).filter(|(it, next)| {
            let over = next.and_then(|next| {
                let taken = next.taken? + HANDED_OVER;
                Some(taken + self.troubles.stalled(next.begun, taken))
            });
            it.begun <= to && over.is_none_or(|over| over > from)
        });
        in_force.map(|(it, _)| it.number).collect()
    }

    pub fn allowed(&self, expectation: &Expectation, span: Span) -> Allowed {
        let mut allowed = Allowed {
            pass: true,
            codes: BTreeSet::new(),
            bare: self
                .troubles
                .touch(&[Trouble::Trap], span.from, span.to, RELOAD),
        };
        for condition in &expectation.conditions {
            let (truth, codes) = self.truth(condition, span);
            if truth != Truth::Yes {
                allowed.codes.extend(codes);
            }
            if truth == Truth::No {
                allowed.pass = false;
            }
        }
        allowed
    }

    /// Whether a condition holds, and how a refusal is told where it does not.
    fn truth(&self, condition: &Condition, span: Span) -> (Truth, Vec<&'static str>) {
        let Span { from, to, .. } = span;
        match condition {
            Condition::Fails(codes) => (Truth::No, codes.to_vec()),
            Condition::Is(fact, wanted, codes) => {
                let truth = match (fact.truth(&self.troubles, from, to), wanted) {
                    (Truth::Yes, false) => Truth::No,
                    (Truth::No, false) => Truth::Yes,
                    (truth, _) => truth,
                };
                (truth, codes.to_vec())
            }
            Condition::Until(earliest, latest, codes) => {
                let truth = match () {
                    () if to < *earliest => Truth::Yes,
                    () if from > *latest => Truth::No,
                    () => Truth::Perhaps,
                };
                (truth, codes.to_vec())
            }
            Condition::Served(service) => (self.is_served(*service, span), vec![service.code]),
            Condition::Configured(judge) => {
                let of = self.configurations(span.bound);
                let verdicts: Vec<Option<&str>> = of.into_iter().map(judge).collect();
                let refusals: Vec<&str> = verdicts.iter().copied().flatten().collect();
                let truth = match refusals.len() {
                    0 => Truth::Yes,
                    all if all == verdicts.len() => Truth::No,
                    _ => Truth::Perhaps,
                };
                (truth, refusals)
            }
            Condition::ConfiguredBy(numbers, codes) => {
                let of = self.configurations(span.bound);
                let good = of.iter().filter(|number| numbers.contains(number)).count();
                let truth = match good {
                    0 => Truth::No,
                    all if all == of.len() => Truth::Yes,
                    _ => Truth::Perhaps,
                };
                (truth, codes.to_vec())
            }
        }
    }

    fn is_served(&self, service: Service, span: Span) -> Truth {
        let troubles = &self.troubles;
        let must_fail = service.remembered_for.is_some_and(|remembered| {
            troubles.lasts(service.trouble, span.from, span.to, remembered)
        });
        // A machine that stood still lets calls run into their timeouts.
        let recovers_in = service.recovers_in;
        let of = [
            (service.trouble, recovers_in),
            (Trouble::Stall, recovers_in),
        ];
        let mut of = of.iter().chain(service.also);
        let may_fail = of.any(|(of, grace)| troubles.touch(&[*of], span.from, span.to, *grace));
        match (must_fail, may_fail) {
            (true, _) => Truth::No,
            (false, true) => Truth::Perhaps,
            (false, false) => Truth::Yes,
        }
    }

    /// What a report says of the conditions, and of the troubles about that time.
    pub fn explain(&self, expectation: &Expectation, span: Span) -> String {
        let truths = expectation.conditions.iter().map(|it| self.truth(it, span));
        let truths: Vec<String> = truths
            .map(|(truth, codes)| format!("{codes:?}: {truth:?}"))
            .collect();
        format!(
            "holds {}; {}",
            truths.join(", "),
            self.troubles.about(span.from, span.to)
        )
    }

    /// Judges an answer: that it is right, or why it was wrong.
    pub fn judge(
        &self,
        expectation: &Expectation,
        span: Span,
        answer: &Answer,
    ) -> Result<Right, Wrong> {
        let allowed = self.allowed(expectation, span);
        let wrong = |what: &str| Err(format!("{what}; allowed was {allowed:?}"));
        if answer.header("x-echo").is_some() {
            if answer.status != 200 {
                return wrong("the upstream answers 200");
            }
            if !allowed.pass {
                return wrong("it passed");
            }
            return Ok(allowed.right("200"));
        }
        let json = answer.json().unwrap_or_default();
        if let Some(code) = json["code"].as_str() {
            let Some(code) = allowed.codes.iter().find(|it| **it == code) else {
                return wrong(&format!("refused by {code}"));
            };
            if let Err(why) = refusal::check(answer, code, expectation.challenge) {
                return wrong(&format!("the refusal is malformed: {why}"));
            }
            return Ok(allowed.right(code));
        }
        match answer.status {
            // 408 where Envoy still waited for a body.
            408 | 503 | 504 if allowed.bare => {
                Ok(allowed.right(&format!("bare {}", answer.status)))
            }
            status => wrong(&format!("a bare {status}")),
        }
    }

    /// What a request without a service failed by: the first trouble that excuses it.
    pub fn cause(&self, expectation: &Expectation, span: Span, code: &str) -> &'static str {
        let services = expectation.conditions.iter().filter_map(|it| match it {
            Condition::Served(service) if service.code == code => Some(service),
            _ => None,
        });
        let troubles = services.flat_map(|service| {
            let also = service.also.iter().copied();
            let stall = (Trouble::Stall, service.recovers_in);
            let own = (service.trouble, service.recovers_in);
            [own].into_iter().chain(also).chain([stall])
        });
        let mut at_work =
            troubles.filter(|(of, grace)| self.troubles.touch(&[*of], span.from, span.to, *grace));
        // What has no code is Envoy's own.
        at_work.next().map_or(Trouble::Trap, |(of, _)| of).name()
    }

    /// Whether a request may reach the upstream that it has reached.
    pub fn judge_passage(&self, expectation: &Expectation, span: Span) -> Result<(), Wrong> {
        let allowed = self.allowed(expectation, span);
        match allowed.pass {
            true => Ok(()),
            false => Err(format!("it reached the upstream; allowed was {allowed:?}")),
        }
    }

    /// How long a request may take that was under way in that span.
    pub fn limit(&self, expectation: &Expectation, span: Span) -> Duration {
        let trapped = self
            .troubles
            .touch(&[Trouble::Trap], span.from, span.to, RELOAD);
        let lost = if trapped {
            IDLE_TIMEOUT
        } else {
            Duration::ZERO
        };
        expectation.limit + lost + NOISE + self.troubles.stalled(span.from, span.to)
    }

    pub fn report(&self, wrong: Wrong) {
        eprintln!("WRONG {wrong}");
        lock(&self.wrongs).push(wrong);
    }

    pub fn wrongs(&self) -> Vec<Wrong> {
        lock(&self.wrongs).clone()
    }
}

/// A change that the gateway learns by itself.
pub const fn way(lag: Duration, stopped_by: &'static [(Trouble, Duration)]) -> Way {
    Way { lag, stopped_by }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVOKED: Codes = &["TOKEN_REVOKED"];

    fn expectation(conditions: Vec<Condition>) -> Expectation {
        Expectation {
            conditions,
            identity: Identity::new(),
            challenge: Challenge::Bearer,
            limit: Duration::from_secs(1),
        }
    }

    fn span() -> Span {
        let now = now();
        Span {
            from: now,
            to: now,
            bound: (now, now),
        }
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let header = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        Answer {
            status,
            headers: headers.iter().map(header).collect(),
            body: body.into(),
        }
    }

    fn passed() -> Answer {
        answer(200, &[("x-echo", "yes")], "{}")
    }

    fn refused(code: &str) -> Answer {
        let challenge = r#"Bearer realm="r", error="invalid_token", error_description="d""#;
        let headers = [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("www-authenticate", challenge),
        ];
        let body =
            format!(r#"{{"error":"invalid_token","error_description":"d","code":"{code}"}}"#);
        answer(401, &headers, &body)
    }

    #[test]
    fn what_fails_for_certain_must_not_pass() {
        let oracle = Oracle::default();
        let expectation = expectation(vec![Condition::Fails(REVOKED)]);
        let judge = |answer| oracle.judge(&expectation, span(), &answer);
        assert!(judge(passed()).is_err());
        assert!(judge(refused("TOKEN_EXPIRED")).is_err());
        assert!(judge(answer(503, &[], "")).is_err());
        let right = judge(refused("TOKEN_REVOKED")).expect("right");
        assert!(right.is_only && right.is_clear);
        assert!(oracle.judge_passage(&expectation, span()).is_err());
    }

    #[test]
    fn what_holds_for_certain_must_pass() {
        let oracle = Oracle::default();
        let expectation = expectation(vec![Condition::Is(Fact::new(false), false, REVOKED)]);
        let judge = |answer| oracle.judge(&expectation, span(), &answer);
        assert!(judge(passed()).expect("right").is_only);
        assert!(judge(refused("TOKEN_REVOKED")).is_err());
        assert!(oracle.judge_passage(&expectation, span()).is_ok());
    }

    #[test]
    fn what_is_open_may_pass_or_be_refused_for_that_reason_alone() {
        let oracle = Oracle::default();
        let moment = now();
        let open = Condition::Until(moment, moment + NOISE, REVOKED);
        let expectation = expectation(vec![open]);
        let judge = |answer| oracle.judge(&expectation, span(), &answer);
        assert!(!judge(passed()).expect("right").is_clear);
        assert!(judge(refused("TOKEN_REVOKED")).is_ok());
        assert!(judge(refused("TOKEN_EXPIRED")).is_err());
    }

    #[test]
    fn only_a_trap_excuses_a_bare_answer() {
        let oracle = Oracle::default();
        let expectation = expectation(Vec::new());
        let judge = || oracle.judge(&expectation, span(), &answer(503, &[], ""));
        assert!(judge().is_err());
        oracle.troubles.end(oracle.troubles.begin(Trouble::Trap));
        assert!(judge().is_ok());
    }

    #[test]
    fn a_service_that_is_away_may_fail_requests_and_at_last_must() {
        let service = Service {
            trouble: Trouble::AuthorityDown,
            code: "INTROSPECTION_UNAVAILABLE",
            recovers_in: Duration::ZERO,
            remembered_for: Some(Duration::from_secs(3)),
            also: &[],
        };
        let oracle = Oracle::default();
        let is_served = |after: u64| {
            let moment = now() + Duration::from_secs(after);
            let bound = (moment, moment);
            oracle.is_served(
                service,
                Span {
                    from: moment,
                    to: moment,
                    bound,
                },
            )
        };
        assert_eq!(is_served(1), Truth::Yes);
        oracle.troubles.begin(Trouble::AuthorityDown);
        assert_eq!(is_served(1), Truth::Perhaps);
        assert_eq!(is_served(5), Truth::No);
    }

    #[test]
    fn a_connection_keeps_the_configuration_under_which_it_was_accepted() {
        let oracle = Oracle::default();
        oracle.configuration_begins(0);
        oracle.configuration_taken(0);
        let before = now();
        oracle.configuration_begins(1);
        let under_way = now();
        oracle.configuration_taken(1);
        let after = now() + Duration::from_secs(5);
        assert_eq!(oracle.configurations((before, before)), [0]);
        assert_eq!(oracle.configurations((before, under_way)), [0, 1]);
        assert_eq!(oracle.configurations((after, after)), [1]);
    }
}
