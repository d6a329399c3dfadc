//! The section `[[clients]]`.

use std::time::Duration;

use serde::Deserialize;

use crate::algorithm::Algorithm;
use crate::client::{Client, TokenFormat};
use crate::clock::HumanDuration;
use crate::config::invalid::{Invalid, seconds};
use crate::config::made_up;
use crate::scope::Scopes;
use crate::secret::SecretHash;

/// How long tokens are valid where the client does not say it.
pub const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A client as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientEntry {
    id: String,
    secret_hash: String,
    #[serde(default)]
    scopes: String,
    audiences: Option<Vec<String>>,
    algorithm: Option<Algorithm>,
    token_lifetime: Option<HumanDuration>,
    access_token_format: Option<FormatEntry>,
    subject: Option<String>,
    tenant: Option<String>,
    #[serde(default)]
    introspect: bool,
    #[serde(default)]
    may_exchange: Vec<String>,
    acr: Option<String>,
    auth_age: Option<HumanDuration>,
    authorization_details: Option<Vec<toml::Table>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatEntry {
    Jwt,
    Opaque,
}

/// Compiles the entry with this index.
pub fn compile(
    index: usize,
    entry: ClientEntry,
    default_audience: &str,
    has_faults: bool,
    faults: &mut Vec<Invalid>,
) -> Client {
    let ClientEntry {
        id,
        secret_hash,
        scopes,
        audiences,
        algorithm,
        token_lifetime,
        access_token_format,
        subject,
        tenant,
        introspect,
        may_exchange,
        acr,
        auth_age,
        authorization_details,
    } = entry;
    let token_lifetime = seconds(
        token_lifetime,
        DEFAULT_TOKEN_LIFETIME,
        &format!("clients[{index}].token_lifetime"),
        faults,
    );
    let made_up = made_up::Keys {
        acr,
        auth_age,
        authorization_details,
    };
    let made_up = made_up::compile(index, made_up, has_faults, faults);
    let mut fault = |key, problem| faults.push(Invalid::of_client(index, key, problem));

    if id.is_empty() {
        fault("id", "expected a name");
    }
    let secret = SecretHash::parse(&secret_hash).unwrap_or_else(|_| {
        fault(
            "secret_hash",
            "expected sha256:<64 hex digits>, as `authority hash-secret` prints it",
        );
        SecretHash::UNMATCHABLE
    });
    if secret.is_of_empty_secret() {
        fault(
            "secret_hash",
            "the hash of the empty string: expected that of a secret",
        );
    }
    let scopes = Scopes::parse(&scopes).unwrap_or_else(|_| {
        fault(
            "scopes",
            "expected scope tokens, each once, with one space between two (RFC 6749 §3.3)",
        );
        Scopes::default()
    });
    if scopes.is_empty() && !may_exchange.is_empty() {
        fault(
            "may_exchange",
            "the client gets no tokens: its scopes are missing",
        );
    }
    if scopes.is_empty() && !introspect {
        fault(
            "scopes",
            "required: the client may neither get tokens nor introspect them",
        );
    }
    let audiences = audiences.unwrap_or_else(|| vec![default_audience.to_owned()]);
    if audiences.is_empty() || audiences.iter().any(String::is_empty) {
        fault("audiences", "expected at least one name");
    }
    let subject = subject.unwrap_or_else(|| id.clone());
    if subject.is_empty() {
        fault("subject", "expected a name");
    }
    Client {
        id,
        secret,
        scopes,
        audiences,
        algorithm: algorithm.unwrap_or(Algorithm::Rs256),
        token_lifetime,
        format: match access_token_format {
            None | Some(FormatEntry::Jwt) => TokenFormat::Jwt,
            Some(FormatEntry::Opaque) => TokenFormat::Opaque,
        },
        subject,
        tenant,
        may_introspect: introspect,
        may_exchange,
        made_up,
    }
}
