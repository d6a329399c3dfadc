//! Messages of the Model Context Protocol.

pub mod message;
pub mod uri;

pub use crate::mcp::message::{HEADERS, Message, Unreadable, VERSION};
