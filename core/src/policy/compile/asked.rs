//! What a rule asks of those who call it, while it is compiled.

use crate::config::fault::At;

/// Where a rule asks something of those who call it, and whether only a token can have it.
pub(super) type Asked = Vec<(At, OnlyTokens)>;

/// Whether only a token can have what is asked.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum OnlyTokens {
    No,
    Yes,
}
