//! Which rule a request meets: the first one that matches, without walking them all.

pub mod header;
pub mod invalid_match;
pub mod path;
mod tree;

use std::collections::BTreeMap;

use crate::limits::REGEX_PATH_BYTES;
use crate::policy::route::header::HeaderMatch;
use crate::policy::route::path::PathMatch;
use crate::policy::route::tree::{Search, Tree};
use crate::request::host::Host;
use crate::request::path::PathQuirks;
use crate::request::{RequestTarget, is_token};

pub use crate::policy::route::invalid_match::InvalidMatch;

/// The `match` of one rule; a part that is not there matches everything.
#[derive(Debug)]
pub struct Match {
    path: Option<PathMatch>,
    /// Empty: every method.
    methods: Vec<Method>,
    /// Empty: every host.
    hosts: Vec<HostPattern>,
    /// All of them must hold.
    headers: Vec<HeaderMatch>,
    allowed: PathQuirks,
}

/// A request method, compared with case (RFC 9110 §9.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Method(Box<str>);

/// The hosts that a rule is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HostPattern {
    /// `*`
    Any,
    /// This host alone.
    Exactly(Box<str>),
    /// `*.example.com`: any depth below it, but not the domain itself.
    Below(Box<str>),
}

/// Why a request cannot be matched to any rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unroutable {
    /// The path has what its rule does not allow.
    AmbiguousPath,
    /// A regular expression would have to be tried on it.
    PathTooLong,
}

/// All matches in an index, by host and then by the segments of the path, and what each leads to.
#[derive(Debug)]
pub struct Routes<T> {
    /// In the order in which they were written: their numbers are their indices.
    routes: Vec<Route<T>>,
    every_host: Tree,
    hosts: BTreeMap<Box<str>, Tree>,
    domains: BTreeMap<Box<str>, Tree>,
}

/// What is left to ask where the index leads to a match, and what the match leads to.
#[derive(Debug)]
struct Route<T> {
    methods: Vec<Method>,
    headers: Vec<HeaderMatch>,
    allowed: PathQuirks,
    regex: Option<path::Regex>,
    to: T,
}

// === impl Match ===

impl Match {
    /// Refuses a path that its own rule would never let match.
    pub fn new(
        path: Option<PathMatch>,
        methods: Vec<Method>,
        hosts: Vec<HostPattern>,
        headers: Vec<HeaderMatch>,
        allowed: PathQuirks,
    ) -> Result<Self, InvalidMatch> {
        let quirks = path.as_ref().map_or(PathQuirks::NONE, PathMatch::quirks);
        if !quirks.is_within(allowed) {
            return Err(InvalidMatch::PathQuirks { quirks });
        }
        Ok(Match {
            path,
            methods,
            hosts,
            headers,
            allowed,
        })
    }

    /// Whether it has conditions on headers.
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// The segment that a name in the path's template stands for, counted from 0.
    pub fn variable(&self, name: &str) -> Option<usize> {
        self.path.as_ref().and_then(|path| path.variable(name))
    }

    /// Whether requests can get around this match by leaving out a header and meet `other`. Where it cannot
    /// tell, it says yes.
    pub fn is_evaded_to(&self, other: &Match) -> bool {
        let is_asked_for = |header: &HeaderMatch| {
            let name = header.name().as_str().as_bytes();
            other.headers.iter().any(|h| h.name().is(name))
        };
        let meet_hosts = |a: &HostPattern| other.hosts.iter().any(|b| a.covers(b) || b.covers(a));
        !self.headers.iter().all(is_asked_for)
            && self.paths_may_meet(other)
            && (self.methods.is_empty()
                || other.methods.is_empty()
                || self.methods.iter().any(|m| other.methods.contains(m)))
            && (self.hosts.is_empty()
                || other.hosts.is_empty()
                || self.hosts.iter().any(meet_hosts))
    }

    /// Whether it takes every request that `other` would take without conditions on headers. Where it cannot
    /// tell, it says no.
    pub fn covers(&self, other: &Match) -> bool {
        let covers_path = match (&self.path, &other.path) {
            (None, _) => true,
            (Some(path), Some(other)) => path.covers(other),
            (Some(path), None) => path.covers(&PathMatch::default()),
        };
        let covered = |b: &HostPattern| self.hosts.iter().any(|a| a.covers(b));
        covers_path
            && self.headers.is_empty()
            && (self.methods.is_empty()
                || (!other.methods.is_empty()
                    && other.methods.iter().all(|m| self.methods.contains(m))))
            && (self.hosts.is_empty()
                || self.hosts.contains(&HostPattern::Any)
                || (!other.hosts.is_empty() && other.hosts.iter().all(covered)))
    }

    fn paths_may_meet(&self, other: &Match) -> bool {
        match (&self.path, &other.path) {
            (Some(path), Some(other)) => path.may_meet(other),
            _ => true,
        }
    }
}

impl Match {
    /// The path that every path it matches lies at or below, as far as it is literal; `None` for a
    /// regular expression.
    pub fn leading_path(&self) -> Option<String> {
        match &self.path {
            None => Some("/".into()),
            Some(path) => path.leading_path(),
        }
    }

    /// Whether it can match a request for this host, which is in lower case.
    pub fn may_be_for(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host))
    }
}

// === impl Method ===

impl Method {
    /// The standard ones (RFC 9110 §9.1, RFC 5789).
    const KNOWN: [&str; 9] = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];

    /// Reads a method as it is configured.
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
    /// Reads a host as it is configured.
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

    fn matches(&self, host: &str) -> bool {
        match self {
            HostPattern::Any => true,
            HostPattern::Exactly(name) => &**name == host,
            HostPattern::Below(domain) => {
                let label = host.strip_suffix(&**domain);
                label.is_some_and(|label| label.ends_with('.'))
            }
        }
    }
}

impl HostPattern {
    fn covers(&self, other: &HostPattern) -> bool {
        match (self, other) {
            (_, HostPattern::Exactly(name)) => self.matches(name),
            (HostPattern::Any, _) => true,
            (HostPattern::Below(_), HostPattern::Below(domain)) => {
                self == other || self.matches(domain)
            }
            (HostPattern::Exactly(_) | HostPattern::Below(_), _) => false,
        }
    }
}

// === impl Routes ===

impl<T> Routes<T> {
    /// Builds the index. The first match that holds wins.
    pub fn compile(matches: impl IntoIterator<Item = (Match, T)>) -> Self {
        let mut routes = Routes {
            routes: Vec::new(),
            every_host: Tree::default(),
            hosts: BTreeMap::new(),
            domains: BTreeMap::new(),
        };
        for (number, (matching, to)) in matches.into_iter().enumerate() {
            let Match {
                path,
                methods,
                hosts,
                headers,
                allowed,
            } = matching;
            let path = path.unwrap_or_default();
            if hosts.is_empty() {
                routes.every_host.insert(number, &path);
            }
            for host in hosts {
                let tree = match host {
                    HostPattern::Any => &mut routes.every_host,
                    HostPattern::Exactly(name) => routes.hosts.entry(name).or_default(),
                    HostPattern::Below(domain) => routes.domains.entry(domain).or_default(),
                };
                tree.insert(number, &path);
            }
            routes.routes.push(Route {
                methods,
                headers,
                allowed,
                regex: path.into_regex(),
                to,
            });
        }
        routes
    }

    /// What the first match leads to that holds. Where the path has a quirk that this match does not
    /// allow, or where no match holds, the request is refused: neither a later rule nor what the
    /// configuration says about unmatched requests is meant for it.
    pub fn find(&self, target: &RequestTarget<'_>) -> Result<Option<&T>, Unroutable> {
        let takes = |number: usize| {
            let route = self.routes.get(number);
            route.is_some_and(|route| route.takes(target))
        };
        let mut search = Search::new(target.path(), takes);
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
        let found = search.finish(|number| {
            if target.path().len() > REGEX_PATH_BYTES {
                return Err(Unroutable::PathTooLong);
            }
            let regex = self.routes.get(number).and_then(|r| r.regex.as_ref());
            Ok(regex.is_some_and(|regex| regex.is_match(target.path())))
        })?;
        let (allowed, to) = match found {
            None => (PathQuirks::NONE, None),
            // The trees hold numbers of routes alone. A number without one must not open.
            Some(number) => match self.routes.get(number) {
                Some(route) => (route.allowed, Some(&route.to)),
                None => return Err(Unroutable::AmbiguousPath),
            },
        };
        match target.quirks().is_within(allowed) {
            true => Ok(to),
            false => Err(Unroutable::AmbiguousPath),
        }
    }
}

// === impl Route ===

impl<T> Route<T> {
    /// Whether all of it holds but the path and the host.
    fn takes(&self, target: &RequestTarget<'_>) -> bool {
        let method = target.method();
        let takes_method =
            self.methods.is_empty() || self.methods.iter().any(|m| m.0.as_bytes() == method);
        takes_method
            && self.headers.iter().all(|header| {
                let headers = target.request().headers;
                match target.is_announced() {
                    true => header.is_announced(headers),
                    false => header.holds(headers),
                }
            })
    }
}

#[cfg(test)]
mod tests;
