//! API keys, known to the gateway by their digests.

use serde_json::{Value, json};

use crate::harness::client::get;
use crate::harness::gateway::Setup;
use crate::harness::keys::{Key, amended, fresh_api_key, hmac_sha256, sha256};
use crate::harness::policy::{api_key, provider};
use crate::harness::refusal::expect;

const PEPPER: &str = "a pepper of more than sixteen bytes";

#[test]
fn api_keys_are_judged_by_digest_and_time() {
    let [plain, upper, peppered, early, old, current, revoked, timed] =
        std::array::from_fn(|_| fresh_api_key());
    let entry = |id: &str, hash: String, more: Value| amended(api_key(id, &hash), more);
    let shouting = sha256(&upper).replacen("sha256:", "", 1).to_uppercase();
    let policy = json!({
        "api_keys": {
            "from": [{ "header": "x-api-key" }, { "header": "authorization", "scheme": "ApiKey" }, { "header": "x-other" }],
            "pepper": { "env": "API_KEY_PEPPER" },
            "keys": [
                entry("plain", sha256(&plain), json!({})),
                entry("upper", format!("sha256:{shouting}"), json!({})),
                entry("peppered", hmac_sha256(PEPPER, &peppered), json!({ "client": "salt-lake" })),
                entry("early", sha256(&early), json!({ "not_before": "2999-01-01T00:00:00Z" })),
                entry("ci-2025", sha256(&old), json!({ "client": "ci", "expires_at": "2025-01-01T00:00:00Z" })),
                entry("ci-2026", sha256(&current), json!({ "client": "ci", "expires_at": "2999-01-01T00:00:00+02:00" })),
                entry("revoked", sha256(&revoked), json!({ "revoked": true })),
                entry("timed", sha256(&timed), json!({ "not_before": "2020-01-01T00:00:00Z", "expires_at": "2999-01-01T00:00:00Z" })),
            ],
        },
        "rules": [{}],
    });
    let with = |key: &str| get("/").header("x-api-key", key);
    let gateway = Setup::of(policy)
        .environment("API_KEY_PEPPER", PEPPER)
        .start();
    gateway.table(|rows| {
        let client = |key_id: &'static str, client: &'static str| {
            [("x-auth-key-id", [key_id]), ("x-auth-client-id", [client])]
        };
        for (name, key, [(key_header, key_id), (client_header, client)]) in [
            ("a SHA-256 hash", &plain, client("plain", "plain")),
            ("a hash in upper case", &upper, client("upper", "upper")),
            ("an HMAC", &peppered, client("peppered", "salt-lake")),
            ("the newer of two", &current, client("ci-2026", "ci")),
            ("within its time", &timed, client("timed", "timed")),
        ] {
            rows.forwards(
                name,
                with(key),
                &[(key_header, &key_id), (client_header, &client)],
            );
        }
        rows.passes(
            "by scheme",
            get("/").header("authorization", format!("APIKEY  {plain}")),
        );
        rows.passes("another header", get("/").header("x-other", &plain));
        rows.refuses_key("none", get("/"), "MISSING_TOKEN");
        rows.refuses_key("a token", get("/").bearer("a.b.c"), "MISSING_TOKEN");
        rows.refuses_key("unknown", with(&fresh_api_key()), "INVALID_API_KEY");
        rows.refuses_key("empty", with(""), "INVALID_API_KEY");
        rows.refuses_key("the hash itself", with(&sha256(&plain)), "INVALID_API_KEY");
        rows.refuses_key("cut", with(&plain[1..]), "INVALID_API_KEY");
        rows.refuses_key("more", with(&format!("{plain}x")), "INVALID_API_KEY");
        rows.refuses_key(
            "the SHA-256 of a peppered one",
            with(&hmac_sha256(PEPPER, &peppered)),
            "INVALID_API_KEY",
        );
        rows.refuses_key("expired", with(&old), "API_KEY_EXPIRED");
        rows.refuses_key("not yet valid", with(&early), "API_KEY_NOT_YET_VALID");
        rows.refuses_key("revoked", with(&revoked), "API_KEY_REVOKED");
        rows.refuses_key(
            "twice in two places",
            with(&plain).header("x-other", &plain),
            "AMBIGUOUS_CREDENTIALS",
        );
        rows.row("the challenge", get("/"), |answer| {
            expect(
                "WWW-Authenticate",
                &answer.all("www-authenticate"),
                &vec!["ApiKey realm=\"portcullis\"".to_owned()],
            )
        });
    });
}

#[test]
fn the_default_place_is_x_api_key() {
    let secret = fresh_api_key();
    let policy = json!({
        "providers": { "corp": provider([&Key::new("ES256", "k")]) },
        "api_keys": { "keys": [api_key("a", &sha256(&secret))] },
        "rules": [{}],
    });
    Setup::of(policy).start().table(|rows| {
        rows.passes("x-api-key", get("/").header("X-API-Key", &secret));
        rows.refuses(
            "Authorization",
            get("/").header("authorization", format!("ApiKey {secret}")),
            "MISSING_TOKEN",
        );
        rows.refuses("as a token", get("/").bearer(&secret), "MALFORMED_TOKEN");
    });
}
