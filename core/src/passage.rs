//! What becomes of the bodies of a request that passes, and of its answer's.

use std::rc::Rc;

use crate::api::Api;
use crate::budget::reserved::Reservation;
use crate::charging::Charge;
use crate::mcp::list::Listed;
use crate::policy::requirement::Rule;
use crate::verification::Verified;

/// What becomes of a request's body, and of its answer.
#[derive(Debug, Default)]
pub struct Passage {
    /// The body that goes on in place of the client's.
    pub body: Option<Vec<u8>>,
    /// The model that the request names.
    pub model: Option<Box<str>>,
    /// What the answer's usage is read as; `None` where nobody asks for it.
    pub usage: Option<Api>,
    /// What it was charged to, and what holds that much back. Without a reservation, in shadow mode, nothing is held.
    pub charges: Vec<(Charge, Option<Reservation>)>,
    /// What its answer may list, where answers are filtered.
    pub lists: Option<Lists>,
}

/// What a caller may see of a list of an MCP server.
#[derive(Debug)]
pub struct Lists {
    rule: Rc<Rule>,
    caller: Option<Verified>,
    /// What was asked for.
    pub listed: Listed,
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
    pub fn new(rule: Rc<Rule>, caller: Option<Verified>, listed: Listed) -> Self {
        Lists {
            rule,
            caller,
            listed,
        }
    }

    /// Whether the caller could use the tool, prompt or resource of this name, as far as names and scopes decide.
    pub fn shows(&self, listed: Listed, name: &str) -> bool {
        let Some(mcp) = &self.rule.mcp else {
            return false;
        };
        let Some(demands) = mcp.demands_of_listed(listed, name) else {
            return false;
        };
        let Some(demands) = demands else {
            return true;
        };
        match &self.caller {
            Some(caller) => {
                let scopes = &caller.principal().scopes;
                demands
                    .scopes
                    .iter()
                    .all(|required| scopes.satisfies(required))
            }
            // What asks for scopes asks for a credential.
            None => demands.scopes.is_empty(),
        }
    }
}
