//! What becomes of the bodies of a request that passes, and of its answer's.

use std::rc::Rc;

use crate::api::Api;
use crate::budget::reserved::Reservation;
use crate::charging::Charge;
use crate::mcp::Message;
use crate::mcp::list::{ListFilter, UnreadableList};
use crate::policy::requirement::Rule;
use crate::verification::Verified;

/// What becomes of a request's body, and of its answer.
#[derive(Debug, Default)]
pub struct Passage {
    /// The body that goes on in place of the client's.
    pub body: Option<Vec<u8>>,
    /// The model that the request names.
    pub model: Option<Box<str>>,
    /// The tools that it calls, where only its body says it.
    pub tools: Option<Box<str>>,
    /// What the answer's usage is read as; `None` where nobody asks for it.
    pub usage: Option<Api>,
    /// What it was charged to, and what holds that much back. Without a reservation, in shadow mode, nothing is held.
    pub charges: Vec<(Charge, Option<Reservation>)>,
    /// What its answer may list, where answers are filtered.
    pub lists: Option<Lists>,
}

/// What a caller may see of the lists in one answer of an MCP server.
#[derive(Debug)]
pub struct Lists {
    rule: Rc<Rule>,
    caller: Option<Verified>,
    filter: ListFilter,
}

// === impl Passage ===

impl Passage {
    /// Whether the answer has to be followed to its end.
    pub fn is_followed(&self) -> bool {
        self.usage.is_some() || self.lists.is_some() || !self.charges.is_empty()
    }
}

// === impl Lists ===

impl Lists {
    /// What the caller of a rule with `mcp` may see.
    pub fn new(rule: &Rc<Rule>, caller: Option<&Verified>, filter: ListFilter) -> Self {
        Lists {
            rule: Rc::clone(rule),
            caller: caller.cloned(),
            filter,
        }
    }

    /// A whole answer that is JSON, without what the caller may not use; `None` where that is nothing.
    pub fn json(&self, body: &[u8]) -> Result<Option<Vec<u8>>, UnreadableList> {
        let Lists {
            rule,
            caller,
            filter,
        } = self;
        filter.json(body, &mut |message| may_use(rule, caller.as_ref(), message))
    }

    /// What may pass now of an answer that is a stream of events.
    pub fn events(&mut self, chunk: &[u8], end: bool) -> Vec<u8> {
        let Lists {
            rule,
            caller,
            filter,
        } = self;
        filter.events(chunk, end, &mut |message| {
            may_use(rule, caller.as_ref(), message)
        })
    }
}

/// Whether the caller could send this message, as far as names and scopes decide.
fn may_use(rule: &Rule, caller: Option<&Verified>, message: &Message<'_>) -> bool {
    let demands = rule.mcp.as_ref().map(|mcp| mcp.demands_of(message));
    let Some(Ok(demands)) = demands else {
        return false;
    };
    let Some(demands) = demands else {
        return true;
    };
    let mut scopes = demands.scopes.iter();
    match caller {
        Some(caller) => scopes.all(|required| caller.principal().scopes.satisfies(required)),
        // What asks for scopes asks for a credential.
        None => scopes.len() == 0,
    }
}
