//! Why a body is refused.

/// The body is not an object that says in one way only what it asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MalformedBody;
