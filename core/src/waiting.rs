//! The requests of a worker that wait for a reply, and those whose reply is there.

use std::collections::BTreeMap;
use std::time::Instant;

#[cfg(feature = "ai")]
use crate::budget::caller::CallerId;
use crate::deadline::Deadline;
use crate::evaluation::Waiting;
#[cfg(feature = "ai")]
use crate::policy::budget::BudgetId;
#[cfg(feature = "ai")]
use crate::verification::callout::BodyArrival;
use crate::verification::callout::{Fetch, Question, Reply};
use crate::verification::source::SourceId;

/// What a request waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Awaited {
    /// The answer to a question about its credential.
    Answer(Question),
    /// A document that all requests share.
    Document(SourceId),
    /// Its body.
    #[cfg(feature = "ai")]
    Body,
    /// A grant of a ledger to a budget's caller.
    #[cfg(feature = "ai")]
    Lease(BudgetId, CallerId),
}

/// Paused requests, by the host's numbers for their streams.
#[derive(Debug, Default)]
pub struct WaitingRequests {
    paused: BTreeMap<u32, Paused>,
    ready: BTreeMap<u32, (Waiting, Reply)>,
}

#[derive(Debug)]
struct Paused {
    waiting: Waiting,
    awaited: Awaited,
    deadline: Deadline,
}

impl WaitingRequests {
    /// A request waits, at the longest until `deadline`.
    pub fn pause(&mut self, stream: u32, waiting: Waiting, awaited: Awaited, deadline: Deadline) {
        let paused = Paused {
            waiting,
            awaited,
            deadline,
        };
        self.paused.insert(stream, paused);
    }

    /// Whether a request waits for this document.
    pub fn is_awaited(&self, source: SourceId) -> bool {
        let awaited = Awaited::Document(source);
        self.paused.values().any(|paused| paused.awaited == awaited)
    }

    /// Whether this stream is paused, with its reply there or not.
    pub fn holds(&self, stream: u32) -> bool {
        self.paused.contains_key(&stream) || self.ready.contains_key(&stream)
    }

    /// Whether a request waits for a reply.
    pub fn is_anybody_paused(&self) -> bool {
        // A body needs no tick to arrive.
        #[cfg(feature = "ai")]
        return self.paused.values().any(|p| p.awaited != Awaited::Body);
        #[cfg(not(feature = "ai"))]
        !self.paused.is_empty()
    }

    /// The request of this stream, where it waits for its body.
    #[cfg(feature = "ai")]
    pub fn take_awaiting_body(&mut self, stream: u32) -> Option<Waiting> {
        let paused = self.paused.get(&stream)?;
        let awaits_body = paused.awaited == Awaited::Body;
        let paused = awaits_body.then(|| self.paused.remove(&stream))?;
        Some(paused?.waiting)
    }

    /// Whether a request could go on.
    pub fn is_anybody_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The reply to all who asked this question.
    pub fn answer(&mut self, question: &Question, reply: &Reply) {
        self.wake(|paused| match &paused.awaited {
            Awaited::Answer(asked) if asked == question => Some(reply.clone()),
            Awaited::Answer(_) | Awaited::Document(_) => None,
            #[cfg(feature = "ai")]
            Awaited::Body | Awaited::Lease(..) => None,
        });
    }

    /// What came of the fetch, for all who wait for this document.
    pub fn fetched(&mut self, source: SourceId, fetch: Fetch) {
        let awaited = Awaited::Document(source);
        self.wake(|paused| (paused.awaited == awaited).then_some(Reply::Source(source, fetch)));
    }

    /// A ledger has answered, or not, for all who wait for this grant.
    #[cfg(feature = "ai")]
    pub fn leased(&mut self, budget: BudgetId, caller: CallerId, is_answered: bool) {
        let awaited = Awaited::Lease(budget, caller);
        self.wake(|paused| (paused.awaited == awaited).then_some(Reply::Leased(is_answered)));
    }

    /// Ends the waits whose time is up. A call's own timeout comes first; what it ends in is the
    /// better reply.
    pub fn expire(&mut self, now: Instant) {
        self.wake(|paused| {
            let is_late = paused.deadline.has_passed(now);
            is_late.then(|| match &paused.awaited {
                Awaited::Answer(question) => question.unanswered(),
                Awaited::Document(source) => Reply::Source(*source, Fetch::FAILED),
                #[cfg(feature = "ai")]
                Awaited::Body => Reply::Body(BodyArrival::Late),
                #[cfg(feature = "ai")]
                Awaited::Lease(..) => Reply::Leased(false),
            })
        });
    }

    fn wake(&mut self, reply: impl Fn(&Paused) -> Option<Reply>) {
        let woken: Vec<(u32, Reply)> = self
            .paused
            .iter()
            .filter_map(|(stream, paused)| Some((*stream, reply(paused)?)))
            .collect();
        for (stream, reply) in woken {
            if let Some(paused) = self.paused.remove(&stream) {
                self.ready.insert(stream, (paused.waiting, reply));
            }
        }
    }

    /// The next request that can go on, in the order of their streams.
    pub fn take_ready(&mut self) -> Option<(u32, Waiting, Reply)> {
        let (stream, (waiting, reply)) = self.ready.pop_first()?;
        Some((stream, waiting, reply))
    }

    /// The stream is gone, and this request with it, if it still waited.
    pub fn forget(&mut self, stream: u32) -> Option<Waiting> {
        let paused = self.paused.remove(&stream).map(|paused| paused.waiting);
        paused.or(self.ready.remove(&stream).map(|(waiting, _)| waiting))
    }
}

#[cfg(test)]
mod tests;
