//! Why a part of a match is refused.

use std::fmt;

use crate::json::Quoted;
use crate::request::host::HostFault;
use crate::request::path::{PathFault, PathQuirks};

/// Why a part of a match cannot be honoured: what was found, and what is expected instead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvalidMatch {
    /// A value with a comma, of a header whose values Envoy joins with commas.
    HeaderComma {
        /// What was written.
        found: Box<str>,
    },
    /// No value of a header.
    HeaderValue {
        /// What was written.
        found: Box<str>,
    },
    /// No host name.
    Host {
        /// What was written.
        found: Box<str>,
        /// What is wrong with it.
        fault: HostFault,
    },
    /// A wildcard elsewhere than as the first label.
    HostWildcard {
        /// What was written.
        found: Box<str>,
    },
    /// No method.
    Method {
        /// What was written.
        found: Box<str>,
    },
    /// A standard method in another case, which no client sends.
    MethodCase {
        /// What was written.
        found: Box<str>,
        /// The method as clients send it.
        expected: &'static str,
    },
    /// No path.
    Path {
        /// What was written.
        found: Box<str>,
        /// What is wrong with it.
        fault: InvalidPath,
    },
    /// The path has a quirk that its own rule refuses.
    PathQuirks {
        /// Those that the rule would have to allow.
        quirks: PathQuirks,
    },
}

/// What is wrong with a path of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvalidPath {
    /// It could match nothing, as such paths are refused before any rule.
    Ambiguous(PathFault),
    /// `*`, `{` or `}` where they are no more than characters.
    Pattern,
    /// It is no regular expression.
    Regex(regex_lite::Error),
    /// It matches no path that begins with a slash.
    RegexNotAbsolute,
    /// It spells an escape in another way than canonical paths do.
    RegexNotCanonical,
    /// A name is there twice.
    TemplateRepeats,
    /// Segments follow `**`.
    TemplateRest,
    /// A segment has text and wildcards.
    TemplateSegment,
}

// === impl InvalidMatch ===

impl fmt::Display for InvalidMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidMatch::HeaderComma { found } => write!(
                f,
                "{} has a comma, which counts as two headers here: Envoy joins doubled headers of \
                 this name with one",
                Quoted(found)
            ),
            InvalidMatch::HeaderValue { found } => write!(
                f,
                "{}; expected a text without control characters and outer white space",
                Quoted(found)
            ),
            InvalidMatch::Host { found, fault } => write!(
                f,
                "{} has {fault}; expected a host name, `*.` and a domain, or an IPv6 address in \
                 brackets, without port: ports are not compared",
                Quoted(found)
            ),
            InvalidMatch::HostWildcard { found } => write!(
                f,
                "{} has a wildcard; expected one only as the first label: \"*.example.com\"",
                Quoted(found)
            ),
            InvalidMatch::Method { found } => write!(
                f,
                "{}; expected a method, a token of RFC 9110 §5.6.2",
                Quoted(found)
            ),
            InvalidMatch::MethodCase { found, expected } => write!(
                f,
                "{}; expected {}: methods are compared with case",
                Quoted(found),
                Quoted(expected)
            ),
            InvalidMatch::Path { found, fault } => write!(f, "{} {fault}", Quoted(found)),
            InvalidMatch::PathQuirks { quirks } => write!(
                f,
                "a path that matches only with danger_allow_in_path: [{quirks}] on its rule"
            ),
        }
    }
}

// === impl InvalidPath ===

impl fmt::Display for InvalidPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidPath::Ambiguous(fault) => write!(
                f,
                "has {fault}; expected a path that a request could have, without query"
            ),
            InvalidPath::Pattern => f.write_str(
                "has `*`, `{` or `}`, which mean nothing here; expected a plain path, or `template`",
            ),
            InvalidPath::Regex(error) => write!(f, "is no regular expression: {error}"),
            InvalidPath::RegexNotAbsolute => {
                f.write_str("matches no path; expected an expression that begins with `/`")
            }
            InvalidPath::RegexNotCanonical => f.write_str(
                "matches no path as it is spelled; expected unreserved characters as they are \
                 and all others as escapes with upper-case digits",
            ),
            InvalidPath::TemplateRepeats => {
                f.write_str("has one name twice; expected another name for each segment")
            }
            InvalidPath::TemplateRest => {
                f.write_str("has segments after `**`; expected it at the end")
            }
            InvalidPath::TemplateSegment => f.write_str(
                "mixes text and wildcards in one segment; expected `{name}`, `*`, `**` or plain text",
            ),
        }
    }
}
