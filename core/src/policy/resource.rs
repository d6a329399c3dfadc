//! Protected resources, and the metadata that tells clients how to get a token for them (RFC 9728).

use crate::request::RequestTarget;

/// Resources whose metadata is served here.
#[derive(Debug, Default)]
pub struct Resources(Vec<Resource>);

/// A protected resource.
#[derive(Debug)]
pub struct Resource {
    /// As it was written: clients compare it as a string (RFC 9728 §3.3).
    pub identifier: Box<str>,
    /// Where its metadata is, for challenges (RFC 9728 §5.1).
    pub metadata_uri: Box<str>,
    /// Its metadata, a JSON object.
    pub metadata: Box<str>,
    /// What it covers.
    pub place: Place,
}

/// The host and the paths of a resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// In lower case.
    pub host: Box<str>,
    /// `None`: the default port of its scheme.
    pub port: Option<u16>,
    /// The default port of its scheme.
    pub default_port: u16,
    /// Canonical. It covers itself and all below it, by whole segments; a slash at its end changes nothing.
    pub path: Box<str>,
}

/// RFC 9728 §3: it goes between the host and the path of a resource.
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

// === impl Resources ===

impl Resources {
    /// The order does not matter.
    pub fn new(mut resources: Vec<Resource>) -> Self {
        // The most specific one is found first.
        resources.sort_by_key(|resource| std::cmp::Reverse(resource.place.root().len()));
        Resources(resources)
    }

    /// The resource that a request is for: of several, the one with the longest path.
    pub fn covering(&self, target: &RequestTarget<'_>) -> Option<&Resource> {
        let covers = |resource: &&Resource| {
            resource.place.is_host_of(target) && resource.place.covers(target.path())
        };
        self.0.iter().find(covers)
    }

    /// The resource whose metadata a request asks for.
    pub fn described_at(&self, target: &RequestTarget<'_>) -> Option<&Resource> {
        if self.0.is_empty() {
            return None;
        }
        let path = target.path().strip_prefix(WELL_KNOWN)?;
        let is_described = |resource: &&Resource| {
            resource.place.metadata_suffix() == path && resource.place.is_host_of(target)
        };
        self.0.iter().find(is_described)
    }
}

// === impl Place ===

impl Place {
    /// What follows [`WELL_KNOWN`] in the path of its metadata: a lone slash is left out (RFC 9728 §3.1).
    pub fn metadata_suffix(&self) -> &str {
        if &*self.path == "/" { "" } else { &self.path }
    }

    /// Whether a canonical path lies at or below this one.
    pub fn covers(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.root());
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether both cover the same.
    pub fn is_same(&self, other: &Place) -> bool {
        (&self.host, self.port(), self.root()) == (&other.host, other.port(), other.root())
    }

    /// The request's scheme does not count: Envoy may have ended TLS, or a proxy before it.
    fn is_host_of(&self, target: &RequestTarget<'_>) -> bool {
        let port = target.port().unwrap_or(self.default_port);
        target.host() == &*self.host && port == self.port()
    }

    fn port(&self) -> u16 {
        self.port.unwrap_or(self.default_port)
    }

    fn root(&self) -> &str {
        self.path.strip_suffix('/').unwrap_or(&self.path)
    }
}
