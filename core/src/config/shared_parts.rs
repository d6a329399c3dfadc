//! Parts that stand in several places of a configuration.

use crate::config::declare::{key, object, one_of};
use crate::config::fault::{At, Findings};
use crate::config::reader::{FromValue, ListOf, NonEmpty, Optional};
use crate::json::Value;

/// A claim, by the member names that lead to it.
pub enum ClaimConfig<'v> {
    /// Written as a string: the names, with a dot between any two.
    Dotted(&'v str),
    /// Written as a list: the names literally, so that they may have dots.
    Literal(NonEmpty<&'v str>),
}

object! {
    /// The scopes that a credential must have.
    pub struct ScopesConfig<'v> {
        /// Each of these. Default: none.
        pub all: Optional<ListOf<&'v str>>,
        /// At least one of these. An empty list asks for nothing; default: empty.
        pub any: Optional<ListOf<&'v str>>,
    }
}

one_of! {
    /// The source of a secret.
    pub enum SecretConfig<'v> {
        /// The name of a variable in the VM's environment, which must be set and not empty.
        Env = "env": &'v str,
        /// The secret itself: everyone who can read the configuration can read it.
        DangerInline = "danger_inline": &'v str,
    }
}

// === impl ClaimConfig ===

impl<'v> FromValue<'v> for ClaimConfig<'v> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        match value {
            Value::String(names) => Some(ClaimConfig::Dotted(names)),
            Value::Array(_) => NonEmpty::from_value(value, at, findings).map(ClaimConfig::Literal),
            _ => {
                findings.wrong_type(at, value, "a string or an array of strings");
                None
            }
        }
    }
}
