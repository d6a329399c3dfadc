//! What is measured: each variant under each kind of request.

use bench::traffic::{Supply, Traffic};

/// A variant under one kind of request.
pub struct Case {
    pub id: &'static str,
    /// What all variants of a group have to do.
    pub group: &'static str,
    pub what: &'static str,
    pub listener: &'static str,
    pub supply: fn(&Traffic) -> &Supply,
    /// The case without filters that gets the same kind of requests.
    pub baseline: &'static str,
    pub cache: Cache,
}

/// What each request must find in Portcullis' caches, or must not: otherwise the case does not measure what its name says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cache {
    /// An introspection answer that is known.
    AnswerHit,
    TokenHit,
    TokenMiss,
    Unused,
}

/// Who a bar of the chart belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    Ours,
    Theirs,
    /// What no filter in a Wasm VM can go below.
    Floor,
}

/// The id of the case without filters, for requests with a token.
pub const TOKEN_BASELINE: &str = "none, token";
const KEY_BASELINE: &str = "none, key";
const OPAQUE_BASELINE: &str = "none, opaque";
const PROOF_BASELINE: &str = "none, proof";

const NO_FILTER: &str = "no filter";
const KNOWN: &str = "Known token, RS256: scope checked, six identity headers";
const NEW_RS256: &str = "Tokens never seen, RS256";
const NEW_ES256: &str = "Tokens never seen, ES256";
const PROVEN: &str = "Known token and a new proof of its key, ES256";
const API_KEY: &str = "API key: scope checked, six identity headers";
const OPAQUE: &str =
    "Opaque token, its introspection answer known: scope checked, six identity headers";

/// The first [`BASELINES`] of them are measured before the others in each round, and again after them.
pub const CASES: [Case; 25] = [
    case(
        TOKEN_BASELINE,
        NO_FILTER,
        "a token in the request",
        "none",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Cache::Unused,
    ),
    case(
        KEY_BASELINE,
        NO_FILTER,
        "an API key in the request",
        "none",
        |t| &t.few_keys,
        KEY_BASELINE,
        Cache::Unused,
    ),
    case(
        OPAQUE_BASELINE,
        NO_FILTER,
        "an opaque token in the request",
        "none",
        |t| &t.known_opaque,
        OPAQUE_BASELINE,
        Cache::Unused,
    ),
    case(
        PROOF_BASELINE,
        NO_FILTER,
        "a token and a proof in the request",
        "none",
        |t| &t.unjudged_proven,
        PROOF_BASELINE,
        Cache::Unused,
    ),
    case(
        "noop, token",
        KNOWN,
        "no-op module",
        "noop",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Cache::Unused,
    ),
    case(
        "host calls, token",
        KNOWN,
        "the host's calls alone",
        "host-calls",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Cache::Unused,
    ),
    case(
        "native, known",
        KNOWN,
        "native, default settings",
        "native",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Cache::Unused,
    ),
    case(
        "native cached",
        KNOWN,
        "native, its cache on",
        "native-cached",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Cache::Unused,
    ),
    case(
        "known",
        KNOWN,
        "Portcullis",
        "portcullis",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Cache::TokenHit,
    ),
    case(
        "filter state",
        KNOWN,
        "Portcullis, all seven of filter_state",
        "portcullis-filter-state",
        |t| &t.one_token,
        TOKEN_BASELINE,
        Cache::TokenHit,
    ),
    case(
        "in turn",
        KNOWN,
        "Portcullis, 3,000 tokens in turn",
        "portcullis",
        |t| &t.tokens_in_turn,
        TOKEN_BASELINE,
        Cache::TokenHit,
    ),
    case(
        "native, RS256",
        NEW_RS256,
        "native, default settings",
        "native",
        |t| &t.native_rs256,
        TOKEN_BASELINE,
        Cache::Unused,
    ),
    case(
        "RS256",
        NEW_RS256,
        "Portcullis",
        "portcullis-new",
        |t| &t.new_rs256,
        TOKEN_BASELINE,
        Cache::TokenMiss,
    ),
    case(
        "native, ES256",
        NEW_ES256,
        "native, default settings",
        "native",
        |t| &t.native_es256,
        TOKEN_BASELINE,
        Cache::Unused,
    ),
    case(
        "ES256",
        NEW_ES256,
        "Portcullis",
        "portcullis-new",
        |t| &t.new_es256,
        TOKEN_BASELINE,
        Cache::TokenMiss,
    ),
    case(
        "proof",
        PROVEN,
        "Portcullis",
        "portcullis-proofs",
        |t| &t.proven,
        PROOF_BASELINE,
        Cache::TokenHit,
    ),
    case(
        "noop, key",
        API_KEY,
        "no-op module",
        "noop",
        |t| &t.few_keys,
        KEY_BASELINE,
        Cache::Unused,
    ),
    case(
        "host calls, key",
        API_KEY,
        "the host's calls alone",
        "host-calls-keys",
        |t| &t.few_keys,
        KEY_BASELINE,
        Cache::Unused,
    ),
    case(
        "ext_authz HTTP, key",
        API_KEY,
        "ext_authz over HTTP, and its service",
        "ext-authz-http-keys",
        |t| &t.few_keys,
        KEY_BASELINE,
        Cache::Unused,
    ),
    case(
        "ext_authz gRPC, key",
        API_KEY,
        "ext_authz over gRPC, and its service",
        "ext-authz-grpc-keys",
        |t| &t.few_keys,
        KEY_BASELINE,
        Cache::Unused,
    ),
    case(
        "key",
        API_KEY,
        "Portcullis, 10 keys and 1 rule",
        "portcullis-few-keys",
        |t| &t.few_keys,
        KEY_BASELINE,
        Cache::Unused,
    ),
    case(
        "many keys",
        API_KEY,
        "Portcullis, 10,000 keys and 1,000 rules in turn",
        "portcullis-many-keys",
        |t| &t.many_keys,
        KEY_BASELINE,
        Cache::Unused,
    ),
    case(
        "ext_authz HTTP, opaque",
        OPAQUE,
        "ext_authz over HTTP, and its service",
        "ext-authz-http",
        |t| &t.known_opaque,
        OPAQUE_BASELINE,
        Cache::Unused,
    ),
    case(
        "ext_authz gRPC, opaque",
        OPAQUE,
        "ext_authz over gRPC, and its service",
        "ext-authz-grpc",
        |t| &t.known_opaque,
        OPAQUE_BASELINE,
        Cache::Unused,
    ),
    case(
        "opaque",
        OPAQUE,
        "Portcullis",
        "portcullis-introspection",
        |t| &t.known_opaque,
        OPAQUE_BASELINE,
        Cache::AnswerHit,
    ),
];

/// How many cases are baselines.
pub const BASELINES: usize = 4;

const fn case(
    id: &'static str,
    group: &'static str,
    what: &'static str,
    listener: &'static str,
    supply: fn(&Traffic) -> &Supply,
    baseline: &'static str,
    cache: Cache,
) -> Case {
    Case {
        id,
        group,
        what,
        listener,
        supply,
        baseline,
        cache,
    }
}

/// The cases of each group, without the baselines.
pub fn groups() -> impl Iterator<Item = (&'static str, &'static [Case])> {
    let measured = CASES.get(BASELINES..).unwrap_or_default();
    measured
        .chunk_by(|a, b| a.group == b.group)
        .filter_map(|cases| Some((cases.first()?.group, cases)))
}

impl Case {
    /// The side that this case's bar belongs to.
    pub fn side(&self) -> Side {
        match self.listener.split_once('-').unwrap_or((self.listener, "")) {
            ("portcullis", _) => Side::Ours,
            ("host", "calls" | "calls-keys") => Side::Floor,
            _ => Side::Theirs,
        }
    }
}
