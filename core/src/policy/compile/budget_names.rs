//! The names by which rules choose budgets.

use std::collections::HashMap;
use std::rc::Rc;

use crate::config::fault::{At, alternatives};
use crate::policy::budget::{Budget, BudgetId};

/// Every budget by its name, also those that are faulty.
#[derive(Default)]
pub(super) struct BudgetNames<'v> {
    ids: HashMap<&'v str, BudgetId>,
    entries: Vec<Entry<'v>>,
}

struct Entry<'v> {
    name: &'v str,
    at: At,
    is_used: bool,
    /// `None` where it is faulty.
    budget: Option<Rc<Budget>>,
}

/// How many names a message lists where a rule has an unknown one.
const LISTED_NAMES: usize = 16;

// === impl BudgetNames ===

impl<'v> BudgetNames<'v> {
    /// The id of the next one.
    pub(super) fn next_id(&self) -> BudgetId {
        BudgetId(self.entries.len())
    }

    /// The next one.
    pub(super) fn push(&mut self, name: &'v str, at: At, budget: Option<Rc<Budget>>) {
        self.ids.insert(name, self.next_id());
        self.entries.push(Entry {
            name,
            at,
            is_used: false,
            budget,
        });
    }

    /// The one that a rule names; the inner `None`: it is faulty.
    pub(super) fn choose(&mut self, name: &str) -> Option<Option<Rc<Budget>>> {
        let id = self.ids.get(name)?;
        let entry = self.entries.get_mut(id.0)?;
        entry.is_used = true;
        Some(entry.budget.clone())
    }

    /// Where those stand that no rule names.
    pub(super) fn unused(&self) -> Vec<At> {
        let unused = self.entries.iter().filter(|entry| !entry.is_used);
        unused.map(|entry| entry.at).collect()
    }
}

/// The names that a rule can list.
impl std::fmt::Display for BudgetNames<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.entries.iter().map(|entry| entry.name);
        match self.entries.len() {
            0 => f.write_str("the name of a budget, of which there are none"),
            1..=LISTED_NAMES => f.write_str(&alternatives(names)),
            _ => f.write_str("the name of a budget"),
        }
    }
}
