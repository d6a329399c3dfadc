//! What the scripted issuer issues, and what nobody did.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Credential, Place, until};
use crate::authority::AUDIENCE;
use crate::harness;
use crate::harness::keys::{Key, amended};
use crate::history::{Fact, now, turn};
use crate::issuer::{Issuer, Published};
use crate::oracle::Condition;
use crate::policy::{
    ALWAYS, CORP, INACTIVE_AT_ISSUER, INSIDE, INTROSPECTION_OF_ALWAYS, INTROSPECTION_OF_DESK,
    INTROSPECTION_OF_STRANGERS, LIST_OF_ISSUER, Policies, holds_inside_key, inside_key,
};
use crate::random::Random;

/// Claims of a good token, but for these changes.
pub(super) fn claims(issuer: &str, jti: &str, subject: &str, changes: Value) -> Value {
    let now = harness::now();
    let claims = json!({
        "iss": issuer, "aud": [AUDIENCE, "elsewhere"], "sub": subject, "client_id": "browser", "jti": jti,
        "scope": "data:read data:write", "tenant": "acme", "iat": now, "exp": now + 300,
    });
    amended(claims, changes)
}

pub(super) fn signed(key: &Key, header: Value, claims: &Value) -> String {
    let header = amended(
        json!({ "alg": key.alg, "kid": key.kid, "typ": "at+jwt" }),
        header,
    );
    key.seal(header.to_string(), claims.to_string())
}

pub(super) fn jwt(
    kind: String,
    value: String,
    provider: &'static str,
    subject: String,
    jti: String,
) -> Credential {
    Credential {
        kind,
        value,
        place: Place::Bearer,
        conditions: Vec::new(),
        provider,
        subject: Some(subject),
        client: Some("browser".to_owned()),
        scopes: vec!["data:read", "data:write"],
        tenant: Some("acme"),
        key_id: None,
        revoked: Fact::new(false),
        ended: Fact::new(false),
        jti: Some(jti),
        iat: now().as_secs(),
    }
}

/// A token of the issuer with these changes of header and claims.
pub(super) fn corp_token(
    issuer: &Issuer,
    random: &mut Random,
    header: Value,
    changes: Value,
) -> (Credential, Arc<Published>) {
    let published = issuer.key(random);
    let subject = format!("person {}", random.below(20));
    let jti = random.hex();
    let claims = claims(CORP, &jti, &subject, changes);
    let value = signed(&published.key, header, &claims);
    let exp = claims["exp"].as_u64().unwrap_or_default();
    let mut token = jwt(
        format!("{} of corp", published.key.alg),
        value,
        "corp",
        subject,
        jti,
    );
    token.conditions = vec![
        Condition::Is(Arc::clone(&published.fact), true, published.codes),
        until(Duration::from_secs(exp)),
        Condition::Is(Arc::clone(&token.revoked), false, &["TOKEN_REVOKED"]),
        Condition::Served(LIST_OF_ISSUER),
    ];
    (token, published)
}

pub fn corp(issuer: &Issuer, random: &mut Random) -> Credential {
    let (header, changes) = match random.below(12) {
        // Gone in a moment.
        0 => (json!({}), json!({ "exp": harness::now() + 2 })),
        1 => (json!({ "typ": "application/at+JWT" }), json!({})),
        2 => (json!({ "typ": null }), json!({ "aud": AUDIENCE })),
        _ => (json!({}), json!({})),
    };
    corp_token(issuer, random, header, changes).0
}

/// Of the provider whose HS256 key every configuration replaces.
pub fn inside(number: u64, random: &mut Random) -> Credential {
    let (jti, subject) = (random.hex(), "insider".to_owned());
    let claims = claims(INSIDE, &jti, &subject, json!({}));
    let value = signed(&inside_key(number), json!({}), &claims);
    let mut token = jwt("HS256 of inside".to_owned(), value, "inside", subject, jti);
    token.conditions = vec![Condition::ConfiguredBy(
        holds_inside_key(number),
        &["UNKNOWN_KEY"],
    )];
    token
}

/// Verified here, and then asked about.
pub fn always(policies: &Policies, random: &mut Random) -> Credential {
    let is_narrowed = random.percent(30);
    let jti = format!(
        "{}{}",
        if is_narrowed { "narrow" } else { "wide" },
        random.hex()
    );
    let subject = "under watch".to_owned();
    let claims = claims(ALWAYS, &jti, &subject, json!({}));
    let value = signed(&policies.always_key, json!({}), &claims);
    let mut token = jwt("ES256 of always".to_owned(), value, "always", subject, jti);
    if is_narrowed {
        token.scopes = vec!["data:read"];
    }
    token.conditions = vec![
        Condition::Is(Arc::clone(&token.revoked), false, &["TOKEN_INACTIVE"]),
        Condition::Served(INTROSPECTION_OF_ALWAYS),
    ];
    token
}

pub fn deactivate(issuer: &Issuer, token: &Credential) {
    turn(
        &[Arc::clone(&token.revoked)],
        true,
        INACTIVE_AT_ISSUER,
        || {
            issuer.deactivate(token.jti.as_deref().expect("a jti"));
        },
    );
}

/// A token that the gateway asks about every time, and waits for so many milliseconds.
pub fn desk(delay: u64, random: &mut Random) -> Credential {
    let is_good = random.percent(70);
    let word = if is_good { "good" } else { "bad" };
    let value = format!("desk-{word}-{delay}-{}", random.hex());
    let mut token = jwt(
        format!("opaque of desk, {word}"),
        value,
        "desk",
        "holder of a desk token".to_owned(),
        String::new(),
    );
    token.client = Some("desk".to_owned());
    token.scopes = vec!["data:read"];
    token.tenant = None;
    token.conditions = vec![Condition::Served(INTROSPECTION_OF_DESK)];
    if !is_good {
        token.conditions.push(Condition::Fails(&["TOKEN_INACTIVE"]));
    }
    token
}

/// An opaque token that nobody issued.
pub fn random_opaque(random: &mut Random) -> Credential {
    let value = format!("{}{}", random.hex(), random.hex());
    let mut token = jwt(
        "random opaque token".to_owned(),
        value,
        "authority",
        "nobody".to_owned(),
        String::new(),
    );
    token.conditions = vec![
        Condition::Fails(&["TOKEN_INACTIVE"]),
        Condition::Served(INTROSPECTION_OF_STRANGERS),
    ];
    token
}
