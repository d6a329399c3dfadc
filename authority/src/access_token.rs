//! Access tokens: what one stands for, and the claims that say it.

use serde::Serialize;
use serde_json::Value;

use crate::clock::UnixTime;
use crate::issuer::Issuer;

/// What an access token stands for, whatever its format.
pub struct AccessToken {
    /// The token's own identifier, by which it is revoked.
    pub jti: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// The subject.
    pub sub: String,
    /// The scope tokens, separated by spaces.
    pub scope: String,
    /// The resource servers that it is for; never empty.
    pub audiences: Vec<String>,
    /// The tenant, where the client has one.
    pub tenant: Option<String>,
    /// When it was issued.
    pub iat: UnixTime,
    /// When it expires.
    pub exp: UnixTime,
    /// The clients that act for the subject, the one that acts now first (RFC 8693 §4.1). Empty: the subject acts itself.
    pub actors: Vec<String>,
    /// How the subject was authenticated.
    pub acr: Option<String>,
    /// When the subject was authenticated.
    pub auth_time: Option<UnixTime>,
    /// What was granted beside scopes (RFC 9396).
    pub authorization_details: Option<Value>,
    /// The thumbprint of the key that it is bound to (RFC 9449 §6.1). `None`: whoever bears it may use it.
    pub jkt: Option<String>,
}

/// The claims of RFC 9068 §2.2. Introspection answers (RFC 7662 §2.2) have them under the same names.
#[derive(Serialize)]
pub struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Audience<'a>,
    client_id: &'a str,
    scope: &'a str,
    iat: UnixTime,
    exp: UnixTime,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Box<Act<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
}

/// RFC 8693 §4.1: an earlier actor stands within a later one.
#[derive(Serialize)]
struct Act<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Box<Self>>,
}

/// RFC 7800 §3.1
#[derive(Serialize)]
struct Confirmation<'a> {
    jkt: &'a str,
}

/// RFC 7519 §4.1.3: a single audience may be a string, and most readers expect that.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Many(&'a [String]),
}

impl AccessToken {
    /// The scheme that it is presented with.
    pub fn token_type(&self) -> &'static str {
        match self.jkt {
            None => "Bearer",
            Some(_) => "DPoP",
        }
    }

    /// Its claims, as tokens of this issuer.
    pub fn claims<'a>(&'a self, issuer: &'a Issuer) -> Claims<'a> {
        Claims {
            iss: issuer.as_str(),
            sub: &self.sub,
            aud: match self.audiences.as_slice() {
                [one] => Audience::One(one),
                many => Audience::Many(many),
            },
            client_id: &self.client_id,
            scope: &self.scope,
            iat: self.iat,
            exp: self.exp,
            jti: &self.jti,
            tenant: self.tenant.as_deref(),
            act: self
                .actors
                .iter()
                .rev()
                .fold(None, |act, sub| Some(Box::new(Act { sub, act }))),
            acr: self.acr.as_deref(),
            auth_time: self.auth_time,
            authorization_details: self.authorization_details.as_ref(),
            cnf: self.jkt.as_deref().map(|jkt| Confirmation { jkt }),
        }
    }
}
