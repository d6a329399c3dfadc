//! The registered clients, and their authentication (RFC 6749 §2.3.1).

use std::collections::HashMap;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::algorithm::Algorithm;
use crate::form::Form;
use crate::made_up::MadeUp;
use crate::refusal::Refusal;
use crate::scope::Scopes;
use crate::secret::{Secret, SecretHash};

/// A client of the configuration.
pub struct Client {
    /// `client_id`
    pub id: String,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// The scopes that it may ask for. Empty: it gets no tokens.
    pub scopes: Scopes,
    /// The audiences of its tokens. A client that may introspect is told about tokens for these audiences only.
    pub audiences: Vec<String>,
    /// What its JWTs are signed with.
    pub algorithm: Algorithm,
    /// How long its tokens are valid.
    pub token_lifetime: Duration,
    /// The format of its tokens.
    pub format: TokenFormat,
    /// `sub` of its tokens.
    pub subject: String,
    /// `tenant` of its tokens.
    pub tenant: Option<String>,
    /// Whether it may use the introspection endpoint and read the lists.
    pub may_introspect: bool,
    /// The clients whose tokens it may exchange (RFC 8693).
    pub may_exchange: Vec<String>,
    /// What its own tokens say beyond what is so.
    pub made_up: MadeUp,
}

/// The format of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFormat {
    /// A signed JWT (RFC 9068).
    Jwt,
    /// A random string.
    Opaque,
}

/// All clients by their ids.
pub struct Clients(HashMap<String, Client>);

struct Credentials {
    id: String,
    secret: Secret,
}

// === impl Clients ===

impl Clients {
    /// Clients with distinct ids.
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        Self(
            clients
                .into_iter()
                .map(|client| (client.id.clone(), client))
                .collect(),
        )
    }

    /// In no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.0.values()
    }

    /// Authenticates a client by HTTP Basic, or by `client_id` and `client_secret` in the body.
    pub fn authenticate(&self, headers: &HeaderMap, form: &Form) -> Result<&Client, Refusal> {
        let credentials = match (basic(headers)?, form.get("client_secret")) {
            // "The client MUST NOT use more than one authentication method in each request."
            (Some(_), Some(_)) => {
                return Err(Refusal::InvalidRequest(
                    "more than one client authentication",
                ));
            }
            (Some(basic), None) if form.get("client_id").is_some_and(|id| id != basic.id) => {
                return Err(Refusal::InvalidRequest(
                    "client_id is not the authenticated client",
                ));
            }
            (Some(basic), None) => basic,
            (None, Some(secret)) => Credentials {
                id: form
                    .get("client_id")
                    .ok_or(Refusal::InvalidClient)?
                    .to_owned(),
                secret: Secret::new(secret.to_owned()),
            },
            (None, None) => return Err(Refusal::InvalidClient),
        };
        self.verify(&credentials)
    }

    /// Authenticates a client that may introspect. The lists that resource servers poll are for such clients only.
    pub fn authenticate_introspector(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.authenticate_basic(headers)?.may_introspect {
            Ok(())
        } else {
            Err(Refusal::AccessDenied("this client may not introspect"))
        }
    }

    /// Authenticates a client by HTTP Basic only, as at the introspection endpoint.
    pub fn authenticate_basic(&self, headers: &HeaderMap) -> Result<&Client, Refusal> {
        self.verify(&basic(headers)?.ok_or(Refusal::InvalidClient)?)
    }

    fn verify(&self, credentials: &Credentials) -> Result<&Client, Refusal> {
        let client = self.0.get(&credentials.id);
        let hash = client.map_or(&SecretHash::UNMATCHABLE, |client| &client.secret);
        match (hash.matches(&credentials.secret), client) {
            (true, Some(client)) => Ok(client),
            _ => Err(Refusal::InvalidClient),
        }
    }
}

/// The credentials in the Authorization header. `None`: there is no header, or its scheme is not Basic.
///
/// Not the `headers` crate: that overlooks a second header, and does not decode the halves as RFC 6749 wants.
fn basic(headers: &HeaderMap) -> Result<Option<Credentials>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::InvalidRequest(
            "more than one Authorization header",
        ));
    }
    let value = value.to_str().map_err(|_| Refusal::InvalidClient)?;
    let Some((scheme, encoded)) = value.split_once(' ') else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let decoded = STANDARD.decode(encoded.trim_start_matches(' '));
    let text = String::from_utf8(decoded.map_err(|_| Refusal::InvalidClient)?);
    let text = text.map_err(|_| Refusal::InvalidClient)?;
    let (id, secret) = text.split_once(':').ok_or(Refusal::InvalidClient)?;
    Ok(Some(Credentials {
        id: form_decode(id)?,
        secret: Secret::new(form_decode(secret)?),
    }))
}

/// RFC 6749 §2.3.1: id and secret are each form-encoded before they are joined.
fn form_decode(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| Refusal::InvalidClient)?;
    Ok(decoded.into_owned())
}
