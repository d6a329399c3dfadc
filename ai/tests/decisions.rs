//! What bodies decide, judged by the core alone.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "decisions/harness.rs"]
mod harness;

#[path = "decisions/budgets.rs"]
mod budgets;
#[path = "decisions/models.rs"]
mod models;
#[path = "decisions/order.rs"]
mod order;
#[path = "decisions/prompts.rs"]
mod prompts;
