//! What operators write: plain structs, a doc comment per member, no behaviour.
//!
//! serde stops at the first error, and a configuration deserves all of them at once, each with
//! its JSON path. So these structs are read by a small reader of our own over [`crate::json`],
//! and hold what was written, not what it means: `policy::compile` finds out that, and what was
//! not written gets its default there.
//!
//! A required member is an `Option`, `None` where its fault is already on record; an optional
//! one is a [`Field`], which knows "absent" from "there, but faulty".

mod members;
pub mod protobuf_struct;
pub mod reader;

use std::time::Duration;

use crate::config::reader::{Field, List, Map, OneOrMore};
use crate::json::{Object, Value};
use crate::time::UnixTime;

/// The whole configuration of one filter.
pub struct Config<'v> {
    /// The protection space that challenges name (RFC 9110 §11.5).
    pub realm: Field<&'v str>,
    /// Whether refusals are carried out or only counted and logged.
    pub mode: Field<Mode>,
    /// Who may issue tokens, by name.
    pub providers: Field<Map<'v, Provider<'v>>>,
    /// Long-lived keys, known by their hashes.
    pub api_keys: Field<ApiKeys<'v>>,
    /// What a request needs: the first rule that matches it decides.
    pub rules: Field<List<Rule<'v>>>,
    /// What a request gets that no rule matches.
    pub unmatched: Field<Unmatched>,
    /// Whether a CORS preflight passes where only a missing credential would stop it.
    pub allow_cors_preflight: Field<bool>,
    /// What upstreams learn about the caller.
    pub forward: Field<Forward<'v>>,
    /// Ceilings, each per worker.
    pub limits: Field<Limits>,
    /// Which decisions leave a line in the log.
    pub audit: Field<Audit>,
}

#[derive(Clone, Copy)]
pub enum Mode {
    Enforce,
    Shadow,
}

#[derive(Clone, Copy)]
pub enum Unmatched {
    Deny,
    Anonymous,
}

#[derive(Clone, Copy)]
pub enum Audit {
    Denied,
    All,
    None,
}

/// One issuer of tokens.
pub struct Provider<'v> {
    /// The `iss` of its tokens, compared exactly.
    pub issuer: Option<&'v str>,
    /// A token must be meant for one of these.
    pub audiences: Field<OneOrMore<&'v str>>,
    /// Takes tokens that are meant for anybody, or for nobody: the only way out of `audiences`.
    pub danger_any_audience: Field<bool>,
    /// The signature algorithms that it uses (RFC 7518 §3.1, RFC 8037).
    pub algorithms: Field<OneOrMore<&'v str>>,
    /// Its public keys; none where every token is introspected.
    pub jwks: Field<Jwks<'v>>,
    /// How far its clock and ours may be apart, for `exp` and `nbf`.
    pub clock_tolerance: Field<Duration>,
    /// Whether a token without `exp` is refused.
    pub require_exp: Field<bool>,
    /// Neither `exp` - `iat` nor `exp` - now may exceed it.
    pub max_lifetime: Field<Duration>,
    /// Accepted `typ` headers (RFC 9068 §4).
    pub types: Field<OneOrMore<&'v str>>,
    /// Where requests carry its tokens.
    pub from: Field<TokenPlaces<'v>>,
    /// Claims that list the token's scopes; their union counts.
    pub scope_claims: Field<OneOrMore<Claim<'v>>>,
    /// Claims that name the client; the first that is there counts.
    pub client_id_claims: Field<OneOrMore<Claim<'v>>>,
    /// The claim that names the tenant.
    pub tenant_claim: Field<Claim<'v>>,
    /// Token introspection (RFC 7662).
    pub introspection: Field<Introspection<'v>>,
    /// Where revoked tokens are listed.
    pub revocation: Field<Revocation<'v>>,
}

/// Exactly one source of keys.
pub enum Jwks<'v> {
    /// A JWK Set (RFC 7517 §5) in the configuration itself.
    Inline(&'v Object<'v>),
    /// A JWK Set that is fetched and refreshed.
    Remote(RemoteJwks<'v>),
}

pub struct RemoteJwks<'v> {
    /// The Envoy cluster that is called.
    pub cluster: Option<&'v str>,
    /// Its scheme, host and path make the request; the cluster decides where it goes.
    pub uri: Option<&'v str>,
    /// The `Authorization` header of the fetch.
    pub authorization: Field<SecretSource<'v>>,
    /// How long one fetch may take.
    pub timeout: Field<Duration>,
    /// How often the keys are fetched anew.
    pub refresh_interval: Field<Duration>,
    /// An unknown `kid` triggers a fetch, never more often than this.
    pub min_refetch_interval: Field<Duration>,
    /// How long the last good keys serve while the source is down.
    pub max_staleness: Field<Duration>,
}

/// Where requests carry a provider's tokens. What is written here replaces the default.
#[derive(Default)]
pub struct TokenPlaces<'v> {
    /// Header fields, each with what stands before the token.
    pub headers: Field<List<TokenHeader<'v>>>,
    /// Query parameters.
    pub query: Field<List<&'v str>>,
    /// Cookies.
    pub cookies: Field<List<&'v str>>,
}

pub struct TokenHeader<'v> {
    /// The header field's name.
    pub name: Option<&'v str>,
    /// What stands before the token. A word and one space are an authentication scheme, which
    /// is compared without case.
    pub prefix: Field<&'v str>,
}

/// RFC 7662.
pub struct Introspection<'v> {
    /// The Envoy cluster that is called.
    pub cluster: Option<&'v str>,
    /// The introspection endpoint.
    pub uri: Option<&'v str>,
    /// Who we are to it (HTTP Basic).
    pub client_id: Option<&'v str>,
    /// Our secret there.
    pub client_secret: Option<SecretSource<'v>>,
    /// Which tokens it is asked about.
    pub when: Field<When>,
    /// How long a request waits for the answer.
    pub timeout: Field<Duration>,
    /// How long an answer counts; never beyond the token's own `exp`.
    pub cache_ttl: Field<Duration>,
    /// How long it counts that a token is inactive.
    pub negative_cache_ttl: Field<Duration>,
    /// What happens without an answer.
    pub on_unavailable: Field<Fallback>,
}

#[derive(Clone, Copy)]
pub enum When {
    Opaque,
    Always,
}

/// What happens while a service that should be asked cannot be.
#[derive(Clone, Copy)]
pub enum Fallback {
    Deny,
    DangerAllow,
}

/// At least one of them.
pub struct Revocation<'v> {
    /// A list that is polled.
    pub list: Field<RevocationList<'v>>,
    /// Lists that tokens refer to (draft-ietf-oauth-status-list).
    pub status_list: Field<StatusList<'v>>,
}

pub struct RevocationList<'v> {
    /// The Envoy cluster that is called.
    pub cluster: Option<&'v str>,
    /// The list's address.
    pub uri: Option<&'v str>,
    /// The `Authorization` header of each poll.
    pub authorization: Field<SecretSource<'v>>,
    /// How often it is polled.
    pub refresh_interval: Field<Duration>,
    /// How long one fetch may take.
    pub timeout: Field<Duration>,
    /// How long the last list counts while the source is down.
    pub max_staleness: Field<Duration>,
    /// What happens after that.
    pub on_stale: Field<Fallback>,
}

pub struct StatusList<'v> {
    /// The Envoy cluster that is called.
    pub cluster: Option<&'v str>,
    /// How the address of every list begins.
    pub uri_prefix: Option<&'v str>,
    /// The `Authorization` header of each fetch.
    pub authorization: Field<SecretSource<'v>>,
    /// Whether a token without a status is refused.
    pub required: Field<bool>,
    /// How long a request waits for a list.
    pub timeout: Field<Duration>,
    /// What happens without one.
    pub on_unavailable: Field<Fallback>,
}

/// A claim, by the members that lead to it.
pub enum Claim<'v> {
    /// Split at dots.
    Dotted(&'v str),
    /// Each member literally, so that a name may have dots.
    Members(OneOrMore<&'v str>),
}

pub struct ApiKeys<'v> {
    /// Where requests carry a key.
    pub from: Field<OneOrMore<KeyHeader<'v>>>,
    /// The key of the `hmac-sha256` hashes.
    pub pepper: Field<SecretSource<'v>>,
    /// The keys.
    pub keys: Field<List<ApiKey<'v>>>,
    /// More keys, fetched and refreshed.
    pub remote: Field<RemoteApiKeys<'v>>,
    /// Where revoked keys are listed.
    pub revocation: Field<KeyRevocation<'v>>,
}

/// Answers with an [`ApiKeyList`].
pub struct RemoteApiKeys<'v> {
    /// The Envoy cluster that is called.
    pub cluster: Option<&'v str>,
    /// The list's address.
    pub uri: Option<&'v str>,
    /// The `Authorization` header of the fetch.
    pub authorization: Field<SecretSource<'v>>,
    /// How long one fetch may take.
    pub timeout: Field<Duration>,
    /// How often the list is fetched anew.
    pub refresh_interval: Field<Duration>,
    /// How long the last good list serves while the source is down.
    pub max_staleness: Field<Duration>,
}

/// What a source of API keys answers.
pub struct ApiKeyList<'v> {
    /// All of them: a key that is no longer here is no longer good.
    pub keys: Option<List<ApiKey<'v>>>,
}

pub struct KeyRevocation<'v> {
    /// A list that is polled.
    pub list: Option<RevocationList<'v>>,
}

pub struct KeyHeader<'v> {
    /// The header field's name.
    pub header: Option<&'v str>,
    /// The authentication scheme (RFC 9110 §11.1) that stands before the key.
    pub scheme: Field<&'v str>,
}

pub struct ApiKey<'v> {
    /// Names the key in logs and headers; unique.
    pub id: Option<&'v str>,
    /// Whose key it is.
    pub client: Field<&'v str>,
    /// `sha256:` or `hmac-sha256:` and 64 hexadecimal digits.
    pub hash: Option<&'v str>,
    /// What it may do.
    pub scopes: Field<List<&'v str>>,
    /// Whose data it may touch.
    pub tenant: Field<&'v str>,
    /// It is refused before this time.
    pub not_before: Field<UnixTime>,
    /// It is refused from this time on.
    pub expires_at: Field<UnixTime>,
    /// It is refused.
    pub revoked: Field<bool>,
}

/// Where a secret comes from.
pub enum SecretSource<'v> {
    /// A variable of the VM's environment.
    Env(&'v str),
    /// The configuration itself, where everybody who may read it learns it.
    DangerInline(&'v str),
}

pub struct Rule<'v> {
    /// Names the rule in logs.
    pub name: Field<&'v str>,
    /// Which requests it is for.
    pub matches: Field<Match<'v>>,
    /// Whether a credential is needed.
    pub access: Field<Access>,
    /// The providers that it accepts, and `api_keys`.
    pub credentials: Field<OneOrMore<&'v str>>,
    /// A token must also be meant for one of these.
    pub audiences: Field<OneOrMore<&'v str>>,
    /// Scopes that the credential must have.
    pub scopes: Field<Scopes<'v>>,
    /// Conditions on claims: all must hold.
    pub claims: Field<List<Condition<'v>>>,
    /// PathQuirks of a path that are refused elsewhere and that this rule takes.
    pub danger_allow_in_path: Field<List<PathQuirk>>,
}

#[derive(Clone, Copy)]
pub enum Access {
    Required,
    Optional,
    Anonymous,
    Deny,
}

#[derive(Clone, Copy)]
pub enum PathQuirk {
    EncodedSlash,
    DoubleSlash,
    Semicolon,
}

#[derive(Default)]
pub struct Match<'v> {
    /// The path, without the query.
    pub path: Field<PathMatch<'v>>,
    /// Any of these methods.
    pub methods: Field<OneOrMore<&'v str>>,
    /// Any of these hosts.
    pub hosts: Field<OneOrMore<&'v str>>,
}

/// Exactly one way to match a path.
pub enum PathMatch<'v> {
    /// The whole path.
    Exact(&'v str),
    /// Its first segments, whole ones.
    Prefix(&'v str),
    /// `{x}` is one segment, `**` is zero or more.
    Template(&'v str),
    /// The whole path, in linear time.
    Regex(&'v str),
}

#[derive(Default)]
pub struct Scopes<'v> {
    /// Each of these.
    pub all: Field<List<&'v str>>,
    /// One of these.
    pub any: Field<List<&'v str>>,
}

pub struct Condition<'v> {
    pub claim: Option<Claim<'v>>,
    pub test: Option<Test<'v>>,
}

/// Exactly one question to a claim.
pub enum Test<'v> {
    /// It equals this.
    Equals(&'v Value<'v>),
    /// It equals one of these.
    OneOf(OneOrMore<&'v Value<'v>>),
    /// An element of an array, or a space-separated word of a string, equals this.
    Contains(&'v Value<'v>),
    /// It is there; `false` says nothing that could be checked.
    Present(bool),
}

#[derive(Default)]
pub struct Forward<'v> {
    /// Header fields and what they hold.
    pub headers: Field<Map<'v, &'v str>>,
    /// Holds the claims, as base64url JSON.
    pub payload_header: Field<&'v str>,
    /// Whether upstreams get the credential itself.
    pub credential: Field<ForwardCredential>,
}

#[derive(Clone, Copy)]
pub enum ForwardCredential {
    Strip,
    Keep,
}

#[derive(Default)]
pub struct Limits {
    /// The longest credential that is looked at, in bytes.
    pub token_bytes: Field<u64>,
    /// Verified tokens that are remembered; 0 remembers none.
    pub token_cache_entries: Field<u64>,
    /// Introspection answers that are remembered; 0 remembers none.
    pub introspection_cache_entries: Field<u64>,
}
