//! What decides from bodies: models, prompts and budgets.

use std::time::Duration;

use crate::api::{Api, Unit};
use crate::config::declare::{key, object, one_of, words};
use crate::config::fault::{At, Findings, quoted};
use crate::config::reader::{FromValue, ListOf, Located, NonEmpty, Optional, Required};
use crate::config::scalar;
use crate::config::shared_parts::{ClaimConfig, ScopesConfig, SecretConfig};
use crate::json::Value;

object! {
    /// How much of a request's body is awaited, and for how long.
    pub struct BodyConfig {
        /// The longest accepted body, in bytes. 1 to 67108864; default 1048576.
        pub max_bytes: Optional<u64>,
        /// The time from the headers to the last byte. Duration, `1ms` to `1h`; default `10s`.
        pub timeout: Optional<Duration>,
    }
}

object! {
    /// Which models of a provider pass.
    pub struct ModelConfig<'v> {
        /// Where a request names its model. Default `body`: the member `model` of the JSON object.
        pub from: Optional<ModelFromConfig<'v>>,
        /// What the rule's paths speak. Default: what the end of a request's path says.
        pub api: Optional<Api>,
        /// The models that pass; the first that matches decides. Required.
        pub allow: Required<NonEmpty<ModelEntryConfig<'v>>>,
        /// The claim that lists the caller's own models, which must name it too: an array, or words. Default:
        /// callers have no lists.
        pub claim: Optional<ClaimConfig<'v>>,
        /// The member that a bound is put into on chat completions. Default `max_completion_tokens`.
        pub output_name: Optional<OutputName>,
        /// Whether a body may point at what the provider stores. Default `allow`.
        pub references: Optional<References>,
    }
}

/// Where a request names its model.
pub enum ModelFromConfig<'v> {
    /// Written as `body`: in its body.
    Body,
    /// Written as an object: in a segment of its path.
    Path(ModelPathConfig<'v>),
}

object! {
    /// The segment of the path that names the model.
    pub struct ModelPathConfig<'v> {
        /// The name of the segment in the rule's `path.template`. Required.
        pub path: Required<&'v str>,
    }
}

object! {
    /// A model, or several.
    pub struct ModelEntryConfig<'v> {
        /// The name, compared byte for byte; `*` is any run of characters. Required.
        pub name: Required<&'v str>,
        /// The scopes that the credential must have too (RFC 6749 §3.3). Default: none.
        pub scopes: Optional<ScopesConfig<'v>>,
        /// The most tokens of output that a request may ask for; put in where it asks for no number.
        /// 1 to 9007199254740992 (2^53); default: no bound.
        pub max_output_tokens: Optional<u64>,
    }
}

words! {
    /// The member that bounds the output of chat completions.
    pub enum OutputName {
        /// What OpenAI's API has.
        MaxCompletionTokens = "max_completion_tokens",
        /// What older servers know alone.
        MaxTokens = "max_tokens",
    }
}

words! {
    /// Whether a body may point at what the provider stores.
    pub enum References {
        /// It may.
        Allow = "allow",
        /// 403 `REFERENCE_NOT_ALLOWED`.
        Deny = "deny",
    }
}

object! {
    /// Which kinds of prompts pass.
    pub struct PromptConfig<'v> {
        /// What says of which kind a prompt is. Required.
        pub category: Required<CategoryConfig<'v>>,
        /// The kinds that pass; the first that matches decides. Required.
        pub allow: Required<NonEmpty<PromptEntryConfig<'v>>>,
    }
}

one_of! {
    /// What says of which kind a prompt is.
    pub enum CategoryConfig<'v> {
        /// A member of the body, named as claims are.
        Body = "body": ClaimConfig<'v>,
        /// The header field of this name, which must be there exactly once.
        Header = "header": &'v str,
        /// A service that is asked.
        Classifier = "classifier": ClassifierConfig<'v>,
    }
}

object! {
    /// A service that says of which kind a prompt is.
    pub struct ClassifierConfig<'v> {
        /// The Envoy cluster that is called. Required.
        pub cluster: Required<&'v str>,
        /// Its address. An http or https URI; required.
        pub uri: Required<&'v str>,
        /// How long a request waits for the answer. Duration, `1ms` to `1m`; default `500ms`.
        pub timeout: Optional<Duration>,
        /// The `Authorization` header of the request. Secret; default: none.
        pub authorization: Optional<SecretConfig<'v>>,
    }
}

object! {
    /// A kind of prompt, or several.
    pub struct PromptEntryConfig<'v> {
        /// The name, compared byte for byte; `*` is any run of characters. Required.
        pub name: Required<&'v str>,
        /// The scopes that the credential must have too (RFC 6749 §3.3). Default: none.
        pub scopes: Optional<ScopesConfig<'v>>,
    }
}

object! {
    /// How much callers may use in a window of time.
    pub struct BudgetConfig<'v> {
        /// Callers that agree in all of these share one budget, where their provider is the same; each once.
        /// Default `[]`: all callers of one provider share it.
        pub per: Optional<ListOf<Part>>,
        /// How much each may use. Required.
        pub limit: Required<LimitConfig<'v>>,
        /// How long a window is; windows begin at multiples of it since 1970. Duration in whole seconds, `1s`
        /// to `744h`; required.
        pub window: Required<Duration>,
        /// What is counted. Default `total_tokens`.
        pub charge: Optional<Unit>,
        /// What is reserved for the output of a request that names no maximum. 0 to 9007199254740992 (2^53);
        /// default 1024.
        pub default_output_tokens: Optional<u64>,
        /// What is added to the input of a request whose body refers elsewhere. 0 to 9007199254740992
        /// (2^53); default 0.
        pub default_input_tokens: Optional<u64>,
        /// Who keeps it. Default `local`.
        pub ledger: Optional<LedgerConfig<'v>>,
    }
}

words! {
    /// What callers are told apart by.
    pub enum Part {
        /// `sub`; of an API key, its client.
        Subject = "subject",
        /// The client.
        ClientId = "client_id",
        /// The tenant.
        Tenant = "tenant",
        /// The API key's id.
        KeyId = "key_id",
        /// The model, by the name of the entry that allows it.
        Model = "model",
    }
}

/// How much a caller may use.
pub enum LimitConfig<'v> {
    /// Written as a number: this much.
    Fixed(Located<u64>),
    /// Written as an object: what a claim says.
    Claim(LimitClaimConfig<'v>),
}

object! {
    /// The claim that says how much a caller may use.
    pub struct LimitClaimConfig<'v> {
        /// The claim: a whole number from 0 to 2^53. Required.
        pub claim: Required<ClaimConfig<'v>>,
        /// For callers without the claim. 0 to 9007199254740992 (2^53); default: they are refused.
        pub default: Optional<u64>,
    }
}

/// Who keeps a budget.
pub enum LedgerConfig<'v> {
    /// Written as `local`: this Envoy process, all of its workers together.
    Local,
    /// Written as an object: a service, for many Envoy processes.
    Remote(RemoteLedgerConfig<'v>),
}

object! {
    /// A service that keeps a budget for many Envoy processes.
    pub struct RemoteLedgerConfig<'v> {
        /// The Envoy cluster that is called. Required.
        pub cluster: Required<&'v str>,
        /// Its address. An http or https URI; required.
        pub uri: Required<&'v str>,
        /// The `Authorization` header of the request. Secret; required.
        pub authorization: Required<SecretConfig<'v>>,
        /// How long a request waits for a grant. Duration, `1ms` to `1m`; default `300ms`.
        pub timeout: Optional<Duration>,
        /// How much is asked for at a time: a share of the limit, such as `2%`, or a number. More than 0, to
        /// `100%` or 9007199254740992 (2^53); default `2%`.
        pub lease: Optional<LeaseConfig>,
        /// What happens without an answer. Default `deny`.
        pub on_unavailable: Optional<LedgerFallback>,
    }
}

/// How much is asked for at a time.
pub enum LeaseConfig {
    /// Written as a string: a share, in millionths.
    Share(Located<u64>),
    /// Written as a number: this much.
    Fixed(Located<u64>),
}

words! {
    /// What happens to a request while the ledger is unavailable.
    pub enum LedgerFallback {
        /// 503.
        Deny = "deny",
        /// It spends up to the limit in this Envoy process.
        AllowLocal = "danger_allow_local",
    }
}

// === impl Api ===

impl<'v> FromValue<'v> for Api {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        scalar::meaning(&Api::NAMES, &[], value, at, findings)
    }
}

// === impl Unit ===

impl<'v> FromValue<'v> for Unit {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        scalar::meaning(&Unit::NAMES, &[], value, at, findings)
    }
}

// === impl ModelFromConfig ===

impl<'v> FromValue<'v> for ModelFromConfig<'v> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        if value.as_object().is_some() {
            return ModelPathConfig::from_value(value, at, findings).map(ModelFromConfig::Path);
        }
        word(value, "body", "body or an object with path", at, findings)?;
        Some(ModelFromConfig::Body)
    }
}

// === impl LimitConfig ===

impl<'v> FromValue<'v> for LimitConfig<'v> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        match value {
            value if is_number(value) => {
                let value = u64::from_value(value, at, findings)?;
                Some(LimitConfig::Fixed(Located { at, value }))
            }
            Value::Object(_) => {
                LimitClaimConfig::from_value(value, at, findings).map(LimitConfig::Claim)
            }
            _ => {
                findings.wrong_type(at, value, "a whole number or an object with claim");
                None
            }
        }
    }
}

// === impl LedgerConfig ===

impl<'v> FromValue<'v> for LedgerConfig<'v> {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        if value.as_object().is_some() {
            return RemoteLedgerConfig::from_value(value, at, findings).map(LedgerConfig::Remote);
        }
        word(
            value,
            "local",
            "local or an object with cluster and uri",
            at,
            findings,
        )?;
        Some(LedgerConfig::Local)
    }
}

// === impl LeaseConfig ===

impl<'v> FromValue<'v> for LeaseConfig {
    fn from_value(value: &'v Value<'v>, at: At, findings: &mut Findings<'v>) -> Option<Self> {
        const EXPECTED: &str = "a share such as 2% or a whole number";
        match value {
            value if is_number(value) => {
                let value = u64::from_value(value, at, findings)?;
                Some(LeaseConfig::Fixed(Located { at, value }))
            }
            Value::String(text) => {
                let value = millionths(text);
                if value.is_none() {
                    findings.unfit(at, quoted(text), EXPECTED);
                }
                Some(LeaseConfig::Share(Located { at, value: value? }))
            }
            _ => {
                findings.wrong_type(at, value, EXPECTED);
                None
            }
        }
    }
}

/// Whether a value is a number, however it is written.
fn is_number(value: &Value<'_>) -> bool {
    matches!(value, Value::Number(_)) || scalar::large_number(value).is_some()
}

/// The only word that may stand in the place of an object.
fn word<'v>(
    value: &'v Value<'v>,
    word: &str,
    expected: &'static str,
    at: At,
    findings: &mut Findings<'v>,
) -> Option<()> {
    match value {
        Value::String(text) if text == word => return Some(()),
        Value::String(text) => findings.unfit(at, quoted(text), expected),
        _ => findings.wrong_type(at, value, expected),
    }
    None
}

/// `2%` is 20,000 of them. A number with four decimals at most.
fn millionths(share: &str) -> Option<u64> {
    const DECIMALS: usize = 4;
    let number = share.strip_suffix('%')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
        return None;
    }
    format!("{whole}{fraction:0<DECIMALS$}").parse().ok()
}

#[cfg(test)]
mod tests;
