//! What operators write: one declaration per object, with the documentation, the key and the type
//! of each member. Nothing else spells a key.
//!
//! serde stops at the first fault. Here all faults of a configuration are found at once, each with
//! its JSON path: the structs are read by [`reader`] from [`crate::json`], and every value that was
//! read knows where it stands. They hold what was written; what it means, and what is meant where
//! nothing was written, is found by `policy::compile`.

#[cfg(feature = "ai")]
pub mod bodies;
mod declare;
pub mod document;
pub mod fault;
pub mod protobuf_struct;
pub mod reader;
pub mod scalar;
pub mod shared_parts;

use std::time::Duration;

#[cfg(feature = "ai")]
use crate::config::bodies::{BodyConfig, BudgetConfig, ModelConfig, PromptConfig};
use crate::config::declare::{key, object, one_of, words};
use crate::config::fault::{At, Findings};
use crate::config::reader::{
    ExactlyOne, FromValue, ListOf, Located, Named, NonEmpty, Optional, Required,
};
use crate::json::{Object, Value};
use crate::request::path::PathQuirks;
use crate::time::UnixTime;

pub use crate::config::shared_parts::{ClaimConfig, ScopesConfig, SecretConfig};

object! {
    /// The configuration of one filter.
    pub struct Config<'v> {
        /// The realm that `WWW-Authenticate` names (RFC 9110 §11.5). Printable ASCII without quotes
        /// and backslashes; default `portcullis`.
        pub realm: Optional<&'v str>,
        /// Whether refusals are carried out. Default `enforce`.
        pub mode: Optional<Mode>,
        /// The token issuers, by name. At least one provider or one API key in all; the name
        /// `api_keys` is reserved.
        pub providers: Optional<Named<'v, ProviderConfig<'v>>>,
        /// Long-lived keys, stored as hashes. Default: none.
        pub api_keys: Optional<ApiKeysConfig<'v>>,
        /// What requests need: the first rule that matches a request decides. Default: no rules,
        /// so that every request is unmatched.
        pub rules: Optional<ListOf<RuleConfig<'v>>>,
        /// What happens to a request that no rule matches. Default `deny`.
        pub unmatched: Optional<Unmatched>,
        /// Whether a CORS preflight request passes that is refused only because it has no
        /// credential. Boolean; default `true`.
        pub allow_cors_preflight: Optional<bool>,
        /// Protected resources whose metadata is served here (RFC 9728). Default: none.
        pub resources: Optional<ListOf<ResourceConfig<'v>>>,
        /// What upstreams learn about the caller.
        pub forward: Optional<ForwardConfig<'v>>,
        /// Sizes, each per worker.
        pub limits: Optional<LimitsConfig>,
        /// Which decisions are logged. Default `denied`.
        pub audit: Optional<Audit>,
        /// What later filters and access logs learn about a request, in Envoy's filter state. Each field
        /// at most once. Default: nothing.
        pub filter_state: Optional<ListOf<FilterStateField>>,
    }
    bodies {
        /// How much callers may use in a window of time, by name: rules refer to them. Default: none.
        pub budgets: Optional<Named<'v, BudgetConfig<'v>>>,
    }
}

words! {
    /// Whether refusals are carried out.
    pub enum Mode {
        /// Refusals are carried out.
        Enforce = "enforce",
        /// Refusals are counted and logged, and the request passes.
        Shadow = "shadow",
    }
}

words! {
    /// What happens to a request that no rule matches.
    pub enum Unmatched {
        /// 403 `NO_RULE`.
        Deny = "deny",
        /// The request passes without a credential.
        Anonymous = "anonymous",
    }
}

words! {
    /// Which decisions are logged as an audit line.
    pub enum Audit {
        /// Refusals, at warn.
        Denied = "denied",
        /// Refusals at warn, and passes at info.
        All = "all",
        /// None.
        None = "none",
    }
}

words! {
    /// One property of the filter state.
    pub enum FilterStateField {
        /// `sub`; of an API key, its client.
        Subject = "subject",
        /// The client.
        ClientId = "client_id",
        /// The tenant.
        Tenant = "tenant",
        /// The scopes, separated by spaces.
        Scopes = "scopes",
        /// Who acts for the subject: `sub` of the token's `act` (RFC 8693 §4.1).
        Actor = "actor",
        /// The rule's name.
        Rule = "rule",
        /// `allow`, `deny` or `shadow_deny`.
        Decision = "decision",
        /// The code of a refusal.
        Code = "code",
    }
    bodies {
        /// The model that the request names.
        Model = "model",
        /// Tokens that went in, as the upstream counted them.
        InputTokens = "input_tokens",
        /// Tokens that came out, as the upstream counted them.
        OutputTokens = "output_tokens",
    }
}

object! {
    /// One token issuer.
    pub struct ProviderConfig<'v> {
        /// The `iss` claim of its tokens, compared exactly (RFC 7519 §4.1.1). Required; one provider
        /// per issuer.
        pub issuer: Required<&'v str>,
        /// A token's `aud` claim must name one of these (RFC 7519 §4.1.3). Required, unless
        /// `danger_any_audience` is `true`.
        pub audiences: Optional<NonEmpty<&'v str>>,
        /// Accepts tokens for any audience, or for none. Boolean; default `false`.
        pub danger_any_audience: Optional<bool>,
        /// The accepted signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1). Default: all
        /// asymmetric ones. `HS*` must be listed, and needs `jwks.inline`.
        pub algorithms: Optional<NonEmpty<&'v str>>,
        /// The issuer's public keys. Required, unless every token is introspected.
        pub jwks: Optional<JwksConfig<'v>>,
        /// How far the issuer's clock and Envoy's may differ, for `exp` and `nbf`. Duration, `0s` to
        /// `10m`; default `30s`.
        pub clock_tolerance: Optional<Duration>,
        /// Whether a token without `exp` is refused. Boolean; default `true`.
        pub require_exp: Optional<bool>,
        /// Neither `exp` - `iat` nor `exp` - now may exceed it. Duration, `1ms` to `8760h`; default:
        /// no limit.
        pub max_lifetime: Optional<Duration>,
        /// How many actors a token may name, one within the other (`act`, RFC 8693 §4.1). 0 to 100;
        /// default: no limit.
        pub max_actors: Optional<u64>,
        /// The accepted `typ` headers, without case and without `application/` (RFC 9068 §4,
        /// RFC 7515 §4.1.9). Default: `at+jwt`, `JWT`, or no `typ`.
        pub types: Optional<NonEmpty<&'v str>>,
        /// Where requests carry its tokens. Default: `Authorization: Bearer` (RFC 6750 §2.1).
        pub from: Optional<TokenLocationsConfig<'v>>,
        /// The claims that list the token's scopes, space-separated or as an array; the union of
        /// them counts. Default `[scope, scp]`.
        pub scope_claims: Optional<NonEmpty<ClaimConfig<'v>>>,
        /// The claims that name the client; the first that is present counts. Default
        /// `[client_id, azp]`.
        pub client_id_claims: Optional<NonEmpty<ClaimConfig<'v>>>,
        /// The claim that names the tenant. Default `tenant`.
        pub tenant_claim: Optional<ClaimConfig<'v>>,
        /// Tokens that are bound to a key of their client, and the proofs of it (RFC 9449). Default: such
        /// tokens are refused.
        pub dpop: Optional<DpopConfig<'v>>,
        /// Token introspection (RFC 7662). Default: none.
        pub introspection: Optional<IntrospectionConfig<'v>>,
        /// Where revoked tokens are listed. Default: none.
        pub revocation: Optional<RevocationConfig<'v>>,
    }
}

one_of! {
    /// The source of a provider's public keys.
    pub enum JwksConfig<'v> {
        /// A JWK Set in the configuration itself (RFC 7517 §5).
        Inline = "inline": &'v Object<'v>,
        /// A JWK Set that is fetched and refreshed.
        Remote = "remote": RemoteJwksConfig<'v>,
    }
}

object! {
    /// A JWK Set that is fetched and refreshed.
    pub struct RemoteJwksConfig<'v> {
        /// The Envoy cluster that is called. Required.
        pub cluster: Required<&'v str>,
        /// The address of the JWK Set: its scheme, host and path make the request, the cluster
        /// decides where the request goes. An http or https URI; required.
        pub uri: Required<&'v str>,
        /// The `Authorization` header of the request. Secret; default: none.
        pub authorization: Optional<SecretConfig<'v>>,
        /// How long one fetch may take. Duration, `1ms` to `1m`; default `2s`.
        pub timeout: Optional<Duration>,
        /// How often the keys are fetched in the background. Duration, `100ms` to `8760h`; default
        /// `60m`.
        pub refresh_interval: Optional<Duration>,
        /// An unknown `kid` triggers a fetch, but not more often than this. Duration, `1ms` to
        /// `8760h`; default `6s`.
        pub min_refetch_interval: Optional<Duration>,
        /// How long the last keys are used while the source is down. Duration, `1ms` to `8760h`;
        /// default `24h`.
        pub max_staleness: Optional<Duration>,
    }
}

object! {
    /// Where requests carry a provider's tokens; replaces the default. At least one location in
    /// all.
    pub struct TokenLocationsConfig<'v> {
        /// Header fields. Default: none.
        pub headers: Optional<ListOf<TokenHeaderConfig<'v>>>,
        /// Names of query parameters: letters, digits, `-`, `.`, `_` and `~`. Default: none.
        pub query: Optional<ListOf<&'v str>>,
        /// Names of cookies (RFC 6265 §4.1.1). Default: none.
        pub cookies: Optional<ListOf<&'v str>>,
        /// Other origins whose pages may use these cookies with methods that change something:
        /// `https://app.example.com`. Only beside `cookies`; default: none.
        pub cookie_origins: Optional<ListOf<&'v str>>,
    }
}

object! {
    /// A header field that carries a token.
    pub struct TokenHeaderConfig<'v> {
        /// The name of the header field. Required.
        pub name: Required<&'v str>,
        /// The text before the token. One word and one space are an authentication scheme, compared
        /// without case (RFC 9110 §11.1); anything else is compared literally. Default: none.
        pub prefix: Optional<&'v str>,
    }
}

object! {
    /// Tokens that are bound to a key of their client. `Authorization: DPoP` carries them, whatever `from`
    /// says, beside a proof in the header field `DPoP` (RFC 9449 §7.1).
    pub struct DpopConfig<'v> {
        /// Whether every token must be bound. Default `optional`.
        pub mode: Optional<DpopMode>,
        /// How far the `iat` of a proof may be from now, either way. Duration, `1ms` to `1h`; default `60s`.
        pub max_age: Optional<Duration>,
        /// The accepted signature algorithms of proofs; asymmetric ones alone. Default `[ES256, EdDSA]`.
        pub algorithms: Optional<NonEmpty<&'v str>>,
        /// How many proofs all workers together remember, so that none counts twice. 1 to 1048576; default
        /// 65536.
        pub replay_cache_entries: Optional<u64>,
    }
}

words! {
    /// Whether every token must be bound to a key.
    pub enum DpopMode {
        /// A token that is bound to a key needs a proof; others are accepted as they are.
        Optional = "optional",
        /// A token that is not bound to a key is refused.
        Required = "required",
    }
}

object! {
    /// Token introspection (RFC 7662).
    pub struct IntrospectionConfig<'v> {
        /// The Envoy cluster that is called. Required.
        pub cluster: Required<&'v str>,
        /// The introspection endpoint. An http or https URI; required.
        pub uri: Required<&'v str>,
        /// The filter's client id there (HTTP Basic, RFC 6749 §2.3.1). Required.
        pub client_id: Required<&'v str>,
        /// The filter's client secret there. Secret; required.
        pub client_secret: Required<SecretConfig<'v>>,
        /// Which tokens are introspected. Default `opaque`.
        pub when: Optional<When>,
        /// How long a request waits for the answer. Duration, `1ms` to `1m`; default `500ms`.
        pub timeout: Optional<Duration>,
        /// How long an answer is cached, but never beyond the token's own `exp`; `0s` asks every
        /// time. Duration, `0s` to `24h`; default `30s`.
        pub cache_ttl: Optional<Duration>,
        /// How long it is cached that a token is inactive. Duration, `0s` to `24h`; default `5s`.
        pub negative_cache_ttl: Optional<Duration>,
        /// What happens without an answer; `danger_allow` only beside `when: always`. Default
        /// `deny`.
        pub on_unavailable: Optional<Fallback>,
    }
}

words! {
    /// Which tokens are introspected.
    pub enum When {
        /// Tokens that are not JWTs.
        Opaque = "opaque",
        /// JWTs too, after they were verified here; needs `jwks`.
        Always = "always",
    }
}

words! {
    /// What happens to a request while the service that should be asked is unavailable.
    pub enum Fallback {
        /// 503.
        Deny = "deny",
        /// The request passes, as far as this check is concerned.
        Allow = "danger_allow",
    }
}

object! {
    /// Where revoked tokens are listed: at least one of both.
    pub struct RevocationConfig<'v> {
        /// A list that is polled, so that no request waits for it.
        pub list: Optional<RevocationListConfig<'v>>,
        /// The status lists that tokens refer to (draft-ietf-oauth-status-list); needs `jwks`.
        pub status_list: Optional<StatusListConfig<'v>>,
    }
}

object! {
    /// A revocation list that is polled.
    pub struct RevocationListConfig<'v> {
        /// The Envoy cluster that is called. Required.
        pub cluster: Required<&'v str>,
        /// The address of the list; `since` is added to its query. An http or https URI; required.
        pub uri: Required<&'v str>,
        /// The `Authorization` header of the request. Secret; default: none.
        pub authorization: Optional<SecretConfig<'v>>,
        /// How often the list is polled. Duration, `100ms` to `8760h`; default `5s`.
        pub refresh_interval: Optional<Duration>,
        /// How long one fetch may take. Duration, `1ms` to `1m`; default `2s`.
        pub timeout: Optional<Duration>,
        /// How long the last list is used while the source is down. Duration, `1ms` to `8760h`;
        /// default `60s`.
        pub max_staleness: Optional<Duration>,
        /// What happens after that: `danger_allow` goes on with the last list. Default `deny`.
        pub on_stale: Optional<Fallback>,
    }
}

object! {
    /// The status lists of a provider's tokens (draft-ietf-oauth-status-list).
    pub struct StatusListConfig<'v> {
        /// The Envoy cluster that is called. Required.
        pub cluster: Required<&'v str>,
        /// How the address of every list begins; a token whose list is elsewhere is refused. An
        /// http or https URI that ends with a slash, without dot segments, escapes and query;
        /// required.
        pub uri_prefix: Required<&'v str>,
        /// The `Authorization` header of the request. Secret; default: none.
        pub authorization: Optional<SecretConfig<'v>>,
        /// Whether a token without a status is refused. Boolean; default `true`.
        pub required: Optional<bool>,
        /// How long a request waits for a list. Duration, `1ms` to `1m`; default `2s`.
        pub timeout: Optional<Duration>,
        /// What happens without the list. Default `deny`.
        pub on_unavailable: Optional<Fallback>,
    }
}

object! {
    /// Long-lived keys, stored as hashes.
    pub struct ApiKeysConfig<'v> {
        /// Where requests carry a key. Default `[{header: x-api-key}]`.
        pub from: Optional<NonEmpty<KeyHeaderConfig<'v>>>,
        /// The key of the `hmac-sha256` hashes. Secret of 16 bytes or more; required where a key has
        /// such a hash.
        pub pepper: Optional<SecretConfig<'v>>,
        /// The keys. Required, unless `remote` is there.
        pub keys: Optional<ListOf<ApiKeyConfig<'v>>>,
        /// More keys, fetched and refreshed. Default: none.
        pub remote: Optional<RemoteApiKeysConfig<'v>>,
        /// Where revoked keys are listed. Default: none.
        pub revocation: Optional<KeyRevocationConfig<'v>>,
    }
}

object! {
    /// A source of API keys, which answers with an [`ApiKeyListConfig`].
    pub struct RemoteApiKeysConfig<'v> {
        /// The Envoy cluster that is called. Required.
        pub cluster: Required<&'v str>,
        /// The address of the list. An http or https URI; required.
        pub uri: Required<&'v str>,
        /// The `Authorization` header of the request. Secret; default: none.
        pub authorization: Optional<SecretConfig<'v>>,
        /// How long one fetch may take. Duration, `1ms` to `1m`; default `2s`.
        pub timeout: Optional<Duration>,
        /// How often the list is fetched. Duration, `100ms` to `8760h`; default `30s`.
        pub refresh_interval: Optional<Duration>,
        /// How long the last list is used while the source is down. Duration, `1ms` to `8760h`;
        /// default `1h`.
        pub max_staleness: Optional<Duration>,
    }
}

object! {
    /// The answer of a source of API keys.
    pub struct ApiKeyListConfig<'v> {
        /// All keys: one that is not in the list is no longer accepted.
        pub keys: Required<ListOf<ApiKeyConfig<'v>>>,
    }
}

object! {
    /// Where revoked API keys are listed.
    pub struct KeyRevocationConfig<'v> {
        /// A list that is polled; every entry is a `key_id`. Required.
        pub list: Required<RevocationListConfig<'v>>,
    }
}

object! {
    /// A header field that carries an API key.
    pub struct KeyHeaderConfig<'v> {
        /// The name of the header field. Required.
        pub header: Required<&'v str>,
        /// The authentication scheme before the key, compared without case (RFC 9110 §11.1).
        /// Default: none.
        pub scheme: Optional<&'v str>,
    }
}

object! {
    /// One API key.
    pub struct ApiKeyConfig<'v> {
        /// Names the key in logs and headers. Required, unique.
        pub id: Required<&'v str>,
        /// The client that the key belongs to; several keys may share a client. Default: `id`.
        pub client: Optional<&'v str>,
        /// `sha256:` or `hmac-sha256:` and 64 hexadecimal digits. Required, unique.
        pub hash: Required<&'v str>,
        /// The scopes of the key (RFC 6749 §3.3). Default: none.
        pub scopes: Optional<ListOf<&'v str>>,
        /// The tenant of the key. Default: none.
        pub tenant: Optional<&'v str>,
        /// The key is refused before this time. RFC 3339 time; default: none.
        pub not_before: Optional<UnixTime>,
        /// The key is refused from this time on. RFC 3339 time after `not_before`; default: none.
        pub expires_at: Optional<UnixTime>,
        /// Whether the key is refused. Boolean; default `false`.
        pub revoked: Optional<bool>,
    }
    bodies {
        /// The models that the key may use, where a rule asks for them (`model.claim`); `*` is any run of
        /// characters. Default: the key lacks the claim `models`.
        pub models: Optional<ListOf<&'v str>>,
        /// How much the key may use, where a budget asks for it (`limit.claim`). 0 to 9007199254740992
        /// (2^53); default: the key lacks the claim `token_budget`.
        pub token_budget: Optional<u64>,
    }
}

object! {
    /// Which requests the rule is for, and what they need.
    pub struct RuleConfig<'v> {
        /// Names the rule in logs. Default: its path, such as `rules[3]`.
        pub name: Optional<&'v str>,
        /// The requests that the rule is for. Default: all.
        pub matches = "match": Optional<MatchConfig<'v>>,
        /// Whether a credential is needed. Default `required`.
        pub access: Optional<Access>,
        /// The accepted credentials: names of providers, and `api_keys`. Default: all.
        pub credentials: Optional<NonEmpty<&'v str>>,
        /// A token's `aud` must also name one of these. Default: no further restriction.
        pub audiences: Optional<NonEmpty<&'v str>>,
        /// The scopes that the credential must have (RFC 6749 §3.3). Default: none.
        pub scopes: Optional<ScopesConfig<'v>>,
        /// How the person must have authenticated (RFC 9470). Default: no matter how.
        pub authentication: Optional<AuthenticationConfig<'v>>,
        /// A person's approval that the token must carry (RFC 9396). Default: none.
        pub approval: Optional<ApprovalConfig<'v>>,
        /// Conditions on claims, which must all hold. Default: none.
        pub claims: Optional<ListOf<ConditionConfig<'v>>>,
        /// Which messages of the Model Context Protocol pass, by the headers of its Streamable HTTP
        /// transport of 2026-07-28. Default: requests are not taken for messages.
        pub mcp: Optional<McpConfig<'v>>,
        /// Path forms that are refused elsewhere and accepted by this rule. Default: none.
        pub danger_allow_in_path: Optional<ListOf<PathQuirks>>,
    }
    bodies {
        /// How much of a body is awaited, and for how long.
        pub body: Optional<BodyConfig>,
        /// Which models of a provider pass. Default: requests are not taken for calls of a model.
        pub model: Optional<ModelConfig<'v>>,
        /// Which kinds of prompts pass. Default: all.
        pub prompt: Optional<PromptConfig<'v>>,
        /// What its requests are charged to: names of budgets, which must all admit a request, in this order.
        /// Default: none.
        pub budgets: Optional<NonEmpty<&'v str>>,
    }
}

words! {
    /// Whether a request needs a credential.
    pub enum Access {
        /// A valid credential.
        Required = "required",
        /// No credential, or a valid one.
        Optional = "optional",
        /// No credential; none is looked for.
        Anonymous = "anonymous",
        /// Every request is refused.
        Deny = "deny",
    }
}

object! {
    /// The requests that a rule is for.
    pub struct MatchConfig<'v> {
        /// The path without the query, compared with case. Default: all.
        pub path: Optional<PathMatchConfig<'v>>,
        /// One of these methods, compared with case (RFC 9110 §9.1). Default: all.
        pub methods: Optional<NonEmpty<&'v str>>,
        /// One of these hosts, without case and port; `*.` matches any depth. Default: all.
        pub hosts: Optional<NonEmpty<&'v str>>,
        /// Conditions on headers, which must all hold. Default: none.
        pub headers: Optional<NonEmpty<HeaderMatchConfig<'v>>>,
    }
}

object! {
    /// A condition on one header. It holds where the header is there exactly once.
    pub struct HeaderMatchConfig<'v> {
        /// The name of the header field, without case. Required.
        pub name: Required<&'v str>,
        /// What must hold for its value.
        pub test: ExactlyOne<HeaderTestConfig<'v>>,
    }
}

one_of! {
    /// What must hold for a header's value, compared byte for byte.
    pub enum HeaderTestConfig<'v> {
        /// It equals this.
        Equals = "equals": &'v str,
        /// It equals one of these.
        OneOf = "one_of": NonEmpty<&'v str>,
        /// It begins with this.
        Prefix = "prefix": &'v str,
        /// The header is there. `true`; nothing else.
        Present = "present": bool,
    }
}

one_of! {
    /// How a path is matched.
    pub enum PathMatchConfig<'v> {
        /// The whole path.
        Exact = "exact": &'v str,
        /// The first segments of the path: `/v1` matches `/v1` and `/v1/x`, not `/v10`.
        Prefix = "prefix": &'v str,
        /// Segments with wildcards: `{x}` is one segment, `**` at the end is zero or more.
        Template = "template": &'v str,
        /// A regular expression for the whole path, matched in linear time.
        Regex = "regex": &'v str,
    }
}

object! {
    /// How the person must have authenticated (RFC 9470): at least one of both.
    pub struct AuthenticationConfig<'v> {
        /// The token's `acr` must be one of these (RFC 9470 §4); each as a scope-token. Default: any.
        pub acr: Optional<NonEmpty<&'v str>>,
        /// How old the token's `auth_time` may be; the clock tolerance is added. Duration, `1s` to
        /// `8760h`; default: no limit.
        pub max_age: Optional<Duration>,
    }
}

/// A person's approval that a token must carry.
pub enum ApprovalConfig<'v> {
    /// Written as a string: its type.
    Type(Located<&'v str>),
    /// Written as an object.
    Object(ApprovalObjectConfig<'v>),
}

object! {
    /// An object of the token's `authorization_details` (RFC 9396 §2).
    pub struct ApprovalObjectConfig<'v> {
        /// Its `type`. Required.
        pub kind = "type": Required<&'v str>,
        /// Its `identifier`. Default: what an MCP message names; where it names nothing, and elsewhere, the
        /// type is enough.
        pub identifier: Optional<RequestPartConfig<'v>>,
        /// Whether it counts for one request, also where the object does not say so. Boolean;
        /// default `false`.
        pub once: Optional<bool>,
    }
}

object! {
    /// Which messages of the Model Context Protocol pass.
    pub struct McpConfig<'v> {
        /// The origins of web pages that may send messages: `scheme://host` or `scheme://host:port`.
        /// Default: none; what no browser sends has no origin.
        pub origins: Optional<ListOf<&'v str>>,
        /// The tools that may be called; the first that matches decides. Default: none.
        pub tools: Optional<ListOf<McpNameConfig<'v>>>,
        /// The prompts that may be got; the first that matches decides. Default: none.
        pub prompts: Optional<ListOf<McpNameConfig<'v>>>,
        /// The resources that may be read; the first that matches decides. Default: none.
        pub resources: Optional<ListOf<McpUriConfig<'v>>>,
        /// The other methods that may be called, exactly. Default `[server/discover, tools/list,
        /// prompts/list, resources/list, resources/templates/list]`.
        pub methods: Optional<ListOf<&'v str>>,
        /// Who sees to it that the body says what the headers say. Default `server`, with a warning.
        pub body: Optional<McpBody>,
        /// What lists of tools, prompts and resources show. Default: all that the server lists.
        pub list: Optional<McpList>,
    }
}

object! {
    /// Tools or prompts, and what they ask beyond what their rule asks.
    pub struct McpNameConfig<'v> {
        /// The name, compared with case; `*` is any run of characters. Required.
        pub name: Required<&'v str>,
        /// The scopes that the credential must have too (RFC 6749 §3.3). Default: none.
        pub scopes: Optional<ScopesConfig<'v>>,
        /// How the person must have authenticated (RFC 9470). Default: as the rule says.
        pub authentication: Optional<AuthenticationConfig<'v>>,
        /// A person's approval that the token must carry (RFC 9396). Default: none.
        pub approval: Optional<ApprovalConfig<'v>>,
    }
}

object! {
    /// Resources, and what they ask beyond what their rule asks.
    pub struct McpUriConfig<'v> {
        /// The URI, compared with case; `*` is any run of characters. Without dot segments and
        /// backslashes, which no resource may have before its query; required.
        pub uri: Required<&'v str>,
        /// The scopes that the credential must have too (RFC 6749 §3.3). Default: none.
        pub scopes: Optional<ScopesConfig<'v>>,
        /// How the person must have authenticated (RFC 9470). Default: as the rule says.
        pub authentication: Optional<AuthenticationConfig<'v>>,
        /// A person's approval that the token must carry (RFC 9396). Default: none.
        pub approval: Optional<ApprovalConfig<'v>>,
    }
}

words! {
    /// Who sees to it that an MCP message's body says what its headers say.
    pub enum McpBody {
        /// The server: its specification tells it to refuse a mismatch.
        Server = "server",
    }
    bodies {
        /// The filter: it reads the body too, and refuses a mismatch.
        Verify = "verify",
    }
}

words! {
    /// What lists of tools, prompts and resources show.
    pub enum McpList {
    }
    bodies {
        /// What the caller may use: the filter takes the rest out of the server's answers.
        Filter = "filter",
    }
}

object! {
    /// A condition on one claim.
    pub struct ConditionConfig<'v> {
        /// The claim. Required.
        pub claim: Required<ClaimConfig<'v>>,
        /// What must hold for it.
        pub test: ExactlyOne<ClaimTestConfig<'v>>,
    }
}

one_of! {
    /// What must hold for a claim.
    pub enum ClaimTestConfig<'v> {
        /// It equals this string, number or boolean, or this part of the request; `"1"` is not `1`.
        Equals = "equals": EqualsConfig<'v>,
        /// It equals one of these strings, numbers or booleans.
        OneOf = "one_of": NonEmpty<&'v Value<'v>>,
        /// An element of the array, or a space-separated word of the string, equals this.
        Contains = "contains": &'v Value<'v>,
        /// It is present. `true`; nothing else.
        Present = "present": bool,
    }
}

/// What a claim must equal.
pub enum EqualsConfig<'v> {
    /// A value.
    Value(&'v Value<'v>),
    /// What the request has in this part.
    Part(RequestPartConfig<'v>),
}

one_of! {
    /// A part of the request.
    pub enum RequestPartConfig<'v> {
        /// The segment that this name stands for in the rule's `path.template`, percent-decoded.
        Path = "path": &'v str,
        /// The header field of this name, which must be there exactly once.
        Header = "header": &'v str,
        /// This label of the host in lower case, from the left. 0 to 126.
        Host = "host": u64,
    }
}

object! {
    /// A protected resource (RFC 9728).
    pub struct ResourceConfig<'v> {
        /// Its identifier: an https URI without query and fragment; http for `localhost`, `127.0.0.1`
        /// and `[::1]`. Required; each resource once.
        pub resource: Required<&'v str>,
        /// The issuers whose tokens it accepts (RFC 9728 §2). Default: those of all providers.
        pub authorization_servers: Optional<NonEmpty<&'v str>>,
        /// The scopes that clients may ask for. Default: those of the rules on its host whose paths
        /// lie at or below its own.
        pub scopes_supported: Optional<ListOf<&'v str>>,
        /// Its name, for people. Default: none.
        pub name: Optional<&'v str>,
    }
}

object! {
    /// What upstreams learn about the caller.
    pub struct ForwardConfig<'v> {
        /// Header fields and what they hold: `subject`, `client_id`, `scopes`, `tenant`, `provider`,
        /// `key_id`, `actor`, or `claim:` and a claim. A client's own copies are always removed. Default: the
        /// six `x-auth-*` headers.
        pub headers: Optional<Named<'v, &'v str>>,
        /// The header field that holds the claims as base64url JSON. Default: none.
        pub payload_header: Optional<&'v str>,
        /// Whether upstreams get the credential itself. Default `strip`.
        pub credential: Optional<ForwardCredential>,
    }
}

words! {
    /// Whether upstreams get the credential itself.
    pub enum ForwardCredential {
        /// It is removed.
        Strip = "strip",
        /// It stays.
        Keep = "keep",
    }
}

object! {
    /// Sizes, each per worker.
    pub struct LimitsConfig {
        /// The longest accepted credential, in bytes. 1 to 1048576; default 16384.
        pub token_bytes: Optional<u64>,
        /// The entries of the cache of verified tokens; 0: no cache. 0 to 131072; default 4096.
        pub token_cache_entries: Optional<u64>,
        /// The entries of the cache of introspection answers; 0: no cache. 0 to 131072; default
        /// 4096.
        pub introspection_cache_entries: Optional<u64>,
    }
    bodies {
        /// The callers that one budget can have in a window at least, in all workers together. 1 to 1048576;
        /// default 65536.
        pub budget_callers: Optional<u64>,
    }
}

// === impl EqualsConfig ===

impl<'v> FromValue<'v> for EqualsConfig<'v> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        match value {
            Value::Object(_) => {
                RequestPartConfig::from_value(value, at, findings).map(EqualsConfig::Part)
            }
            _ => Some(EqualsConfig::Value(value)),
        }
    }
}

// === impl ApprovalConfig ===

impl<'v> FromValue<'v> for ApprovalConfig<'v> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        match value {
            Value::String(kind) => Some(ApprovalConfig::Type(Located { at, value: kind })),
            Value::Object(_) => {
                ApprovalObjectConfig::from_value(value, at, findings).map(ApprovalConfig::Object)
            }
            _ => {
                findings.wrong_type(at, value, "a string or an object");
                None
            }
        }
    }
}

// === impl PathQuirks ===

impl<'v> FromValue<'v> for PathQuirks {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        scalar::meaning(&PathQuirks::NAMES, &[], value, at, findings)
    }
}
