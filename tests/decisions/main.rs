//! The whole core on tables: a configuration as text and a request as headers go in, an answer
//! and the headers for the upstream come out. No host, no clock, no network.

/// Makes a native test of each topic.
macro_rules! judged {
    ($($topic:ident),+ $(,)?) => {
        mod judged {
            $(#[test] fn $topic() { crate::harness::hold(super::$topic) })+
        }
    };
}

mod harness;
mod tables;

mod always;
mod answers;
mod api_keys;
mod catalogue;
mod clock;
mod codes;
mod confirmation;
mod dpop;
mod forwarded;
mod identity;
mod libraries;
mod mcp;
mod opaque;
mod proofs;
mod providers;
mod record;
mod remote_keys;
mod resources;
mod revocation;
mod shadow;
mod signatures;
mod sources;
mod status_lists;
mod statuses;
