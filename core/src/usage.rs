//! What a model's answer says that it used, and what that costs a budget.
//!
//! An [`Answer`] follows one answer from its headers to its end, and gives one [`Outcome`]. Its
//! [`UsageReader`] reads the body as it passes, cut anywhere: it holds nothing up, and keeps some hundred bytes
//! however long the answer is. It does not judge JSON: it finds the members that matter and skips the rest. An
//! upstream that lies can say a wrong number, and nothing worse.

mod answer;
mod cost;
mod counts;
mod event_stream;
mod members;
mod number;
mod reader;
mod seek;
mod text;

pub use crate::usage::answer::{Answer, Ending};
pub use crate::usage::cost::{Outcome, cost};
pub use crate::usage::counts::Usage;
pub use crate::usage::reader::{Framing, UsageReader};
