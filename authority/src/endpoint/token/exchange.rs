//! Token exchange (RFC 8693): a client that was handed a token gets one of its own, to act for the same subject.

use std::time::Duration;

use crate::access_token::AccessToken;
use crate::app::App;
use crate::client::{Client, TokenFormat};
use crate::clock::UnixTime;
use crate::endpoint::token::narrowing;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::scope::Scopes;
use crate::secret::{self, Secret};
use crate::store::tokens;

/// RFC 8693 §3
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// How long an exchanged token is valid at most: when the subject's token is revoked, this one stays.
const MAX_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// How many clients one after the other may act. Two that may exchange each other's tokens would never end.
const MAX_ACTORS: usize = 8;

/// A token in the request.
struct Presented {
    token: &'static str,
    token_type: &'static str,
    is_missing: &'static str,
    is_invalid: &'static str,
}

const SUBJECT: Presented = Presented {
    token: "subject_token",
    token_type: "subject_token_type",
    is_missing: "subject_token and subject_token_type go together",
    is_invalid: "subject_token is not active, or not of its type",
};

const ACTOR: Presented = Presented {
    token: "actor_token",
    token_type: "actor_token_type",
    is_missing: "actor_token and actor_token_type go together",
    is_invalid: "actor_token is not active, or not of its type",
};

/// The token, bound to the key with this thumbprint, if there is one, and its `issued_token_type`.
///
/// Tokens that are invalid "or are unacceptable based on policy" are `invalid_request` (§2.2.2).
pub fn grant(
    app: &App,
    client: &Client,
    form: &Form,
    jkt: Option<&str>,
    now: UnixTime,
) -> Result<(AccessToken, &'static str), Refusal> {
    if client.may_exchange.is_empty() {
        return Err(Refusal::UnauthorizedClient(
            "this client may exchange no tokens",
        ));
    }
    let issued_token_type = issued_token_type(client, form)?;
    let subject = subject(app, client, form, jkt, now)?;

    let allowed = Scopes::parse(&subject.scope).map_err(|_| Refusal::InvalidScope)?;
    let allowed = allowed.intersection(&client.scopes);
    if allowed.is_empty() {
        return Err(Refusal::InvalidScope);
    }
    let scopes = narrowing::scopes(&allowed, form)?;
    let targets = form.all("resource").chain(form.all("audience"));
    let audiences = narrowing::audiences(client, targets)?;
    let lifetime = client.token_lifetime.min(MAX_LIFETIME);
    let mut actors = subject.actors;
    actors.insert(0, client.id.clone());
    let token = AccessToken {
        jti: secret::random::<16>()?,
        client_id: client.id.clone(),
        sub: subject.sub,
        scope: scopes.to_string(),
        audiences,
        tenant: subject.tenant,
        iat: now,
        exp: now.saturating_add(lifetime).min(subject.exp),
        actors,
        // The RFC is silent. How and when the subject was authenticated is as true as before, and a resource server that asks
        // for it can see by `act` that somebody else acts.
        acr: subject.acr,
        auth_time: subject.auth_time,
        // What the subject approved of was an action of the other client.
        authorization_details: None,
        jkt: jkt.map(str::to_owned),
    };
    Ok((token, issued_token_type))
}

/// The token of the subject, if the client may exchange it.
fn subject(
    app: &App,
    client: &Client,
    form: &Form,
    jkt: Option<&str>,
    now: UnixTime,
) -> Result<AccessToken, Refusal> {
    let subject = SUBJECT
        .find(app, form, now)?
        .ok_or(Refusal::InvalidRequest("subject_token is missing"))?;
    if !client.may_exchange.contains(&subject.client_id) {
        return Err(Refusal::InvalidRequest(
            "subject_token was issued to a client whose tokens this one may not exchange",
        ));
    }
    check_key(&subject, jkt)?;
    if let Some(actor) = ACTOR.find(app, form, now)? {
        // A token that the client got for another subject says nothing about the client itself.
        if actor.client_id != client.id || !actor.actors.is_empty() {
            return Err(Refusal::InvalidRequest(
                "actor_token is not the client's own",
            ));
        }
        check_key(&actor, jkt)?;
    }
    if subject.actors.len() >= MAX_ACTORS {
        return Err(Refusal::InvalidRequest(
            "too many clients act for the subject already",
        ));
    }
    Ok(subject)
}

/// Else whoever finds a bound token could exchange it for one that is not bound, or bound to another key.
fn check_key(presented: &AccessToken, jkt: Option<&str>) -> Result<(), Refusal> {
    match &presented.jkt {
        Some(bound_to) if Some(bound_to.as_str()) != jkt => Err(Refusal::InvalidDpopProof(
            "the proof by the key that a presented token is bound to is missing",
        )),
        _ => Ok(()),
    }
}

/// What the request wants, if it can have it: every token here is an access token, and may be a JWT.
fn issued_token_type(client: &Client, form: &Form) -> Result<&'static str, Refusal> {
    match (form.get("requested_token_type"), client.format) {
        (None | Some(ACCESS_TOKEN), _) => Ok(ACCESS_TOKEN),
        (Some(JWT), TokenFormat::Jwt) => Ok(JWT),
        _ => Err(Refusal::InvalidRequest(
            "requested_token_type: this client gets no such tokens",
        )),
    }
}

// === impl Presented ===

impl Presented {
    /// The token, if the request has it and it is active. `None`: the request has none.
    fn find(&self, app: &App, form: &Form, now: UnixTime) -> Result<Option<AccessToken>, Refusal> {
        let (token, token_type) = match (form.get(self.token), form.get(self.token_type)) {
            (None, None) => return Ok(None),
            (Some(token), Some(token_type)) => (token, token_type),
            _ => return Err(Refusal::InvalidRequest(self.is_missing)),
        };
        let is_of_type = match token_type {
            ACCESS_TOKEN => true,
            // No opaque token has a dot.
            JWT => token.contains('.'),
            _ => false,
        };
        // By its bytes: what the database does not have was not issued here, whatever it says.
        let stored = tokens::find(&app.database, &Secret::new(token.to_owned()))?;
        match stored {
            Some(stored) if is_of_type && stored.is_active(now) => Ok(Some(stored.token)),
            _ => Err(Refusal::InvalidRequest(self.is_invalid)),
        }
    }
}
