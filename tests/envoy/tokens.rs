//! What a token must say, and how it must be written.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::{Request, get};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, claims, encode, fresh_api_key, sha256, thumbprint};
use crate::harness::policy::{AUDIENCE, ISSUER, api_key, only, provider};
use crate::harness::{curl, now, poll, rfc3339, run_curl};

#[test]
fn claims_are_checked() {
    let key = Key::new("ES256", "k");
    let with = |changes: Value| get("/").bearer(key.token(changes));
    // A claim that serde_json would not write.
    let raw = |member: &str| {
        let claims = claims(json!({ "exp": null })).to_string();
        let exp = if member.starts_with("\"exp\"") {
            String::new()
        } else {
            format!("\"exp\":{},", now() + 600)
        };
        get("/").bearer(key.seal(header(), format!("{{{exp}{member},{}", &claims[1..])))
    };
    Gateway::start(only(provider([&key]))).table(|rows| {
        rows.passes("a good token", with(json!({})));

        let now = now();
        rows.refuses("expired", with(json!({ "exp": now - 60 })), "TOKEN_EXPIRED");
        rows.refuses(
            "expired long ago",
            with(json!({ "exp": 1 })),
            "TOKEN_EXPIRED",
        );
        rows.refuses(
            "expired before the epoch",
            with(json!({ "exp": -5 })),
            "TOKEN_EXPIRED",
        );
        rows.passes(
            "expired within the tolerance",
            with(json!({ "exp": now - 10 })),
        );
        rows.passes("a fraction", with(json!({ "exp": now as f64 + 60.5 })));
        rows.refuses(
            "no exp",
            with(json!({ "exp": null })),
            "INVALID_TOKEN|MALFORMED_TOKEN",
        );
        rows.refuses(
            "exp is a string",
            with(json!({ "exp": (now + 60).to_string() })),
            "MALFORMED_TOKEN",
        );
        rows.refuses("exp is null", raw("\"exp\":null"), "MALFORMED_TOKEN");
        rows.refuses("exp is infinite", raw("\"exp\":1e999"), "MALFORMED_TOKEN");
        rows.refuses(
            "exp past the year 9999",
            with(json!({ "exp": 253_402_300_800_i64 })),
            "MALFORMED_TOKEN",
        );
        rows.passes(
            "exp within the year 9999",
            with(json!({ "exp": 253_402_300_000_i64 })),
        );
        rows.passes("exp with an exponent", raw("\"exp\":4e9"));
        rows.refuses(
            "not yet valid",
            with(json!({ "nbf": now + 90 })),
            "TOKEN_NOT_YET_VALID",
        );
        rows.passes(
            "not yet valid within the tolerance",
            with(json!({ "nbf": now + 10 })),
        );
        rows.refuses(
            "nbf is a boolean",
            with(json!({ "nbf": true })),
            "MALFORMED_TOKEN",
        );
        rows.passes(
            "iat in the future",
            with(json!({ "iat": now + 9000, "exp": now + 9999 })),
        );
        rows.refuses(
            "iat is a string",
            with(json!({ "iat": "now" })),
            "MALFORMED_TOKEN",
        );

        for issuer in [
            "https://idp.example.com",
            "https://IDP.example.com/",
            "https://evil.example/",
            "",
        ] {
            rows.refuses(
                &format!("issuer {issuer:?}"),
                with(json!({ "iss": issuer })),
                "INVALID_ISSUER",
            );
        }
        rows.refuses("no issuer", with(json!({ "iss": null })), "INVALID_ISSUER");
        rows.refuses(
            "issuer is a list",
            with(json!({ "iss": [ISSUER] })),
            "INVALID_ISSUER|MALFORMED_TOKEN",
        );

        rows.passes(
            "one of several audiences",
            with(json!({ "aud": ["other", AUDIENCE] })),
        );
        for audience in [
            json!("other"),
            json!("API-gateway"),
            json!("api-gateway/"),
            json!([]),
            json!(["a", "b"]),
            json!(""),
        ] {
            rows.refuses(
                &format!("audience {audience}"),
                with(json!({ "aud": audience })),
                "INVALID_AUDIENCE",
            );
        }
        rows.refuses(
            "no audience",
            with(json!({ "aud": null })),
            "INVALID_AUDIENCE",
        );
        for audience in [
            json!(7),
            json!([AUDIENCE, 7]),
            json!({ "a": AUDIENCE }),
            json!([[AUDIENCE]]),
        ] {
            rows.refuses(
                &format!("audience {audience}"),
                with(json!({ "aud": audience })),
                "MALFORMED_TOKEN",
            );
        }

        for claim in ["sub", "jti"] {
            for value in [json!(7), json!(["alice"]), json!({}), json!(true)] {
                rows.refuses(
                    &format!("{claim} {value}"),
                    with(json!({ claim: value })),
                    "MALFORMED_TOKEN",
                );
            }
        }
        rows.refuses(
            "a number that fits nowhere, in a claim that nobody asks about",
            raw("\"big\":1e999"),
            "MALFORMED_TOKEN",
        );

        let typ = |typ: Value| get("/").bearer(key.token_with(json!({ "typ": typ }), json!({})));
        for good in [
            "at+jwt",
            "AT+JWT",
            "JWT",
            "jwt",
            "application/at+jwt",
            "Application/JWT",
        ] {
            rows.passes(&format!("typ {good}"), typ(json!(good)));
        }
        rows.passes("no typ", typ(Value::Null));
        for bad in [
            "logout+jwt",
            "dpop+jwt",
            "secevent+jwt",
            "",
            "application/",
            "text/jwt",
        ] {
            rows.refuses(
                &format!("typ {bad:?}"),
                typ(json!(bad)),
                "INVALID_TOKEN|MALFORMED_TOKEN",
            );
        }
        rows.refuses("typ is a number", typ(json!(1)), "MALFORMED_TOKEN");

        for confirmation in [
            json!({ "jkt": "x" }),
            json!({ "x5t#S256": encode([7; 32]) }),
            json!({}),
            json!("x"),
            json!(7),
        ] {
            let codes = "INVALID_TOKEN|MALFORMED_TOKEN";
            rows.refuses(
                &format!("cnf {confirmation}"),
                with(json!({ "cnf": confirmation })),
                codes,
            );
        }
    });
}

#[test]
fn a_token_is_written_strictly() {
    let key = Key::new("ES256", "k");
    let good = key.token(json!({}));
    let [head, body, signature]: [&str; 3] = good
        .split('.')
        .collect::<Vec<_>>()
        .try_into()
        .expect("three segments");
    let sealed = |claims: String| key.seal(header(), claims);
    let more = |member: &str| {
        sealed(format!(
            "{{{member},{}",
            &claims(json!({})).to_string()[1..]
        ))
    };
    let nested = |depth: usize| {
        more(&format!(
            "\"deep\":{}1{}",
            "[".repeat(depth),
            "]".repeat(depth)
        ))
    };
    // A last character whose spare bits are set.
    let sloppy = format!(
        "{}{}",
        &signature[..signature.len() - 1],
        flip_last_bit(signature)
    );

    Gateway::start(only(provider([&key]))).table(|rows| {
        rows.passes("the good one", get("/").bearer(&good));
        rows.passes("nesting of 100", get("/").bearer(nested(90)));
        rows.passes(
            "a member name again in another object",
            get("/").bearer(more(r#""a":{"b":1},"c":{"b":1}"#)),
        );
        rows.passes(
            "a surrogate pair",
            get("/").bearer(more(r#""a":"\ud83d\ude00""#)),
        );
        let malformed = [
            ("spare bits", format!("{head}.{body}.{sloppy}")),
            ("padding", format!("{head}.{body}.{signature}==")),
            (
                "standard base64",
                format!("{head}.{body}.+/{}", &signature[2..]),
            ),
            ("two segments", format!("{head}.{body}")),
            ("four segments", format!("{good}.{signature}")),
            (
                "an encrypted token",
                format!("{good}.{signature}.{signature}"),
            ),
            ("a leading dot", format!(".{good}")),
            ("one dot", ".".to_owned()),
            ("two dots", "..".to_owned()),
            ("five dots", "....".to_owned()),
            ("no header", format!(".{body}.{signature}")),
            ("no claims", key.sign(&format!("{head}."))),
            (
                "a header that is not encoded",
                format!("{{\"alg\":\"ES256\"}}.{body}.{signature}"),
            ),
            ("white space within", format!("{head}.{body} .{signature}")),
            ("opaque", "2YotnFZFEjr1zCsicMWpAA".to_owned()),
            ("not base64", "!!!.???.***".to_owned()),
            (
                "a list for a header",
                key.seal("[]", claims(json!({})).to_string()),
            ),
            (
                "a string for a header",
                key.seal("\"alg\"", claims(json!({})).to_string()),
            ),
            ("a list for claims", sealed("[]".to_owned())),
            ("no JSON for claims", sealed("alice".to_owned())),
            ("cut JSON", sealed(r#"{"sub":"alice""#.to_owned())),
            ("two values", sealed(format!("{0}{0}", claims(json!({}))))),
            (
                "a trailing comma",
                sealed(claims(json!({})).to_string().replace('}', ",}")),
            ),
            ("a member twice", more(r#""a":1,"a":2"#)),
            ("sub twice", more(r#""sub":"root""#)),
            ("sub twice, once escaped", more(r#""s\u0075b":"root""#)),
            (
                "a member twice, deep down",
                more(r#""a":[{"b":{"c":1,"c":1}}]"#),
            ),
            (
                "a member twice in the header",
                key.seal(
                    r#"{"alg":"ES256","kid":"k","kid":"k"}"#,
                    claims(json!({})).to_string(),
                ),
            ),
            ("a lone surrogate", more(r#""a":"\ud83d""#)),
            (
                "a surrogate the wrong way round",
                more(r#""a":"\ude00\ud83d""#),
            ),
            ("a control character", more("\"a\":\"\n\"")),
            ("NaN", more(r#""a":NaN"#)),
            ("a leading zero", more(r#""a":01"#)),
            ("a comment", more(r#"/* */"a":1"#)),
            ("nesting without end", nested(5000)),
        ];
        for (name, token) in malformed {
            rows.refuses(name, get("/").bearer(token), "MALFORMED_TOKEN");
        }
        let latin1 = [
            &b"{\"a\":\"\xe9\","[..],
            &claims(json!({})).to_string().as_bytes()[1..],
        ]
        .concat();
        rows.refuses(
            "claims that are no UTF-8",
            get("/").bearer(key.seal(header(), latin1)),
            "MALFORMED_TOKEN",
        );
        let marked = [
            &b"\xef\xbb\xbf"[..],
            claims(json!({})).to_string().as_bytes(),
        ]
        .concat();
        rows.refuses(
            "a byte order mark",
            get("/").bearer(key.seal(header(), marked)),
            "MALFORMED_TOKEN",
        );
    });
}

#[test]
fn a_provider_may_be_stricter_or_laxer() {
    let key = Key::new("ES256", "k");
    let variant = |issuer: &str, changes: Value| {
        let provider = amended(provider([&key]), json!({ "issuer": issuer }));
        amended(provider, changes)
    };
    let policy = json!({
        "providers": {
            "strict": variant("strict", json!({ "clock_tolerance": "0s", "max_lifetime": "1h", "types": ["at+jwt"] })),
            "lax": variant("lax", json!({ "clock_tolerance": "10m", "require_exp": false, "audiences": null, "danger_any_audience": true })),
            "other": variant("other", json!({ "types": ["secevent+jwt"], "audiences": ["x", "y"] })),
        },
        "rules": [{}],
    });
    let with = |issuer: &str, changes: Value| {
        get("/").bearer(key.token(amended(json!({ "iss": issuer }), changes)))
    };
    let now = now();
    Gateway::start(policy).table(|rows| {
        rows.passes("strict", with("strict", json!({})));
        rows.refuses(
            "no tolerance for exp",
            with("strict", json!({ "exp": now - 1 })),
            "TOKEN_EXPIRED",
        );
        rows.refuses(
            "no tolerance for nbf",
            with("strict", json!({ "nbf": now + 20 })),
            "TOKEN_NOT_YET_VALID",
        );
        rows.refuses(
            "lives too long from now",
            with("strict", json!({ "iat": null, "exp": now + 4000 })),
            "INVALID_TOKEN",
        );
        rows.refuses(
            "lives too long from iat",
            with("strict", json!({ "iat": now - 3500, "exp": now + 600 })),
            "INVALID_TOKEN",
        );
        let typ = |issuer: &str, typ: Value, changes: Value| {
            get("/").bearer(key.token_with(
                json!({ "typ": typ }),
                amended(json!({ "iss": issuer }), changes),
            ))
        };
        rows.refuses(
            "typ JWT is not listed",
            typ("strict", json!("JWT"), json!({})),
            "INVALID_TOKEN",
        );
        rows.refuses(
            "no typ is not listed",
            typ("strict", Value::Null, json!({})),
            "INVALID_TOKEN",
        );
        rows.passes(
            "the listed typ",
            typ("other", json!("secevent+jwt"), json!({ "aud": "y" })),
        );
        rows.refuses(
            "the usual typ is not listed",
            with("other", json!({ "aud": "y" })),
            "INVALID_TOKEN",
        );
        rows.refuses(
            "another provider's audience",
            typ("other", json!("secevent+jwt"), json!({})),
            "INVALID_AUDIENCE",
        );
        rows.passes("much tolerance", with("lax", json!({ "exp": now - 500 })));
        rows.refuses(
            "and no more",
            with("lax", json!({ "exp": now - 700 })),
            "TOKEN_EXPIRED",
        );
        rows.passes("no exp", with("lax", json!({ "exp": null })));
        rows.passes("any audience", with("lax", json!({ "aud": "whatever" })));
        rows.passes("no audience", with("lax", json!({ "aud": null })));
        rows.refuses(
            "but no malformed audience",
            with("lax", json!({ "aud": 7 })),
            "MALFORMED_TOKEN",
        );
    });
}

/// A verdict is remembered, but rules, issuers and time are asked anew.
#[test]
fn what_is_remembered_is_judged_anew() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let rule =
        |path: &str, more: Value| amended(json!({ "match": { "path": { "exact": path } } }), more);
    let policy = json!({
        "providers": {
            "corp": amended(provider([&key]), json!({ "clock_tolerance": "0s", "audiences": ["one", "two"] })),
            "other": amended(provider([&key]), json!({ "issuer": "other" })),
        },
        "api_keys": { "keys": [amended(api_key("brief", &sha256(&secret)), json!({
            "expires_at": rfc3339(now() + 12),
        }))] },
        "rules": [
            rule("/one", json!({ "audiences": ["one"] })),
            rule("/two", json!({ "audiences": ["two"] })),
            rule("/scope", json!({ "scopes": { "all": ["write"] } })),
            rule("/claim", json!({ "claims": [{ "claim": "tenant", "equals": "acme" }] })),
            rule("/other", json!({ "credentials": ["other"] })),
            {},
        ],
    });
    let gateway = Gateway::start(policy);
    let at = |path: &str, token: &str| get(path).bearer(token);
    let long = key.token(json!({ "aud": "one", "scope": "read", "tenant": "umbrella" }));
    gateway.table(|rows| {
        for _ in ["asked", "remembered"] {
            rows.passes("its audience", at("/one", &long));
            rows.refuses("another audience", at("/two", &long), "INVALID_AUDIENCE");
            rows.refuses("another scope", at("/scope", &long), "INSUFFICIENT_SCOPE");
            rows.refuses("another claim", at("/claim", &long), "CLAIM_MISMATCH");
            rows.refuses("another provider", at("/other", &long), "INVALID_ISSUER");
        }
    });
    let start = now();
    let brief = key.token(json!({ "aud": "one", "nbf": start + 2, "exp": start + 5 }));
    let brief_key = get("/").header("x-api-key", &secret);
    let becomes = |request: &Request, code: Option<&str>| {
        let reached = poll(Duration::from_secs(20), || {
            let body = gateway.send(request).json().ok()?;
            (body["code"].as_str() == code).then_some(())
        });
        assert!(reached.is_some(), "never {code:?}: {request:?}");
    };
    becomes(&brief_key, None);
    for code in [Some("TOKEN_NOT_YET_VALID"), None, Some("TOKEN_EXPIRED")] {
        becomes(&at("/", &brief), code);
    }
    becomes(&brief_key, Some("API_KEY_EXPIRED"));
    gateway.assert_counts_at_least("portcullis.cache.token.hit", 1);
}

#[test]
fn a_certificate_bound_token_needs_its_certificate() {
    let client = include_str!("fixtures/client.pem");
    let key = Key::new("ES256", "k");
    let bound = key.token(json!({ "cnf": { "x5t#S256": thumbprint(client) } }));
    let stolen = key.token(json!({ "cnf": { "x5t#S256": encode([7; 32]) } }));
    let twice = key.token(json!({ "cnf": { "x5t#S256": thumbprint(client), "jkt": "x" } }));
    let gateway = Setup::of(only(provider([&key]))).mutual_tls().start();
    let Some(curl) = curl() else { return };
    let ask = |token: &str, with_certificate: bool| {
        let mut curl = curl();
        let fixtures = format!("{}/tests/envoy/fixtures", env!("CARGO_MANIFEST_DIR"));
        if with_certificate {
            curl.args([
                "--cert",
                &format!("{fixtures}/client.pem"),
                "--key",
                &format!("{fixtures}/client-key.pem"),
            ]);
        }
        curl.args([
            "--insecure",
            "--header",
            &format!("authorization: Bearer {token}"),
        ]);
        curl.arg(format!("https://127.0.0.1:{}/", gateway.tls_port()));
        run_curl(curl)
    };
    for (name, token, with_certificate, wanted) in [
        ("the client's own certificate", &bound, true, "200"),
        ("no certificate", &bound, false, "401"),
        ("another's certificate", &stolen, true, "401"),
        (
            "a second confirmation that nobody checks",
            &twice,
            true,
            "401",
        ),
    ] {
        let answer = ask(token, with_certificate);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {wanted}")),
            "{name}: {answer}\n{}",
            gateway.log_tail()
        );
        assert!(
            wanted == "200" || answer.contains("\"INVALID_TOKEN\""),
            "{name}: {answer}"
        );
    }
    gateway.table(|rows| rows.refuses("no TLS", get("/").bearer(&bound), "INVALID_TOKEN"));
}

#[test]
fn a_credential_has_a_size_limit() {
    let key = Key::new("ES256", "k");
    let sized = |size: usize| {
        let bare = key.token(json!({ "pad": "" })).len();
        let pad = (size.saturating_sub(bare)) * 3 / 4;
        key.token(json!({ "pad": "x".repeat(pad) }))
    };
    let cookie = |size: usize| -> Request {
        get("/cookie").header("cookie", format!("session={}", "a".repeat(size)))
    };
    let policy = json!({
        "providers": { "corp": amended(provider([&key]), json!({
            "from": { "headers": [{ "name": "authorization", "prefix": "Bearer " }], "cookies": ["session"], "query": ["t"] },
        })) },
        "api_keys": { "keys": [{ "id": "a", "hash": sha256("a") }] },
        "rules": [{}],
        "limits": { "token_bytes": 1000 },
    });
    Gateway::start(policy).table(|rows| {
        rows.passes("below the limit", get("/").bearer(sized(990)));
        rows.refuses(
            "above it",
            get("/").bearer(sized(1100)),
            "REQUEST_TOO_LARGE",
        );
        rows.refuses(
            "rubbish at it",
            get("/").bearer("a".repeat(1000)),
            "MALFORMED_TOKEN",
        );
        rows.refuses(
            "rubbish above it",
            get("/").bearer("a".repeat(1001)),
            "REQUEST_TOO_LARGE",
        );
        rows.refuses("a cookie", cookie(1001), "REQUEST_TOO_LARGE");
        rows.refuses(
            "a query parameter",
            get(format!("/?t={}", "a".repeat(1001))),
            "REQUEST_TOO_LARGE",
        );
        rows.refuses(
            "an API key",
            get("/").header("x-api-key", "a".repeat(1001)),
            "REQUEST_TOO_LARGE",
        );
    });
    Gateway::start(only(provider([&key]))).table(|rows| {
        rows.passes("15 KiB by default", get("/").bearer(sized(15_000)));
        rows.refuses(
            "not 17 KiB",
            get("/").bearer("a".repeat(17_000)),
            "REQUEST_TOO_LARGE",
        );
    });
}

fn header() -> &'static str {
    r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#
}

/// The next character of the base64url alphabet: it decodes to the same bytes for a lax reader.
fn flip_last_bit(text: &str) -> char {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = text.bytes().last().expect("a signature is not empty");
    let index = ALPHABET
        .iter()
        .position(|byte| *byte == last)
        .expect("base64url");
    char::from(ALPHABET[index ^ 1])
}
