//! Questions that this worker has asked, each of them once.

use std::collections::HashMap;
use std::time::Duration;

use crate::call;
use crate::deadline::Deadline;
use crate::host;
use crate::telemetry::CalloutOutcome;
use portcullis_core::verification::callout::{Call, CallFault, Question, Service, Standing};

/// Envoy ends a call at its timeout; one that it did not end a little later counts as lost.
const GRACE: Duration = Duration::from_millis(250);

#[derive(Default)]
pub struct Flights {
    by_question: HashMap<Question, Flight>,
    /// Envoy's numbers for the calls.
    by_token: HashMap<u32, Question>,
}

struct Flight {
    token: u32,
    standing: Standing,
    deadline: Deadline,
}

/// Whether a question is on its way.
pub enum Asked {
    /// Its answer comes until then.
    Started(Deadline),
    /// Another request asked it, and the answer is for both.
    Joined(Deadline),
    /// It cannot be asked now.
    NotSent,
}

// === impl Flights ===

impl Flights {
    pub fn ask(&mut self, question: &Question, call: &Call) -> Asked {
        if let Some(flight) = self.by_question.get(question) {
            return Asked::Joined(flight.deadline);
        }
        let service = question.service();
        let (under_way, of_strangers) = (
            self.count(service, None),
            self.count(service, Some(Standing::Stranger)),
        );
        if !question.may_be_asked(call.standing, under_way, of_strangers) {
            return Asked::NotSent;
        }
        let Ok(token) = call::send(call) else {
            return Asked::NotSent;
        };
        let flight = Flight {
            token,
            standing: call.standing,
            deadline: Deadline::after(call.endpoint.timeout),
        };
        let deadline = flight.deadline;
        self.by_token.insert(token, question.clone());
        self.by_question.insert(question.clone(), flight);
        Asked::Started(deadline)
    }

    fn count(&self, service: Service, standing: Option<Standing>) -> usize {
        let counts = |(question, flight): &(&Question, &Flight)| {
            question.service() == service && standing.is_none_or(|s| s == flight.standing)
        };
        self.by_question.iter().filter(counts).count()
    }

    /// The question that an answer is for, and the answer.
    pub fn receive(
        &mut self,
        token: u32,
        has_headers: bool,
    ) -> Option<(Question, Result<Vec<u8>, CallFault>)> {
        let question = self.by_token.remove(&token)?;
        let flight = self.by_question.remove(&question)?;
        let answer = call::receive(has_headers, question.limits().bytes);
        // An answer whose time is up in the middle of its body just ends.
        let is_late = flight.deadline.has_passed(host::instant());
        let answer = answer.map_err(|fault| match fault {
            CallFault::BrokenOff if is_late => CallFault::Timeout,
            other => other,
        });
        Some((question, answer))
    }

    /// Gives up what Envoy should have ended.
    pub fn take_lost(&mut self) -> Vec<Question> {
        let now = host::instant();
        let is_lost = |flight: &Flight| flight.deadline.later(GRACE).has_passed(now);
        let lost: Vec<Question> = self
            .by_question
            .iter()
            .filter(|(_, flight)| is_lost(flight))
            .map(|(question, _)| question.clone())
            .collect();
        for question in &lost {
            if let Some(flight) = self.by_question.remove(question) {
                self.by_token.remove(&flight.token);
            }
        }
        lost
    }
}

// === impl CalloutOutcome ===

impl CalloutOutcome {
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
