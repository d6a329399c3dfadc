//! What a token stands for.

use serde_json::{Map, Value, json};

use crate::clock::UnixTime;
use crate::issuer::Issuer;

pub struct AccessToken {
    pub jti: String,
    pub client_id: String,
    pub sub: String,
    pub scope: String,
    /// Not empty.
    pub audiences: Vec<String>,
    pub tenant: Option<String>,
    pub iat: UnixTime,
    pub exp: UnixTime,
}

impl AccessToken {
    /// The claims of RFC 9068 §2.2, which introspection (RFC 7662 §2.2) tells under the same names.
    pub fn claims(&self, issuer: &Issuer) -> Map<String, Value> {
        let Self {
            jti,
            client_id,
            sub,
            scope,
            audiences,
            tenant,
            iat,
            exp,
        } = self;
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("iss", issuer.as_str().into());
        claim("sub", sub.as_str().into());
        // RFC 7519 §4.1.3: one audience may be written without the array, and most readers expect so.
        claim(
            "aud",
            if let [one] = audiences.as_slice() {
                json!(one)
            } else {
                json!(audiences)
            },
        );
        claim("client_id", client_id.as_str().into());
        claim("scope", scope.as_str().into());
        claim("iat", iat.seconds().into());
        claim("exp", exp.seconds().into());
        claim("jti", jti.as_str().into());
        if let Some(tenant) = tenant {
            claim("tenant", tenant.as_str().into());
        }
        claims
    }
}
