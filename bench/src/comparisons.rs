//! Which cases are compared, and what their ratio is to be.

/// What a case costs, divided by what its peer costs.
pub struct Comparison {
    pub what: &'static str,
    pub against: &'static str,
    /// Their ids in [`crate::cases::CASES`].
    pub case: &'static str,
    pub peer: &'static str,
    /// The goal, where there is one.
    pub at_most: Option<f64>,
}

const KNOWN_TOKEN: &str = "known token (RS256), scope checked, six identity headers";
const API_KEY: &str = "API key, scope checked, six identity headers";
const KNOWN_ANSWER: &str = "opaque token, its introspection answer known";
const THE_SAME: &str = "the same";

/// Against Envoy's own filters, a no-op module, and Portcullis itself with less to do.
pub const GOALS: [Comparison; 9] = [
    Comparison {
        what: KNOWN_TOKEN,
        against: "native, default settings",
        case: "known",
        peer: "native, known",
        at_most: Some(0.25),
    },
    Comparison {
        what: THE_SAME,
        against: "native with its cache on",
        case: "known",
        peer: "native cached",
        at_most: Some(1.2),
    },
    Comparison {
        what: THE_SAME,
        against: "a no-op module",
        case: "known",
        peer: "noop, token",
        at_most: Some(1.85),
    },
    Comparison {
        what: "token never seen, RS256",
        against: "native, default settings",
        case: "RS256",
        peer: "native, RS256",
        at_most: Some(0.95),
    },
    Comparison {
        what: "token never seen, ES256",
        against: "native, default settings",
        case: "ES256",
        peer: "native, ES256",
        at_most: Some(0.97),
    },
    Comparison {
        what: "known token with a new proof of its key, ES256",
        against: "native verifying an ES256 token that it has never seen",
        case: "proof",
        peer: "native, ES256",
        at_most: Some(1.2),
    },
    Comparison {
        what: "API key",
        against: "a no-op module",
        case: "key",
        peer: "noop, key",
        at_most: Some(1.7),
    },
    Comparison {
        what: "10,000 API keys and 1,000 rules",
        against: "10 keys and 1 rule",
        case: "many keys",
        peer: "key",
        at_most: Some(1.1),
    },
    Comparison {
        what: "3,000 distinct tokens in turn",
        against: "one token",
        case: "in turn",
        peer: "known",
        at_most: Some(1.2),
    },
];

/// Against what operators use today where Envoy has no filter of its own.
pub const BESIDE_EXT_AUTHZ: [Comparison; 4] = [
    Comparison {
        what: API_KEY,
        against: "ext_authz over HTTP",
        case: "key",
        peer: "ext_authz HTTP, key",
        at_most: Some(1.0),
    },
    Comparison {
        what: THE_SAME,
        against: "ext_authz over gRPC",
        case: "key",
        peer: "ext_authz gRPC, key",
        at_most: Some(1.0),
    },
    Comparison {
        what: KNOWN_ANSWER,
        against: "ext_authz over HTTP",
        case: "opaque",
        peer: "ext_authz HTTP, opaque",
        at_most: Some(1.0),
    },
    Comparison {
        what: THE_SAME,
        against: "ext_authz over gRPC",
        case: "opaque",
        peer: "ext_authz gRPC, opaque",
        at_most: Some(1.0),
    },
];

/// How far Portcullis is above what the host alone takes.
pub const ABOVE_THE_FLOOR: [Comparison; 2] = [
    Comparison {
        what: KNOWN_TOKEN,
        against: "the host's calls alone",
        case: "known",
        peer: "host calls, token",
        at_most: None,
    },
    Comparison {
        what: API_KEY,
        against: "the host's calls alone",
        case: "key",
        peer: "host calls, key",
        at_most: None,
    },
];
