//! What the authority issues: JWTs, opaque tokens, API keys; and the API keys of the configuration.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Credential, Place, Pools, READING, until};
use crate::authority::{AUDIENCE, Authority, CLIENTS, Client};
use crate::harness;
use crate::harness::keys::{decode, fresh_api_key};
use crate::history::{Fact, lock, now, turn, turn_at};
use crate::oracle::{Codes, Condition};
use crate::policy::{
    API_KEY_AT_AUTHORITY, INTROSPECTION_OF_AUTHORITY, LIST_OF_AUTHORITY, NEW_KEY_OF_AUTHORITY,
    OLD_KEY_OF_AUTHORITY, Policies, STATUS_OF_AUTHORITY, TOLERANCE,
};
use crate::random::Random;

impl Pools {
    /// A token of the authority, which must be up.
    pub fn mint(&self, authority: &Authority, client: Client) -> Credential {
        // Its `iat` is known where the second did not change meanwhile.
        let (before, value) = loop {
            let before = now();
            let value = authority.token(client.id);
            if now().as_secs() == before.as_secs() {
                break (before, value);
            }
        };
        let revoked = Fact::new(false);
        let mut credential = Credential {
            kind: format!(
                "{} of {}",
                if client.is_opaque {
                    "opaque"
                } else {
                    client.algorithm
                },
                client.id
            ),
            value,
            place: Place::Bearer,
            conditions: Vec::new(),
            provider: "authority",
            subject: Some(format!("subject of {}", client.id)),
            client: Some(client.id.to_owned()),
            scopes: client.scopes.split(' ').collect(),
            tenant: client.tenant,
            key_id: None,
            revoked: Arc::clone(&revoked),
            jti: None,
            ended: Fact::new(false),
            iat: before.as_secs(),
        };
        let lifetime = Duration::from_secs(client.lifetime);
        if client.is_opaque {
            // The authority judges by `exp`, the gateway grants what it remembers a clock tolerance.
            let exp = Duration::from_secs(before.as_secs()) + lifetime;
            let (earliest, latest) = (exp.saturating_sub(READING), exp + TOLERANCE + READING);
            credential.conditions = vec![
                Condition::Until(earliest, latest, &["TOKEN_INACTIVE", "TOKEN_EXPIRED"]),
                Condition::Is(revoked, false, &["TOKEN_INACTIVE", "TOKEN_REVOKED"]),
                Condition::Served(INTROSPECTION_OF_AUTHORITY),
                Condition::Served(LIST_OF_AUTHORITY),
            ];
            return credential;
        }
        let part = |index: usize| -> Value {
            let part = credential.value.split('.').nth(index).expect("a JWT");
            serde_json::from_slice(&decode(part)).expect("JSON")
        };
        let (header, claims) = (part(0), part(1));
        let kid = header["kid"].as_str().expect("a kid");
        credential.jti = Some(claims["jti"].as_str().expect("a jti").to_owned());
        let exp = Duration::from_secs(claims["exp"].as_u64().expect("an exp"));
        credential.conditions = vec![
            Condition::Is(self.authority_key(kid), true, &["UNKNOWN_KEY"]),
            until(exp),
            Condition::Is(revoked, false, &["TOKEN_REVOKED"]),
            Condition::Served(LIST_OF_AUTHORITY),
            Condition::Served(STATUS_OF_AUTHORITY),
        ];
        if client.audience != AUDIENCE {
            credential
                .conditions
                .push(Condition::Fails(&["INVALID_AUDIENCE"]));
        }
        credential
    }

    fn authority_key(&self, kid: &str) -> Arc<Fact> {
        let keys = lock(&self.authority_keys);
        let found = keys.iter().find(|(other, _)| other == kid);
        Arc::clone(&found.expect("a kid that is published").1)
    }

    /// The kids that are there from the start.
    pub fn know_kids(&self, authority: &Authority) {
        let kids = authority.kids().into_iter();
        *lock(&self.authority_keys) = kids.map(|kid| (kid, Fact::new(true))).collect();
    }

    /// The kids of new keys are known only afterwards: the authority waits with its tokens for so long.
    pub fn rotate_authority(&self, authority: &Authority, drop_old: bool) {
        let old: Vec<Arc<Fact>> = match drop_old {
            true => lock(&self.authority_keys)
                .iter()
                .map(|(_, fact)| Arc::clone(fact))
                .filter(|fact| fact.latest())
                .collect(),
            false => Vec::new(),
        };
        let fresh = Fact::new(false);
        turn(&[Arc::clone(&fresh)], true, NEW_KEY_OF_AUTHORITY, || {
            turn(&old, false, OLD_KEY_OF_AUTHORITY, || {
                authority.rotate_keys(drop_old)
            });
        });
        let mut keys = lock(&self.authority_keys);
        for kid in authority.kids() {
            if keys.iter().all(|(known, _)| *known != kid) {
                keys.push((kid, Arc::clone(&fresh)));
            }
        }
    }

    /// An entry by subject, by client or by both for tokens of a client that are older than a second; the entry, and what it revokes.
    pub fn revocation(&self, random: &mut Random) -> (Value, Vec<Arc<Fact>>) {
        let client = *random.pick(&CLIENTS);
        // A token that was issued in this second may be judged either way: the test does not know the clocks that exactly.
        let before = harness::now() - 2;
        let entry = match random.below(3) {
            0 => json!({ "client_id": client.id, "before": before }),
            1 => json!({ "sub": format!("subject of {}", client.id), "before": before }),
            _ => {
                json!({ "client_id": client.id, "sub": format!("subject of {}", client.id), "before": before })
            }
        };
        let (mut facts, is_older) = (Vec::new(), |it: &Credential| {
            it.iat <= before.unsigned_abs()
        });
        for credential in self.authority.all().into_iter().chain(self.opaque.all()) {
            if credential.client.as_deref() == Some(client.id) && is_older(&credential) {
                facts.push(Arc::clone(&credential.revoked));
            }
        }
        (entry, facts)
    }

    // === API keys ===

    pub fn mint_api_key(&self, authority: &Authority, number: u64) -> Credential {
        let known = Fact::new(false);
        let client = format!("machine {number}");
        let (id, value) = turn(&[Arc::clone(&known)], true, API_KEY_AT_AUTHORITY, || {
            authority.mint(&client)
        });
        api_key("minted API key", value, &id, client, known)
    }

    /// A key in the place of another, which expires within two seconds.
    pub fn rotate_api_key(&self, authority: &Authority, old: &Credential) -> Credential {
        const GRACE: u64 = 2;
        let known = Fact::new(false);
        let begun = now();
        let (id, value) = turn(&[Arc::clone(&known)], true, API_KEY_AT_AUTHORITY, || {
            // The end has whole seconds; and the gateway learns of it as of all that changes on the list.
            let grace = Duration::from_secs(GRACE);
            let earliest = (begun + grace).saturating_sub(Duration::from_secs(1));
            turn_at(
                &old.ended,
                true,
                API_KEY_AT_AUTHORITY,
                (earliest, begun + grace + Duration::from_secs(1)),
            );
            authority.rotate_key(old.key_id.as_deref().expect("an id"), GRACE)
        });
        let client = old.client.clone().expect("a client");
        api_key("rotated API key", value, &id, client, known)
    }
}

fn api_key(kind: &str, value: String, id: &str, client: String, known: Arc<Fact>) -> Credential {
    let (revoked, ended) = (Fact::new(false), Fact::new(false));
    Credential {
        kind: kind.to_owned(),
        value,
        place: Place::ApiKey,
        conditions: vec![
            Condition::Is(known, true, &["INVALID_API_KEY"]),
            Condition::Is(Arc::clone(&revoked), false, &["API_KEY_REVOKED"]),
            Condition::Is(Arc::clone(&ended), false, &["API_KEY_EXPIRED"]),
            Condition::Served(LIST_OF_AUTHORITY),
        ],
        provider: "api_keys",
        subject: Some(client.clone()),
        client: Some(client),
        scopes: vec!["data:read"],
        tenant: Some("acme"),
        key_id: Some(id.to_owned()),
        revoked,
        ended,
        jti: None,
        iat: now().as_secs(),
    }
}

/// Any of the configuration's own keys.
pub fn inline_api_key(policies: &Policies, random: &mut Random) -> Credential {
    let inline = &policies.inline;
    let (id, value, codes): (&str, &str, Codes) = match random.below(6) {
        0 | 1 => ("plain", &inline.plain, &[]),
        2 => ("hmac", &inline.hmac, &[]),
        3 => ("expired", &inline.expired, &["API_KEY_EXPIRED"]),
        4 => ("early", &inline.early, &["API_KEY_NOT_YET_VALID"]),
        _ => ("revoked", &inline.revoked, &["API_KEY_REVOKED"]),
    };
    let known = Fact::new(true);
    let key = api_key(
        &format!("inline API key {id}"),
        value.to_owned(),
        id,
        format!("client of {id}"),
        known,
    );
    match codes {
        [] => key,
        codes => key.spoilt(&format!("inline API key {id}"), value.to_owned(), codes),
    }
}

pub fn unknown_api_key() -> Credential {
    let known = Fact::new(false);
    api_key(
        "unknown API key",
        fresh_api_key(),
        "none",
        "nobody".to_owned(),
        known,
    )
}
