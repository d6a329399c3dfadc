//! Who the upstream is told the caller is, and who may tell it.

use serde_json::{Value, json};

use crate::harness::client::{Request, get};
use crate::harness::gateway::Gateway;
use crate::harness::keys::{Key, amended, claims, decode, fresh_api_key, sha256};
use crate::harness::policy::provider;
use crate::harness::refusal::expect;

const IDENTITY: [&str; 6] = [
    "x-auth-subject",
    "x-auth-client-id",
    "x-auth-scopes",
    "x-auth-tenant",
    "x-auth-provider",
    "x-auth-key-id",
];

fn policy(key: &Key, api_key: &str) -> Value {
    json!({
        "providers": { "corp": amended(provider([key]), json!({ "tenant_claim": "tenant" })) },
        "api_keys": { "keys": [{
            "id": "robot-2026", "client": "robot", "hash": sha256(api_key), "scopes": ["data:read", "data:write"], "tenant": "acme",
        }] },
        "rules": [
            { "match": { "path": { "exact": "/anonymous" } }, "access": "anonymous" },
            { "match": { "path": { "exact": "/optional" } }, "access": "optional" },
            {},
        ],
    })
}

#[test]
fn the_upstream_learns_who_calls() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let with = |changes: Value| get("/").bearer(key.token(changes));
    Gateway::start(policy(&key, &secret)).table(|rows| {
        let full = json!({ "client_id": "app", "azp": "other", "scope": "a b", "scp": ["c", "a"], "tenant": "acme" });
        rows.forwards("a token that says all", with(full), &[
            ("x-auth-subject", &["alice"]),
            ("x-auth-client-id", &["app"]),
            ("x-auth-tenant", &["acme"]),
            ("x-auth-provider", &["corp"]),
            ("x-auth-key-id", &[]),
        ]);
        rows.sees("scopes are the union", with(json!({ "scope": "a b", "scp": ["c", "a"] })), |seen| {
            let scopes = seen.all("x-auth-scopes").join("|");
            let mut scopes: Vec<&str> = scopes.split(' ').collect();
            scopes.sort_unstable();
            expect("scopes", &scopes, &vec!["a", "b", "c"])
        });
        rows.forwards("the client by its second name", with(json!({ "azp": "app" })), &[("x-auth-client-id", &["app"])]);
        rows.forwards("a token that says little", with(json!({ "sub": null })), &[
            ("x-auth-subject", &[]),
            ("x-auth-client-id", &[]),
            ("x-auth-scopes", &[]),
            ("x-auth-tenant", &[]),
            ("x-auth-provider", &["corp"]),
        ]);
        rows.forwards("an API key", get("/").header("x-api-key", &secret), &[
            ("x-auth-subject", &["robot"]),
            ("x-auth-client-id", &["robot"]),
            ("x-auth-scopes", &["data:read data:write"]),
            ("x-auth-tenant", &["acme"]),
            ("x-auth-provider", &["api_keys"]),
            ("x-auth-key-id", &["robot-2026"]),
        ]);
        rows.forwards("beyond ASCII goes out as UTF-8", with(json!({ "sub": "álïce" })), &[("x-auth-subject", &[r"\xc3\xa1l\xc3\xafce"])]);
        for (name, value) in [("a line break", "a\r\nx-admin: 1"), ("NUL", "a\0b"), ("DEL", "a\u{7f}"), ("a tab", "a\tb")] {
            rows.refuses(&format!("{name} in the subject"), with(json!({ "sub": value })), "INVALID_TOKEN");
        }
        rows.passes("a line break in a claim that is not forwarded", with(json!({ "note": "a\r\nb" })));
    });
}

#[test]
fn nobody_else_may_say_who_calls() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({}));
    let spoofed = |mut request: Request| {
        for header in IDENTITY {
            request = request
                .header(header, "root")
                .header(header.to_uppercase(), "root")
                .header(header.replace('-', "_"), "root")
                .header(header.replacen('-', "_", 1), "root");
        }
        request
    };
    let gateway = Gateway::start(policy(&key, &secret));
    gateway.table(|rows| {
        let nowhere = |seen: &crate::harness::client::Seen| {
            let found = seen.headers.iter().find(|(name, value)| {
                value == "root" && name.replace('_', "-").starts_with("x-auth-")
            });
            expect("a spoofed header", &found, &None)
        };
        rows.sees("an anonymous rule", spoofed(get("/anonymous")), nowhere);
        rows.sees("an optional rule", spoofed(get("/optional")), nowhere);
        rows.sees("a token", spoofed(get("/").bearer(&token)), nowhere);
        rows.sees(
            "an API key",
            spoofed(get("/").header("x-api-key", &secret)),
            nowhere,
        );
        rows.sees(
            "a token, each header",
            spoofed(get("/").bearer(&token)),
            |seen| {
                expect(
                    "x-auth-subject",
                    &seen.all("x-auth-subject"),
                    &vec!["alice"],
                )
            },
        );
        rows.forwards(
            "other headers stay",
            get("/anonymous")
                .header("x-auth-subject-x", "kept")
                .header("x_other", "kept"),
            &[("x-auth-subject-x", &["kept"]), ("x_other", &["kept"])],
        );
        rows.refuses(
            "a spoofed header is no credential",
            spoofed(get("/")),
            "MISSING_TOKEN",
        );
    });
}

#[test]
fn headers_may_be_chosen() {
    let key = Key::new("ES256", "k");
    let policy = json!({
        "providers": { "corp": provider([&key]) },
        "rules": [{ "match": { "path": { "exact": "/anonymous" } }, "access": "anonymous" }, {}],
        "forward": {
            "headers": {
                "x-user": "subject",
                "x-department": "claim:org.department",
                "x-roles": "claim:roles",
                "x-number": "claim:number",
                "x-flag": "claim:flag",
                "x-org": "claim:org",
            },
            "payload_header": "x-auth-claims",
        },
    });
    let with = |changes: Value| get("/").bearer(key.token(changes));
    Gateway::start(policy).table(|rows| {
        let rich = json!({ "org": { "department": "R&D" }, "roles": ["admin", "dev"], "number": 7, "flag": true });
        rows.forwards("claims of all kinds", with(rich), &[
            ("x-user", &["alice"]),
            ("x-department", &["R&D"]),
            ("x-roles", &["admin,dev"]),
            ("x-number", &["7"]),
            ("x-flag", &["true"]),
            ("x-org", &["{\"department\":\"R&D\"}"]),
            ("x-auth-subject", &[]),
        ]);
        rows.forwards("absent claims", with(json!({})), &[("x-department", &[]), ("x-roles", &[]), ("x-number", &[])]);
        let own = with(json!({})).header("x-department", "spoofed").header("X_Department", "spoofed").header("x-auth-claims", "spoofed");
        rows.sees("a client's own", own, |seen| {
            let spoofed = seen.headers.iter().find(|(_, value)| value == "spoofed");
            expect("a spoofed header", &spoofed, &None)
        });
        let anonymous = get("/anonymous").header("x-department", "spoofed").header("x-auth-claims", "spoofed");
        rows.forwards("a client's own, anonymous", anonymous, &[("x-department", &[]), ("x-auth-claims", &[])]);
        let all = claims(json!({ "note": "é", "list": [1, { "a": null }] }));
        rows.sees("the payload", get("/").bearer(key.seal(r#"{"alg":"ES256","kid":"k"}"#, all.to_string())), |seen| {
            let payload: Value = serde_json::from_slice(&decode(seen.all("x-auth-claims").concat().trim_end_matches('='))).map_err(|error| error.to_string())?;
            expect("claims", &payload, &all)
        });
        for value in [json!("a\nb"), json!(["a", "b\rc"]), json!({ "a": "b\u{1}" })] {
            let name = format!("a control character in {value}");
            let org = if value.is_object() { with(json!({ "org": value })) } else { with(json!({ "roles": value })) };
            if value.is_object() {
                // As JSON the character is escaped, so there is nothing to refuse.
                rows.row(&name, org, |answer| expect("status below 500", &(answer.status < 500), &true));
            } else {
                rows.refuses(&name, org, "INVALID_TOKEN");
            }
        }
    });
}
