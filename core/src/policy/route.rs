//! Which rule a request meets: the first one that matches, without walking them all.

pub mod path;
mod tree;

use std::collections::BTreeMap;
use std::fmt;

use crate::json::Quoted;
use crate::limits::REGEX_PATH_BYTES;
use crate::policy::route::path::{InvalidPath, PathMatch};
use crate::policy::route::tree::{Search, Tree};
use crate::request::host::{Host, HostFault};
use crate::request::path::PathQuirks;
use crate::request::{RequestTarget, is_token};

/// The `match` of one rule; a part that is not there matches everything.
#[derive(Debug)]
pub struct Match {
    path: Option<PathMatch>,
    /// Empty: every method.
    methods: Vec<Method>,
    /// Empty: every host.
    hosts: Vec<HostPattern>,
    allowed: PathQuirks,
}

/// Compared with case (RFC 9110 §9.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Method(Box<str>);

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HostPattern {
    /// `*`
    Any,
    Exactly(Box<str>),
    /// `*.example.com`: any depth below it, but not the domain itself.
    Below(Box<str>),
}

/// Why a part of a match cannot be honoured: what was found, and what is expected instead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InvalidMatch {
    Host {
        found: Box<str>,
        fault: HostFault,
    },
    HostWildcard {
        found: Box<str>,
    },
    Method {
        found: Box<str>,
    },
    MethodCase {
        found: Box<str>,
        expected: &'static str,
    },
    Path {
        found: Box<str>,
        fault: InvalidPath,
    },
    /// The path has what its own rule refuses.
    PathOddity {
        oddities: PathQuirks,
    },
}

/// Why a request cannot be matched to any rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unroutable {
    /// The path has what its rule does not allow.
    AmbiguousPath,
    /// A regular expression would have to be tried on it.
    PathTooLong,
}

/// All matches in an index: by host, then by the segments of the path.
#[derive(Debug, Default)]
pub struct Routes {
    conditions: Vec<Conditions>,
    every_host: Tree,
    hosts: BTreeMap<Box<str>, Tree>,
    domains: BTreeMap<Box<str>, Tree>,
}

/// What is left to ask of a rule that the index leads to.
#[derive(Debug)]
struct Conditions {
    methods: Vec<Method>,
    allowed: PathQuirks,
    regex: Option<path::Regex>,
}

// === impl Match ===

impl Match {
    pub fn new(
        path: Option<PathMatch>,
        methods: Vec<Method>,
        hosts: Vec<HostPattern>,
        allowed: PathQuirks,
    ) -> Result<Self, InvalidMatch> {
        let oddities = path.as_ref().map_or(PathQuirks::NONE, PathMatch::oddities);
        if !oddities.is_within(allowed) {
            return Err(InvalidMatch::PathOddity { oddities });
        }
        Ok(Match {
            path,
            methods,
            hosts,
            allowed,
        })
    }
}

// === impl Method ===

impl Method {
    /// The standard ones (RFC 9110 §9.1, RFC 5789).
    const KNOWN: [&str; 9] = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];

    pub fn parse(text: &str) -> Result<Self, InvalidMatch> {
        if !is_token(text.as_bytes()) {
            return Err(InvalidMatch::Method { found: text.into() });
        }
        // `post` is another method than POST and nobody sends it: a rule that never matches.
        let known = |method: &&&str| text.eq_ignore_ascii_case(method) && text != **method;
        match Method::KNOWN.iter().find(known) {
            Some(expected) => Err(InvalidMatch::MethodCase {
                found: text.into(),
                expected,
            }),
            None => Ok(Method(text.into())),
        }
    }
}

// === impl HostPattern ===

impl HostPattern {
    pub fn parse(text: &str) -> Result<Self, InvalidMatch> {
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        if name.contains('*') || (below && name.starts_with('[')) {
            return Err(InvalidMatch::HostWildcard { found: text.into() });
        }
        let host = Host::configured(name).map_err(|fault| InvalidMatch::Host {
            found: text.into(),
            fault,
        })?;
        let host = host.as_str().into();
        Ok(match below {
            true => HostPattern::Below(host),
            false => HostPattern::Exactly(host),
        })
    }
}

// === impl Routes ===

impl Routes {
    pub fn compile(matches: Vec<Match>) -> Self {
        let mut routes = Routes::default();
        for (rule, matching) in matches.into_iter().enumerate() {
            let Match {
                path,
                methods,
                hosts,
                allowed,
            } = matching;
            let path = path.unwrap_or_default();
            if hosts.is_empty() {
                routes.every_host.insert(rule, &path);
            }
            for host in hosts {
                let tree = match host {
                    HostPattern::Any => &mut routes.every_host,
                    HostPattern::Exactly(name) => routes.hosts.entry(name).or_default(),
                    HostPattern::Below(domain) => routes.domains.entry(domain).or_default(),
                };
                tree.insert(rule, &path);
            }
            routes.conditions.push(Conditions {
                methods,
                allowed,
                regex: path.into_regex(),
            });
        }
        routes
    }

    /// The index of the first rule that matches. Where the path has something that this rule does
    /// not allow, or that no rule is there to allow, there is no answer but a refusal: neither a
    /// later rule nor what is said about unmatched requests is meant for it.
    pub fn find(&self, target: &RequestTarget<'_>) -> Result<Option<usize>, Unroutable> {
        let holds = |rule: usize| {
            self.conditions
                .get(rule)
                .is_some_and(|c| c.takes(target.method()))
        };
        let mut search = Search::new(target.path(), holds);
        search.visit(&self.every_host);
        if let Some(tree) = self.hosts.get(target.host()) {
            search.visit(tree);
        }
        if !self.domains.is_empty() {
            let mut name = target.host();
            while let Some((_, domain)) = name.split_once('.') {
                if let Some(tree) = self.domains.get(domain) {
                    search.visit(tree);
                }
                name = domain;
            }
        }
        let found = search.finish(|rule| {
            if target.path().len() > REGEX_PATH_BYTES {
                return Err(Unroutable::PathTooLong);
            }
            let regex = self.conditions.get(rule).and_then(|c| c.regex.as_ref());
            Ok(regex.is_some_and(|regex| regex.is_match(target.path())))
        })?;
        let conditions = found.and_then(|rule| self.conditions.get(rule));
        let allowed = conditions.map_or(PathQuirks::NONE, |c| c.allowed);
        match target.oddities().is_within(allowed) {
            true => Ok(found),
            false => Err(Unroutable::AmbiguousPath),
        }
    }
}

// === impl Conditions ===

impl Conditions {
    fn takes(&self, method: &[u8]) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|m| m.0.as_bytes() == method)
    }
}

// === impl InvalidMatch ===

impl fmt::Display for InvalidMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
            InvalidMatch::PathOddity { oddities } => write!(
                f,
                "a path that matches only with danger_allow_in_path: [{oddities}] on its rule"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
