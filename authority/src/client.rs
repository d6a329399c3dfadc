//! Registered clients, and how a request proves that it comes from one (RFC 6749 §2.3.1).

use std::collections::HashMap;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::algorithm::Algorithm;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::scope::Scopes;
use crate::secret::{Secret, SecretHash};

pub struct Client {
    pub id: String,
    pub secret: SecretHash,
    /// What it may ask for; empty: it gets no tokens.
    pub scopes: Scopes,
    /// Whom its tokens are for, and, where it may introspect, whose tokens it may learn about.
    pub audiences: Vec<String>,
    pub algorithm: Algorithm,
    pub token_lifetime: Duration,
    pub format: TokenFormat,
    pub subject: String,
    pub tenant: Option<String>,
    pub may_introspect: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFormat {
    Jwt,
    Opaque,
}

pub struct Clients(HashMap<String, Client>);

struct Credentials {
    id: String,
    secret: Secret,
}

// === impl Clients ===

impl Clients {
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        Self(
            clients
                .into_iter()
                .map(|client| (client.id.clone(), client))
                .collect(),
        )
    }

    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.0.values()
    }

    /// By HTTP Basic or by `client_id` and `client_secret` in the body.
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

    /// What is for resource servers alone besides introspection: the lists that they poll.
    pub fn authenticate_introspector(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.authenticate_basic(headers)?.may_introspect {
            Ok(())
        } else {
            Err(Refusal::AccessDenied("this client may not introspect"))
        }
    }

    /// By HTTP Basic alone: what resource servers do at the introspection endpoint.
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

/// `None`: another scheme or none, which authenticates nobody here.
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

/// RFC 6749 §2.3.1: both halves went through `application/x-www-form-urlencoded` first.
fn form_decode(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| Refusal::InvalidClient)?;
    Ok(decoded.into_owned())
}
