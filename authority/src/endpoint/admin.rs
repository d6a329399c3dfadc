//! The admin port: whoever reaches it is the operator.

pub mod api_keys;
pub mod faults;
pub mod keys;
pub mod revocations;

use serde::de::DeserializeOwned;

use crate::refusal::Refusal;

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(Refusal::InvalidBody)
}
