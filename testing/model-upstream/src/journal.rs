//! What the provider received, and what it answered.

use std::collections::VecDeque;
use std::ops::{AddAssign, SubAssign};
use std::sync::{Mutex, MutexGuard, PoisonError};

use portcullis_testing::printable;
use portcullis_testing::service::Call;
use serde_json::{Value, json};

/// Requests that are kept, and bytes of their bodies: the oldest go first.
const KEPT: usize = 1000;
const KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Tokens that an answer claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// With those that came from a cache.
    pub input: u64,
    /// What was said.
    pub output: u64,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has not.
    UnderWay,
    /// All of it was sent.
    Complete,
    /// The provider broke it off.
    Broken,
    /// The client left before its end.
    Abandoned,
}

/// An answer, as far as it got.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// How many chunks were sent.
    pub chunks: usize,
    /// The last usage that it named in a readable form.
    pub claimed: Option<Claimed>,
    /// How it ended.
    pub end: End,
}

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The first is 1. The answer's id ends with it.
    pub number: u64,
    /// What arrived, byte for byte.
    pub call: Call,
    /// `None` where there is no answer yet, or never one.
    pub answer: Option<Answered>,
}

/// The last requests and the sums.
#[derive(Default)]
pub struct Journal(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    last: VecDeque<Exchange>,
    bytes: usize,
    received: u64,
    claimed: Claimed,
}

impl Journal {
    /// Enters a request; returns its number.
    pub fn enter(&self, call: Call) -> u64 {
        let mut entries = self.lock();
        entries.received += 1;
        let number = entries.received;
        entries.bytes += call.body.len();
        entries.last.push_back(Exchange {
            number,
            call,
            answer: None,
        });
        while entries.last.len() > KEPT || (entries.bytes > KEPT_BYTES && entries.last.len() > 1) {
            let oldest = entries.last.pop_front();
            entries.bytes -= oldest.map_or(0, |oldest| oldest.call.body.len());
        }
        number
    }

    /// An answer begins.
    pub fn begin(&self, number: u64, status: u16) {
        self.lock().with(number, |exchange| {
            exchange.answer = Some(Answered {
                status,
                chunks: 0,
                claimed: None,
                end: End::UnderWay,
            });
        });
    }

    /// A chunk is about to be sent, which may name a usage. `before` is the one that was named before.
    pub fn chunk(&self, number: u64, claimed: Option<Claimed>, before: Option<Claimed>) {
        let mut entries = self.lock();
        if let Some(claimed) = claimed {
            entries.claimed += claimed;
            entries.claimed -= before.unwrap_or_default();
        }
        entries.with_answer(number, |answer| {
            answer.chunks += 1;
            answer.claimed = claimed.or(answer.claimed);
        });
    }

    /// An answer ends.
    pub fn end(&self, number: u64, end: End) {
        self.lock().with_answer(number, |answer| answer.end = end);
    }

    /// The last exchanges, oldest first.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.lock().last.iter().cloned().collect()
    }

    /// How many requests came so far.
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    /// The tokens that all answers claimed so far.
    pub fn claimed(&self) -> Claimed {
        self.lock().claimed
    }

    /// For `GET /requests`.
    pub fn json(&self) -> Value {
        let entries = self.lock();
        json!({
            "requests": entries.last.iter().map(Exchange::json).collect::<Vec<_>>(),
            "received": entries.received,
            "tokens": entries.claimed.json(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn with(&mut self, number: u64, change: impl FnOnce(&mut Exchange)) {
        let found = self.last.iter_mut().rev();
        if let Some(exchange) = found.into_iter().find(|it| it.number == number) {
            change(exchange);
        }
    }

    fn with_answer(&mut self, number: u64, change: impl FnOnce(&mut Answered)) {
        self.with(number, |exchange| {
            if let Some(answer) = &mut exchange.answer {
                change(answer);
            }
        });
    }
}

// === impl Exchange ===

impl Exchange {
    /// The request's body, where it is JSON.
    pub fn body(&self) -> Option<Value> {
        serde_json::from_slice(&self.call.body).ok()
    }

    fn json(&self) -> Value {
        let pair = |(name, value): &(String, Vec<u8>)| json!([name, printable(value)]);
        let pairs = |all: &[(String, Vec<u8>)]| all.iter().map(pair).collect::<Vec<_>>();
        let text = str::from_utf8(&self.call.body);
        json!({
            "number": self.number,
            "method": self.call.method,
            "path": self.call.path,
            "headers": pairs(&self.call.headers),
            "body": text.map_or_else(|_| printable(&self.call.body), str::to_owned),
            "json": self.body(),
            "trailers": pairs(&self.call.trailers),
            "answer": self.answer.as_ref().map(Answered::json),
        })
    }
}

impl Answered {
    fn json(&self) -> Value {
        json!({
            "status": self.status,
            "chunks": self.chunks,
            "tokens": self.claimed.map(Claimed::json),
            "end": match self.end {
                End::UnderWay => "under way",
                End::Complete => "complete",
                End::Broken => "broken",
                End::Abandoned => "abandoned",
            },
        })
    }
}

// === impl Claimed ===

impl Claimed {
    /// Both together.
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    fn json(self) -> Value {
        json!({ "input": self.input, "output": self.output, "total": self.total() })
    }
}

/// Saturating, since a test may have it claim any number.
impl AddAssign for Claimed {
    fn add_assign(&mut self, more: Self) {
        self.input = self.input.saturating_add(more.input);
        self.output = self.output.saturating_add(more.output);
    }
}

impl SubAssign for Claimed {
    fn sub_assign(&mut self, less: Self) {
        self.input = self.input.saturating_sub(less.input);
        self.output = self.output.saturating_sub(less.output);
    }
}
