//! The questions of a worker that are not answered yet. Each is asked once, and all requests that wait for it
//! get its answer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::verification::callout::{CallFault, Question, Service, Standing};

/// Envoy ends a call at its timeout. A call that it did not end a little later counts as lost.
const GRACE: Duration = Duration::from_millis(250);

/// The calls under way, by their questions and by the host's numbers for them.
#[derive(Debug, Default)]
pub struct InFlight {
    by_question: HashMap<Question, Flight>,
    by_token: HashMap<u32, Question>,
}

#[derive(Debug)]
struct Flight {
    token: u32,
    standing: Standing,
    deadline: Deadline,
}

/// Whether to ask a question now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// Make the call, then tell [`InFlight::started`].
    Ask,
    /// Another request asked it. The answer comes until then.
    Joined(Deadline),
    /// Too many calls of its service are under way.
    NoRoom,
}

impl InFlight {
    /// Whether to ask a question for a token of this standing.
    pub fn admit(&self, question: &Question, standing: Standing) -> Admission {
        if let Some(flight) = self.by_question.get(question) {
            return Admission::Joined(flight.deadline);
        }
        let service = question.service();
        let all = self.count(service, None);
        let of_strangers = self.count(service, Some(Standing::Stranger));
        match question.may_be_asked(standing, all, of_strangers) {
            true => Admission::Ask,
            false => Admission::NoRoom,
        }
    }

    fn count(&self, service: Service, standing: Option<Standing>) -> usize {
        let counts = |(question, flight): &(&Question, &Flight)| {
            question.service() == service && standing.is_none_or(|s| s == flight.standing)
        };
        self.by_question.iter().filter(counts).count()
    }

    /// The call was made; `token` is the host's number for it.
    pub fn started(
        &mut self,
        question: &Question,
        standing: Standing,
        token: u32,
        deadline: Deadline,
    ) {
        self.by_token.insert(token, question.clone());
        let flight = Flight {
            token,
            standing,
            deadline,
        };
        self.by_question.insert(question.clone(), flight);
    }

    /// The question that an answer is for; `None` where the call was none of these.
    pub fn question(&self, token: u32) -> Option<&Question> {
        self.by_token.get(&token)
    }

    /// Ends a call with what came of it.
    pub fn answered<T>(
        &mut self,
        token: u32,
        answer: Result<T, CallFault>,
        now: Instant,
    ) -> Option<(Question, Result<T, CallFault>)> {
        let question = self.by_token.remove(&token)?;
        let flight = self.by_question.remove(&question)?;
        // If the time ends in the middle of a body, Envoy reports a reset.
        let is_late = flight.deadline.has_passed(now);
        let answer = answer.map_err(|fault| match fault {
            CallFault::BrokenOff if is_late => CallFault::Timeout,
            other => other,
        });
        Some((question, answer))
    }

    /// Gives up the calls that the host should have ended by now.
    pub fn take_lost(&mut self, now: Instant) -> Vec<Question> {
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

#[cfg(test)]
mod tests;
