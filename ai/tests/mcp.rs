//! Messages of MCP whose bodies are read, and lists in their answers. What rests on headers is decided by both modules:
//! the tables of the other one's tests are judged once more with this one's code.

/// Makes a native test of each topic.
macro_rules! judged {
    ($($topic:ident),+ $(,)?) => {
        mod judged {
            $(#[test] fn $topic() { crate::harness::hold(super::$topic) })+
        }
    };
}

#[allow(dead_code, unused_imports)]
#[path = "../../tests/decisions"]
mod shared {
    pub mod harness;
    pub mod tables;
}

mod mcp {
    mod bodies;
    mod lists;
}

use shared::{harness, tables};
