//! Messages of the Model Context Protocol.

#[cfg(feature = "ai")]
pub mod body;
#[cfg(feature = "ai")]
mod event;
#[cfg(feature = "ai")]
pub mod list;
pub mod message;
pub mod uri;

pub use crate::mcp::message::{HEADERS, Message, Unreadable, VERSION};
