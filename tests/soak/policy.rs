//! The plugin configuration in its variants, the good and the bad ones, and what follows from its intervals.

use std::time::Duration;

use serde_json::{Value, json};

use crate::authority::{AUDIENCE, AUTHORITY};
use crate::harness::keys::{Key, hmac_sha256, jwks, sha256};
use crate::harness::rfc3339;
use crate::history::{Trouble, Way};
use crate::oracle::{Service, way};
use crate::random::Random;

pub const CORP: &str = "https://idp.example.com/";
pub const DESK: &str = "https://desk.example.com";
pub const ALWAYS: &str = "https://always.example.com";
pub const INSIDE: &str = "https://inside.example.com";

/// The pepper of the inline API keys.
pub const PEPPER: &str = "a pepper for the soak's own keys";

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// What the configuration says, below.
const TIMEOUT: Duration = seconds(1);
const LIST_INTERVAL: Duration = seconds(1);
const KEYS_INTERVAL: Duration = seconds(3);
const MIN_REFETCH: Duration = seconds(1);
const MAX_STALENESS: Duration = seconds(8);
const CACHE_TTL: Duration = seconds(2);
const ALWAYS_TTL: Duration = seconds(1);
pub const TOLERANCE: Duration = seconds(1);
pub const DESK_TIMEOUT: Duration = seconds(2);

/// What the contract grants beyond interval and fetch.
const GRANTED: Duration = seconds(1);

/// What a fetch takes on a busy machine.
const FETCH: Duration = seconds(1);

/// A fetch that dies with its VM is repeated when its lease is over: a second after its timeout.
const LOST: Duration = seconds(2);

const AUTHORITY_STOPS: &[(Trouble, Duration)] = &[
    (Trouble::AuthorityDown, Duration::ZERO),
    (Trouble::Trap, LOST),
    (Trouble::Stall, Duration::ZERO),
];
const ISSUER_STOPS: &[(Trouble, Duration)] = &[
    // A call that began in its last moment runs into its timeout.
    (Trouble::IssuerFails, TIMEOUT),
    (Trouble::Trap, LOST),
    (Trouble::Stall, Duration::ZERO),
];

// How changes at the services reach the gateway.
const REVOCATION_LAG: Duration =
    seconds(LIST_INTERVAL.as_secs() + FETCH.as_secs() + GRANTED.as_secs());
const NEW_KEY_LAG: Duration = seconds(MIN_REFETCH.as_secs() + TIMEOUT.as_secs() + FETCH.as_secs());
const OLD_KEY_LAG: Duration =
    seconds(KEYS_INTERVAL.as_secs() + FETCH.as_secs() + GRANTED.as_secs());
const INACTIVE_LAG: Duration = seconds(CACHE_TTL.as_secs() + FETCH.as_secs());

pub const REVOKED_AT_AUTHORITY: Way = way(REVOCATION_LAG, AUTHORITY_STOPS);
pub const REVOKED_AT_ISSUER: Way = way(REVOCATION_LAG, ISSUER_STOPS);
pub const INACTIVE_AT_ISSUER: Way = way(INACTIVE_LAG, ISSUER_STOPS);
pub const NEW_KEY_OF_AUTHORITY: Way = way(NEW_KEY_LAG, AUTHORITY_STOPS);
pub const NEW_KEY_OF_ISSUER: Way = way(NEW_KEY_LAG, ISSUER_STOPS);
pub const OLD_KEY_OF_AUTHORITY: Way = way(OLD_KEY_LAG, AUTHORITY_STOPS);
pub const OLD_KEY_OF_ISSUER: Way = way(OLD_KEY_LAG, ISSUER_STOPS);
pub const API_KEY_AT_AUTHORITY: Way = way(REVOCATION_LAG, AUTHORITY_STOPS);

// What requests need of the services (docs/callouts.md, "When a service fails").
pub const LIST_OF_AUTHORITY: Service = list_of(Trouble::AuthorityDown);
pub const LIST_OF_ISSUER: Service = list_of(Trouble::IssuerFails);

const fn list_of(trouble: Trouble) -> Service {
    Service {
        trouble,
        code: "REVOCATION_UNAVAILABLE",
        recovers_in: REVOCATION_LAG,
        remembered_for: Some(millis(1000 * MAX_STALENESS.as_secs() + 500)),
        also: &[],
    }
}

/// The list is asked for anew when its `ttl` has passed.
pub const STATUS_OF_AUTHORITY: Service = Service {
    trouble: Trouble::AuthorityDown,
    code: "REVOCATION_UNAVAILABLE",
    recovers_in: seconds(2),
    remembered_for: Some(seconds(4)),
    // Random kids use up the fetch of keys that the new list needs.
    also: &[(Trouble::AuthorityRotates, NEW_KEY_LAG)],
};

pub const INTROSPECTION_OF_AUTHORITY: Service = Service {
    trouble: Trouble::AuthorityDown,
    code: "INTROSPECTION_UNAVAILABLE",
    recovers_in: seconds(2),
    remembered_for: Some(seconds(CACHE_TTL.as_secs() + 2)),
    also: &[],
};

/// For tokens that nobody has seen.
pub const INTROSPECTION_OF_STRANGERS: Service = Service {
    remembered_for: Some(millis(200)),
    ..INTROSPECTION_OF_AUTHORITY
};

pub const INTROSPECTION_OF_DESK: Service = Service {
    trouble: Trouble::IssuerFails,
    code: "INTROSPECTION_UNAVAILABLE",
    recovers_in: seconds(3),
    remembered_for: Some(seconds(3)),
    also: &[],
};

pub const INTROSPECTION_OF_ALWAYS: Service = Service {
    recovers_in: seconds(2),
    remembered_for: Some(seconds(ALWAYS_TTL.as_secs() + 2)),
    ..INTROSPECTION_OF_DESK
};

/// A request may wait for keys, a revocation list, a status list and the keys that signed it, and an introspection, one after the other.
pub const LIMIT: Duration = seconds(5 * TIMEOUT.as_secs());

/// The HS256 key of a configuration.
pub fn inside_key(number: u64) -> Key {
    Key::hs256(
        &format!("inside-{number}"),
        format!("the secret of inside that has the number {number:020}"),
    )
}

/// The configurations under which a token by that key holds: its own and the next.
pub fn holds_inside_key(number: u64) -> Vec<u64> {
    vec![number, number + 1]
}

/// What `/flip` makes of a request without credential, by the configuration's number.
pub fn flip(number: u64) -> Option<&'static str> {
    match number % 3 {
        0 => None,
        1 => Some("RULE_DENIES"),
        _ => Some("MISSING_TOKEN"),
    }
}

/// Inline API keys. `hmac` and `plain` are good.
pub struct InlineKeys {
    pub plain: String,
    pub hmac: String,
    pub expired: String,
    pub early: String,
    pub revoked: String,
}

pub struct Policies {
    /// Of the provider `always`, whose keys do not change.
    pub always_key: Key,
    pub inline: InlineKeys,
    started_at: i64,
}

impl Policies {
    pub fn new(always_key: Key, inline: InlineKeys) -> Self {
        Self {
            always_key,
            inline,
            started_at: crate::harness::now(),
        }
    }

    /// Whatever its number, it judges alike, but for `/flip` and the keys of `inside`.
    pub fn good(&self, number: u64) -> Value {
        let flipping = match number % 3 {
            0 => json!({ "access": "anonymous" }),
            1 => json!({ "access": "deny" }),
            _ => json!({ "credentials": ["corp"] }),
        };
        // The default most of the time, else caches that are always full and none at all.
        let entries = match number % 5 {
            1 => 64,
            3 => 0,
            _ => 4096,
        };
        let rule = |path: &str, rest: Value| {
            let mut rule = rest;
            rule["match"] = json!({ "path": { "prefix": path } });
            rule
        };
        let everybody = json!(["authority", "corp", "inside", "api_keys"]);
        json!({
            "realm": format!("soak-{number}"),
            "providers": {
                "authority": authority_provider(),
                "corp": corp_provider(),
                "desk": desk_provider(),
                "always": self.always_provider(),
                "inside": inside_provider(number),
            },
            "api_keys": self.api_keys(),
            "rules": [
                rule("/public", json!({ "access": "anonymous" })),
                rule("/closed", json!({ "access": "deny" })),
                rule("/flip", flipping),
                rule("/optional", json!({ "access": "optional", "credentials": everybody })),
                rule("/data", json!({ "credentials": everybody })),
                rule("/read", json!({ "credentials": everybody, "scopes": { "all": ["data:read"] } })),
                rule("/write", json!({ "credentials": everybody, "scopes": { "any": ["data:write", "data:admin"] } })),
                rule("/acme", json!({ "credentials": everybody, "claims": [{ "claim": "tenant", "equals": "acme" }] })),
                rule("/keys", json!({ "credentials": ["api_keys"], "scopes": { "all": ["data:read"] } })),
                rule("/desk", json!({ "credentials": ["desk"] })),
                rule("/always", json!({ "credentials": ["always"], "scopes": { "all": ["data:read"] } })),
            ],
            "limits": { "token_cache_entries": entries },
        })
    }

    fn always_provider(&self) -> Value {
        json!({
            "issuer": ALWAYS,
            "audiences": [AUDIENCE],
            "jwks": { "inline": jwks([&self.always_key]) },
            "introspection": {
                "cluster": "idp",
                "uri": "http://idp.example.com/confirm",
                "client_id": "gateway",
                "client_secret": { "env": "INTROSPECTION_SECRET" },
                "when": "always",
                "timeout": "1s",
                "cache_ttl": "1s",
                "negative_cache_ttl": "1s",
            },
        })
    }

    fn api_keys(&self) -> Value {
        let InlineKeys {
            plain,
            hmac,
            expired,
            early,
            revoked,
        } = &self.inline;
        let key = |id: &str, hash: String| json!({ "id": id, "client": format!("client of {id}"), "hash": hash, "scopes": ["data:read"], "tenant": "acme" });
        let mut keys = [
            key("plain", sha256(plain)),
            key("hmac", hmac_sha256(PEPPER, hmac)),
            key("expired", sha256(expired)),
            key("early", sha256(early)),
            key("revoked", sha256(revoked)),
        ];
        keys[2]["expires_at"] = json!(rfc3339(self.started_at - 100));
        keys[3]["not_before"] = json!(rfc3339(self.started_at + 86_400));
        keys[4]["revoked"] = json!(true);
        json!({
            "pepper": { "env": "API_KEY_PEPPER" },
            "keys": keys,
            "remote": with_credential(json!({ "cluster": "authority", "uri": "http://authority/api-keys", "timeout": "1s", "refresh_interval": "1s" })),
            "revocation": { "list": list("authority", "http://authority/api-keys/revocations") },
        })
    }

    /// A configuration that Envoy must not take, and why. Were it taken, everybody would get in.
    pub fn bad(&self, number: u64, random: &mut Random) -> (&'static str, Value) {
        let mut policy = self.good(number);
        policy["rules"] = json!([{ "access": "anonymous" }]);
        let fault = *random.pick(&[
            "an unknown key",
            "a rule that names an unknown provider",
            "no issuer",
            "a variable that is unset",
            "two API keys of one id",
            "a hash that is none",
            "a duration without unit",
            "no object",
        ]);
        match fault {
            "an unknown key" => policy["rules"][0]["acces"] = json!("deny"),
            "a rule that names an unknown provider" => {
                policy["rules"]
                    .as_array_mut()
                    .expect("rules are a list")
                    .push(json!({ "credentials": ["copr"] }));
            }
            "no issuer" => {
                let corp = policy["providers"]["corp"].as_object_mut();
                corp.expect("a provider is an object").remove("issuer");
            }
            "a variable that is unset" => {
                policy["api_keys"]["pepper"] = json!({ "env": "NOBODY_SETS_THIS" });
            }
            "two API keys of one id" => policy["api_keys"]["keys"][1]["id"] = json!("plain"),
            "a hash that is none" => policy["api_keys"]["keys"][0]["hash"] = json!("sha256:00"),
            "a duration without unit" => {
                policy["providers"]["corp"]["revocation"]["list"]["refresh_interval"] = json!("5");
            }
            _ => policy = json!([policy]),
        }
        (fault, policy)
    }
}

/// The authority wants to know who reads its lists.
fn with_credential(mut callout: Value) -> Value {
    callout["authorization"] = json!({ "env": "LIST_AUTHORIZATION" });
    callout
}

fn list(cluster: &str, uri: &str) -> Value {
    let list = json!({ "cluster": cluster, "uri": uri, "refresh_interval": "1s", "timeout": "1s", "max_staleness": "8s" });
    match cluster {
        "authority" => with_credential(list),
        _ => list,
    }
}

fn authority_provider() -> Value {
    json!({
        "issuer": AUTHORITY,
        "audiences": [AUDIENCE],
        "algorithms": ["RS256", "ES256", "EdDSA"],
        "jwks": { "remote": {
            "cluster": "authority",
            "uri": "http://authority/jwks.json",
            "timeout": "1s",
            "refresh_interval": "3s",
            "min_refetch_interval": "1s",
        } },
        "clock_tolerance": "1s",
        "max_lifetime": "1h",
        "types": ["at+jwt"],
        "introspection": {
            "cluster": "authority",
            "uri": "http://authority/introspect",
            "client_id": "gateway",
            "client_secret": { "env": "INTROSPECTION_SECRET" },
            "timeout": "1s",
            "cache_ttl": "2s",
            "negative_cache_ttl": "1s",
        },
        "revocation": {
            "list": list("authority", "http://authority/revocations"),
            "status_list": { "cluster": "authority", "uri_prefix": "http://authority/status/", "timeout": "1s" },
        },
    })
}

fn corp_provider() -> Value {
    json!({
        "issuer": CORP,
        "audiences": [AUDIENCE],
        "jwks": { "remote": {
            "cluster": "idp",
            "uri": "http://idp.example.com/jwks",
            "timeout": "1s",
            "refresh_interval": "3s",
            "min_refetch_interval": "1s",
        } },
        "clock_tolerance": "1s",
        "max_lifetime": "1h",
        "revocation": { "list": list("idp", "http://idp.example.com/revocations") },
    })
}

fn desk_provider() -> Value {
    json!({
        "issuer": DESK,
        "audiences": [AUDIENCE],
        "introspection": {
            "cluster": "idp",
            "uri": "http://idp.example.com/introspect",
            "client_id": "gateway",
            "client_secret": { "env": "INTROSPECTION_SECRET" },
            "timeout": "2s",
            "cache_ttl": "0s",
            "negative_cache_ttl": "0s",
        },
    })
}

fn inside_provider(number: u64) -> Value {
    let keys = [inside_key(number), inside_key(number.saturating_sub(1))];
    // The first configuration has no predecessor.
    let count = if number == 0 { 1 } else { 2 };
    json!({
        "issuer": INSIDE,
        "audiences": [AUDIENCE],
        "algorithms": ["HS256"],
        "jwks": { "inline": jwks(&keys[..count]) },
    })
}
