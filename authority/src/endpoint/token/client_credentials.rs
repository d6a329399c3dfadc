//! The client credentials grant (RFC 6749 §4.4): the client acts for itself.

use crate::access_token::AccessToken;
use crate::client::Client;
use crate::clock::UnixTime;
use crate::endpoint::token::narrowing;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::secret;

/// The token, bound to the key with this thumbprint, if there is one.
pub fn grant(
    client: &Client,
    form: &Form,
    jkt: Option<&str>,
    now: UnixTime,
) -> Result<AccessToken, Refusal> {
    let scopes = narrowing::scopes(&client.scopes, form)?;
    let audiences = narrowing::audiences(client, form.all("resource"))?;
    let made_up = &client.made_up;
    Ok(AccessToken {
        jti: secret::random::<16>()?,
        client_id: client.id.clone(),
        sub: client.subject.clone(),
        scope: scopes.to_string(),
        audiences,
        tenant: client.tenant.clone(),
        iat: now,
        exp: now.saturating_add(client.token_lifetime),
        actors: Vec::new(),
        acr: made_up.acr.clone(),
        auth_time: made_up.auth_age.map(|age| now.saturating_sub(age)),
        authorization_details: made_up.authorization_details.clone(),
        jkt: jkt.map(str::to_owned),
    })
}
