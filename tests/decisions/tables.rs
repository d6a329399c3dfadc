//! The tables that two backends judge: the core natively (`tests/decisions`), and the module in a real Envoy
//! (`tests/envoy/decisions.rs`). Both compile these files, each with its own clock: one that stands still, and the
//! machine's.
//!
//! A topic is a function that fills in tables; `judged!` lists the topics of a file, and each backend makes tests of
//! them.

mod algorithms;
mod ask;
mod attacks;
mod cookies;
pub mod credentials;
mod header_conditions;
mod key_choice;
mod mcp;
mod rules;
mod step_up;
mod tenants;
mod tokens;

pub use ask::{Ask, get, preflight};
use serde_json::Value;

use crate::harness::IS_NATIVE;

/// What a row expects where the request reaches the upstream.
pub const PASSES: &str = "passes";

/// One policy, and what becomes of requests under it.
pub struct Table {
    pub policy: Value,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub what: String,
    pub ask: Ask,
    /// `PASSES`, or the code of the refusal.
    pub expected: &'static str,
}

/// Rows as a topic writes them down.
#[derive(Default)]
pub struct Rows(Vec<Row>);

impl Rows {
    pub fn passes(&mut self, what: &str, ask: Ask) {
        self.add(what, ask, PASSES);
    }

    pub fn refuses(&mut self, what: &str, ask: Ask, code: &'static str) {
        self.add(what, ask, code);
    }

    fn add(&mut self, what: &str, ask: Ask, expected: &'static str) {
        let what = what.to_owned();
        self.0.push(Row {
            what,
            ask,
            expected,
        });
    }
}

/// The tables of a topic.
#[derive(Default)]
pub struct Tables(Vec<Table>);

impl Tables {
    pub fn of(topic: fn(&mut Tables)) -> Vec<Table> {
        let mut tables = Tables::default();
        topic(&mut tables);
        tables.0
    }

    pub fn judge(&mut self, policy: Value, rows: &[(&str, Ask, &'static str)]) {
        self.table(policy, |table| {
            for (what, ask, expected) in rows {
                table.add(what, ask.clone(), expected);
            }
        });
    }

    pub fn table(&mut self, policy: Value, fill: impl FnOnce(&mut Rows)) {
        let mut rows = Rows::default();
        fill(&mut rows);
        let rows = rows.0;
        self.0.push(Table { policy, rows });
    }

    /// For rows that differ on Envoy: a second makes the difference, or Envoy changes or answers the request before the
    /// filter sees it.
    pub fn judge_natively(&mut self, policy: Value, rows: &[(&str, Ask, &'static str)]) {
        if IS_NATIVE {
            self.judge(policy, rows);
        }
    }
}
