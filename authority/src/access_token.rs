//! Access tokens: what one stands for, and the claims that say it.

use serde::Serialize;

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
}

/// RFC 7519 §4.1.3: a single audience may be a string, and most readers expect that.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Many(&'a [String]),
}

impl AccessToken {
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
        }
    }
}
