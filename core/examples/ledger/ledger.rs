//! A ledger in memory that follows the protocol.

use std::collections::HashMap;

use portcullis_core::json::{self, Object, Value};

/// What it has granted.
#[derive(Default)]
pub struct Ledger {
    accounts: HashMap<(String, i64), Account>,
    /// By the ids of the questions.
    answers: HashMap<String, String>,
    /// All questions and returns that arrived, also those that were said twice.
    pub calls: u64,
}

#[derive(Default)]
struct Account {
    granted: u64,
    by_holder: HashMap<String, u64>,
}

/// Windows further away from the ledger's own are refused.
const TOLERANCE: i64 = 60;

impl Ledger {
    /// The status and the body of the answer. `now` is in seconds.
    pub fn receive(&mut self, body: &[u8], now: i64) -> (u16, String) {
        self.calls += 1;
        let message = json::parse_object(body).expect("a message");
        let id = text(&message, "id");
        if let Some(answer) = self.answers.get(id) {
            return (200, answer.clone());
        }
        let (begin, length) = (number(&message, "window"), number(&message, "length"));
        let (begin, length) = (begin.cast_signed(), length.cast_signed());
        let is_near = begin - TOLERANCE <= now && now < begin + length + TOLERANCE;
        if begin % length != 0 || !is_near {
            return (409, format!(r#"{{"now":{now}}}"#));
        }
        let account = (text(&message, "key").to_owned(), begin);
        let account = self.accounts.entry(account).or_default();
        let of_holder = account.by_holder.entry(text(&message, "holder").to_owned());
        let of_holder = of_holder.or_default();
        let answer = if message.get("return").is_some() {
            let returned = number(&message, "return").min(*of_holder);
            *of_holder -= returned;
            account.granted -= returned;
            format!(r#"{{"returned":{returned}}}"#)
        } else {
            let left = number(&message, "limit").saturating_sub(account.granted);
            let granted = number(&message, "want").min(left);
            *of_holder += granted;
            account.granted += granted;
            format!(r#"{{"granted":{granted},"remaining":{}}}"#, left - granted)
        };
        self.answers.insert(id.to_owned(), answer.clone());
        (200, answer)
    }
}

fn text<'o>(object: &'o Object<'_>, name: &str) -> &'o str {
    object.get(name).and_then(Value::as_str).expect("a text")
}

fn number(object: &Object<'_>, name: &str) -> u64 {
    let number = object.get(name).and_then(Value::as_number);
    number.and_then(json::Number::as_u64).expect("a number")
}
