//! What is said to a ledger, and what it answers.

use crate::budget::account::Question;
use crate::budget::window::Window;
use crate::json::{self, Number, Quoted, Value};
use crate::limits::BUDGET_AMOUNT;

/// What all messages about one caller of a budget say.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// The process that asks.
    pub holder: u128,
    /// The budget's name.
    pub budget: &'s str,
    /// What the ledger calls the caller.
    pub key: &'s str,
    /// In which window.
    pub window: Window,
}

/// What a ledger has granted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Grant {
    /// How much; at most what was asked for.
    pub granted: u64,
    /// What it can still grant to anybody, if it says so.
    pub remaining: Option<u64>,
}

// === impl Subject ===

impl Subject<'_> {
    /// Asks for a grant.
    pub fn ask(&self, question: &Question) -> Vec<u8> {
        let Question { id, want, limit } = question;
        self.message(*id, &format!(r#""limit":{limit},"want":{want}"#))
    }

    /// Gives back what is not needed. `id` is drawn at random.
    pub fn give_back(&self, id: u128, amount: u64) -> Vec<u8> {
        self.message(id, &format!(r#""return":{amount}"#))
    }

    fn message(&self, id: u128, what: &str) -> Vec<u8> {
        let Subject {
            holder,
            budget,
            key,
            window,
        } = self;
        let (budget, key) = (Quoted(budget), Quoted(key));
        let (begin, length) = (window.begin(), window.length());
        let message = format!(
            r#"{{"id":"{id:032x}","holder":"{holder:032x}","budget":{budget},"key":{key},"window":{begin},"length":{length},{what}}}"#
        );
        message.into_bytes()
    }
}

// === impl Grant ===

impl Grant {
    /// Reads the answer to a question that asked for `want`. `None` where it is no answer.
    pub fn read(answer: &[u8], want: u64) -> Option<Grant> {
        let answer = json::parse_object(answer).ok()?;
        let granted = answer.get("granted").and_then(whole)?;
        (granted <= want).then(|| Grant {
            granted,
            remaining: answer.get("remaining").and_then(whole),
        })
    }
}

/// A whole number from 0 to 2^53, however it is written.
fn whole(value: &Value<'_>) -> Option<u64> {
    let number: &Number = value.as_number()?;
    let whole = number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        let is_whole = number.fract() == 0.0 && (0.0..=BUDGET_AMOUNT as f64).contains(&number);
        is_whole.then_some(number as u64)
    });
    whole.filter(|whole| *whole <= BUDGET_AMOUNT)
}

#[cfg(test)]
mod tests;
