//! Where credentials are looked for, what is no credential, and what is one too many.

use serde_json::{Value, json};

use crate::harness::client::{Request, get, request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, fresh_api_key, sha256};
use crate::harness::policy::{AUDIENCE, ISSUER, provider};
use crate::harness::refusal::expect;

const OTHER: &str = "https://other.example/";

/// `corp` is read from the default place, `places` from everywhere else.
fn policy(key: &Key, api_key: &str) -> Value {
    let places = amended(
        provider([key]),
        json!({ "issuer": OTHER, "from": {
        "headers": [{ "name": "x-token" }, { "name": "x-prefixed", "prefix": "Token " }],
        "query": ["access_token"],
        "cookies": ["session"],
    } }),
    );
    json!({
        "providers": { "corp": provider([key]), "places": places },
        "api_keys": {
            "from": [{ "header": "x-api-key" }, { "header": "authorization", "scheme": "ApiKey" }],
            "keys": [{ "id": "robot", "hash": sha256(api_key) }],
        },
        "rules": [
            { "match": { "path": { "prefix": "/anonymous" } }, "access": "anonymous" },
            { "match": { "path": { "prefix": "/optional" } }, "access": "optional" },
            { "match": { "path": { "prefix": "/deny" } }, "access": "deny" },
            { "match": { "path": { "prefix": "/corp" } }, "credentials": ["corp"] },
            { "match": { "path": { "prefix": "/places" } }, "credentials": ["places"] },
            { "match": { "path": { "prefix": "/keys" } }, "credentials": ["api_keys"] },
            {},
        ],
    })
}

#[test]
fn each_place_holds_a_credential() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({}));
    let other = key.token(json!({ "iss": OTHER }));
    let by = |provider: &'static str| [("x-auth-provider", vec![provider])];
    Gateway::start(policy(&key, &secret)).table(|rows| {
        let mut by = |name: &str, request: Request, provider| {
            let [(header, values)] = by(provider);
            rows.forwards(name, request, &[(header, &values)]);
        };
        by("Authorization: Bearer", get("/").bearer(&token), "corp");
        by(
            "the scheme in lower case",
            get("/").header("authorization", format!("bearer {token}")),
            "corp",
        );
        by(
            "the scheme in upper case",
            get("/").header("AUTHORIZATION", format!("BEARER {token}")),
            "corp",
        );
        by(
            "several spaces",
            get("/").header("authorization", format!("Bearer    {token}")),
            "corp",
        );
        by(
            "a header without a prefix",
            get("/").header("x-token", &other),
            "places",
        );
        by(
            "a header with a prefix",
            get("/").header("X-Prefixed", format!("Token {other}")),
            "places",
        );
        by(
            "a query parameter",
            get(format!("/?a=1&access_token={other}&b=2")),
            "places",
        );
        by(
            "a cookie",
            get("/").header("cookie", format!("a=1; session={other}; b=2")),
            "places",
        );
        by(
            "an API key",
            get("/").header("x-api-key", &secret),
            "api_keys",
        );
        by(
            "an API key by scheme",
            get("/").header("authorization", format!("ApiKey {secret}")),
            "api_keys",
        );
        by(
            "the API key scheme in lower case",
            get("/").header("authorization", format!("apikey {secret}")),
            "api_keys",
        );

        let wrong_place = "INVALID_ISSUER";
        rows.refuses(
            "a provider that is not read from there",
            get("/").bearer(&other),
            wrong_place,
        );
        rows.refuses(
            "nor from there",
            get("/").header("x-token", &token),
            wrong_place,
        );
        rows.refuses(
            "a token of a provider that the rule does not take",
            get("/corp").bearer(&other),
            wrong_place,
        );

        rows.refuses("nothing", get("/"), "MISSING_TOKEN");
        let large = request("POST", "/").body("x".repeat(2_000_000));
        rows.refuses("nothing, with a large body", large, "MISSING_TOKEN");
        rows.row("nothing, asked with HEAD", request("HEAD", "/"), |answer| {
            expect("status", &answer.status, &401)?;
            expect("challenges", &answer.all("www-authenticate").len(), &1)
        });
        rows.refuses_key(
            "nothing, where API keys alone count",
            get("/keys"),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "another scheme",
            get("/").header("authorization", "Basic YTpi"),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "a scheme that only begins so",
            get("/").header("authorization", format!("Bearerx {token}")),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "a bare token",
            get("/").header("authorization", &token),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "another prefix",
            get("/").header("x-prefixed", format!("Other {other}")),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "another header",
            get("/").header("x-tokens", &other),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "another query parameter",
            get(format!("/?xaccess_token={other}")),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "the query parameter of another case",
            get(format!("/?Access_Token={other}")),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "another cookie",
            get("/").header("cookie", format!("xsession={other}")),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "the body",
            get("/").body(format!("access_token={other}")),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "a place the rule does not look at",
            get("/corp").header("x-token", &other),
            "MISSING_TOKEN",
        );
        rows.refuses(
            "an API key where none counts",
            get("/corp").header("x-api-key", &secret),
            "MISSING_TOKEN",
        );
        rows.refuses_key(
            "a token where API keys alone count",
            get("/keys").bearer(&token),
            "MISSING_TOKEN",
        );

        rows.refuses(
            "Bearer and no more",
            get("/").header("authorization", "Bearer"),
            "MALFORMED_TOKEN",
        );
        rows.refuses(
            "an empty header",
            get("/").header("x-token", ""),
            "MALFORMED_TOKEN",
        );
        rows.refuses(
            "an empty query parameter",
            get("/?access_token="),
            "MALFORMED_TOKEN",
        );
        rows.refuses(
            "an empty cookie",
            get("/").header("cookie", "session="),
            "MALFORMED_TOKEN",
        );
        rows.refuses(
            "an empty API key",
            get("/").header("x-api-key", ""),
            "INVALID_API_KEY",
        );
        rows.refuses(
            "ApiKey and no more",
            get("/").header("authorization", "ApiKey"),
            "INVALID_API_KEY",
        );
        rows.refuses(
            "an unknown API key",
            get("/").header("x-api-key", fresh_api_key()),
            "INVALID_API_KEY",
        );
        rows.refuses_key(
            "an unknown API key, where they alone count",
            get("/keys").header("x-api-key", fresh_api_key()),
            "INVALID_API_KEY",
        );

        rows.passes("optional, nothing", get("/optional"));
        rows.forwards(
            "optional, good",
            get("/optional").bearer(&token),
            &[("x-auth-subject", &["alice"])],
        );
        rows.refuses(
            "optional, bad",
            get("/optional").bearer("rubbish"),
            "MALFORMED_TOKEN",
        );
        rows.refuses(
            "optional, empty",
            get("/optional").header("authorization", "Bearer"),
            "MALFORMED_TOKEN",
        );
        rows.passes(
            "optional, another scheme",
            get("/optional").header("authorization", "Basic YTpi"),
        );
        rows.passes("anonymous, bad", get("/anonymous").bearer("rubbish"));
        rows.forwards(
            "anonymous, good: nobody looks",
            get("/anonymous").bearer(&token),
            &[("x-auth-subject", &[])],
        );
        rows.refuses("deny, good", get("/deny").bearer(&token), "RULE_DENIES");
        rows.refuses("deny, nothing", get("/deny"), "RULE_DENIES");
    });
}

#[test]
fn one_credential_too_many_is_ambiguous() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({}));
    let other = key.token(json!({ "iss": OTHER }));
    let bearer = format!("Bearer {token}");
    let ambiguous: Vec<(&str, Request)> = vec![
        (
            "a token and an API key",
            get("/").bearer(&token).header("x-api-key", &secret),
        ),
        (
            "two places",
            get("/").bearer(&token).header("x-token", &other),
        ),
        (
            "a header and a query parameter",
            get(format!("/?access_token={other}")).bearer(&token),
        ),
        (
            "a header and a cookie",
            get("/")
                .bearer(&token)
                .header("cookie", format!("session={other}")),
        ),
        (
            "good and bad",
            get("/").bearer(&token).header("x-api-key", "wrong"),
        ),
        (
            "good and empty",
            get("/").bearer(&token).header("x-api-key", ""),
        ),
        (
            "an optional rule",
            get("/optional").bearer(&token).header("x-api-key", &secret),
        ),
        (
            "Authorization twice",
            get("/")
                .header("authorization", &bearer)
                .header("authorization", &bearer),
        ),
        (
            "Authorization twice, once Basic",
            get("/")
                .header("authorization", &bearer)
                .header("authorization", "Basic YTpi"),
        ),
        (
            "Authorization twice, Basic first",
            get("/")
                .header("authorization", "Basic YTpi")
                .header("authorization", &bearer),
        ),
        (
            "Authorization with a comma",
            get("/").header("authorization", format!("{bearer},{bearer}")),
        ),
        (
            "Bearer and ApiKey in one",
            get("/").header("authorization", format!("{bearer}, ApiKey {secret}")),
        ),
        (
            "a comma and rubbish",
            get("/").header("authorization", format!("{bearer},x")),
        ),
        (
            "a comma at the end",
            get("/").header("authorization", format!("{bearer},")),
        ),
        (
            "ApiKey with a comma",
            get("/").header("authorization", format!("ApiKey {secret},{secret}")),
        ),
        (
            "another scheme, then ours",
            get("/").header("authorization", format!("Digest a=b, {bearer}")),
        ),
        (
            "another scheme, then ours in lower case",
            get("/").header("authorization", format!("Digest a=b,bearer {token}")),
        ),
        (
            "x-token twice",
            get("/").header("x-token", &other).header("X-Token", &other),
        ),
        (
            "x-api-key twice",
            get("/")
                .header("x-api-key", &secret)
                .header("x-api-key", &secret),
        ),
        (
            "x-api-key twice, once empty",
            get("/")
                .header("x-api-key", &secret)
                .header("x-api-key", ""),
        ),
        (
            "a query parameter twice",
            get(format!("/?access_token={other}&access_token={other}")),
        ),
        (
            "a query parameter twice, once empty",
            get(format!("/?access_token=&access_token={other}")),
        ),
        (
            "a cookie twice",
            get("/").header("cookie", format!("session={other}; session=x")),
        ),
        (
            "a cookie twice, two headers",
            get("/")
                .header("cookie", format!("session={other}"))
                .header("cookie", "session=x"),
        ),
        (
            "doubled on an anonymous rule",
            get("/anonymous")
                .header("authorization", &bearer)
                .header("authorization", &bearer),
        ),
        (
            "a comma on an anonymous rule",
            get("/anonymous").header("authorization", format!("{bearer},{bearer}")),
        ),
        (
            "a cookie twice on an anonymous rule",
            get("/anonymous").header("cookie", "session=a; session=b"),
        ),
        (
            "a query parameter twice on an anonymous rule",
            get("/anonymous?access_token=a&access_token=b"),
        ),
    ];
    Gateway::start(policy(&key, &secret)).table(|rows| {
        for (name, request) in ambiguous {
            rows.refuses(name, request, "AMBIGUOUS_CREDENTIALS");
        }
        rows.passes(
            "what the rule does not look at",
            get("/corp").bearer(&token).header("x-api-key", &secret),
        );
        rows.passes(
            "other cookies twice",
            get("/corp").bearer(&token).header("cookie", "a=1; a=2"),
        );
        rows.passes(
            "other parameters twice",
            get("/corp?a=1&a=2").bearer(&token),
        );
        rows.passes(
            "another scheme and a credential elsewhere",
            get("/")
                .header("authorization", "Basic YTpi")
                .header("x-token", &other),
        );
    });
}

#[test]
fn what_a_place_holds_goes_no_further() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({}));
    let other = key.token(json!({ "iss": OTHER }));
    let gateway = Gateway::start(policy(&key, &secret));
    gateway.table(|rows| {
        rows.forwards(
            "a header",
            get("/").bearer(&token),
            &[("authorization", &[])],
        );
        rows.forwards(
            "a custom header",
            get("/").header("x-token", &other),
            &[("x-token", &[])],
        );
        rows.forwards(
            "a prefixed header",
            get("/").header("x-prefixed", format!("Token {other}")),
            &[("x-prefixed", &[])],
        );
        rows.forwards(
            "an API key",
            get("/").header("x-api-key", &secret),
            &[("x-api-key", &[])],
        );
        rows.forwards(
            "an API key by scheme",
            get("/").header("authorization", format!("ApiKey {secret}")),
            &[("authorization", &[])],
        );

        let kept = format!(
            "/%7euser/x?a=%2F+b&&=&c;d=../e//f&access_token={other}&z=%zz&access_tokens=1#"
        );
        let kept = kept.trim_end_matches('#');
        rows.arrives_at(
            "a query parameter, the rest as it was",
            get(kept),
            "/%7euser/x?a=%2F+b&&=&c;d=../e//f&z=%zz&access_tokens=1",
        );
        rows.arrives_at(
            "the first parameter",
            get(format!("/?access_token={other}&a=1")),
            "/?a=1",
        );
        rows.arrives_at(
            "the last parameter",
            get(format!("/?a=1&access_token={other}")),
            "/?a=1",
        );
        rows.sees(
            "the only parameter",
            get(format!("/x?access_token={other}")),
            |seen| {
                if ["/x", "/x?"].contains(&seen.path.as_str()) {
                    Ok(())
                } else {
                    Err(format!("path {}", seen.path))
                }
            },
        );
        let cookies = |value: String| get("/").header("cookie", value);
        rows.forwards(
            "a cookie, the rest as it was",
            cookies(format!("a=\"1 2\"; session={other}; b==2;c=3")),
            &[("cookie", &["a=\"1 2\"; b==2;c=3"])],
        );
        rows.forwards(
            "the first cookie",
            cookies(format!("session={other}; a=1")),
            &[("cookie", &["a=1"])],
        );
        rows.forwards(
            "the last cookie",
            cookies(format!("a=1; session={other}")),
            &[("cookie", &["a=1"])],
        );
        rows.forwards(
            "the only cookie",
            cookies(format!("session={other}")),
            &[("cookie", &[])],
        );
        rows.forwards(
            "cookies that only look alike",
            cookies(format!("session2=1; session={other}; xsession=2")),
            &[("cookie", &["session2=1; xsession=2"])],
        );

        let unused = get(format!("/corp?access_token={other}&a=1"))
            .bearer(&token)
            .header("x-token", &other)
            .header("x-api-key", &secret)
            .header("cookie", format!("session={other}; a=1"));
        let gone: [(&str, &[&str]); 4] = [
            ("authorization", &[]),
            ("x-token", &[]),
            ("x-api-key", &[]),
            ("cookie", &["a=1"]),
        ];
        rows.forwards(
            "places that the rule does not look at",
            unused.clone(),
            &gone,
        );
        rows.arrives_at(
            "a parameter that the rule does not look at",
            unused,
            "/corp?a=1",
        );
        let anonymous = || get("/anonymous");
        for (request, header, left) in [
            (anonymous().bearer("rubbish"), "authorization", vec![]),
            (anonymous().header("x-token", "rubbish"), "x-token", vec![]),
            (anonymous().header("x-api-key", ""), "x-api-key", vec![]),
            (
                anonymous().header("cookie", "session=x; a=1"),
                "cookie",
                vec!["a=1"],
            ),
        ] {
            rows.forwards(
                &format!("{header} on an anonymous rule"),
                request,
                &[(header, &left)],
            );
        }
        let query = get("/anonymous?access_token=rubbish&a=1");
        rows.arrives_at("a parameter on an anonymous rule", query, "/anonymous?a=1");
        let foreign = get("/anonymous")
            .header("authorization", "Basic YTpi")
            .header("x-prefixed", "Other x");
        rows.forwards(
            "what no place yields stays",
            foreign,
            &[
                ("authorization", &["Basic YTpi"]),
                ("x-prefixed", &["Other x"]),
            ],
        );
    });
}

#[test]
fn keep_keeps_the_credential() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({}));
    let other = key.token(json!({ "iss": OTHER }));
    let keep = amended(
        policy(&key, &secret),
        json!({ "forward": { "credential": "keep" } }),
    );
    Gateway::start(keep).table(|rows| {
        let bearer = format!("Bearer {token}");
        rows.forwards(
            "a header",
            get("/").bearer(&token),
            &[("authorization", &[&bearer])],
        );
        let cookie = format!("a=1; session={other}");
        rows.forwards(
            "a cookie",
            get("/").header("cookie", &cookie),
            &[("cookie", &[&cookie])],
        );
        let path = format!("/?access_token={other}&a=1");
        rows.arrives_at("a query parameter", get(&path), &path);
        rows.forwards(
            "an API key",
            get("/").header("x-api-key", &secret),
            &[
                ("x-api-key", &[&secret]),
                ("x-auth-provider", &["api_keys"]),
            ],
        );
        rows.forwards(
            "a spoofed identity goes all the same",
            get("/").bearer(&token).header("x-auth-subject", "root"),
            &[("x-auth-subject", &["alice"])],
        );
    });
}

/// One such value in any String getter would end the worker's VM and fail every later request.
#[test]
fn values_that_are_no_utf8_hurt_nobody() {
    let (key, secret) = (Key::new("ES256", "k"), fresh_api_key());
    let token = key.token(json!({}));
    let bytes = b"\xff\xfe\x80\xc3";
    let odd = |prefix: &str| [prefix.as_bytes(), bytes].concat();
    let gateway = Setup::of(policy(&key, &secret)).workers(2).start();
    gateway.table(|rows| {
        for round in 0..8 {
            let good = get("/").bearer(&token);
            rows.refuses(
                "in Authorization",
                get("/").header("authorization", odd("Bearer ")),
                "MALFORMED_TOKEN",
            );
            rows.refuses(
                "in Authorization, another scheme",
                get("/").header("authorization", odd("")),
                "MISSING_TOKEN",
            );
            rows.refuses(
                "in x-api-key",
                get("/").header("x-api-key", odd("")),
                "INVALID_API_KEY",
            );
            rows.refuses(
                "in a cookie",
                get("/").header("cookie", odd("session=")),
                "MALFORMED_TOKEN",
            );
            rows.passes(
                "in another cookie",
                good.clone().header("cookie", odd("other=")),
            );
            rows.forwards(
                "in a foreign header",
                good.clone().header("x-foreign", bytes),
                &[("x-foreign", &[r"\xff\xfe\x80\xc3"])],
            );
            rows.forwards(
                "in a spoofed header",
                good.clone().header("x-auth-subject", bytes),
                &[("x-auth-subject", &["alice"])],
            );
            rows.passes("in Origin", good.clone().header("origin", bytes));
            rows.refuses_or_envoy_does(
                "in the path",
                get(odd("/")).bearer(&token),
                "AMBIGUOUS_PATH",
            );
            rows.refuses_or_envoy_does(
                "in the host",
                good.clone().host(odd("api")),
                "AMBIGUOUS_HOST",
            );
            rows.refuses_or_envoy_does(
                "in the query",
                get(odd("/?access_token=")),
                "MALFORMED_TOKEN",
            );
            rows.row(
                "in another parameter",
                get(odd("/?a=")).bearer(&token),
                |answer| {
                    if answer.status < 500 {
                        Ok(())
                    } else {
                        Err("no answer of the filter".to_owned())
                    }
                },
            );
            rows.forwards(
                &format!("the worker lives on, round {round}"),
                good,
                &[("x-auth-subject", &["alice"])],
            );
        }
    });
    assert_eq!(
        gateway.counter("wasm.portcullis.vm_reload_success"),
        0,
        "{}",
        gateway.log_tail()
    );
}

#[test]
fn two_providers_may_share_a_place() {
    let (first, second) = (Key::new("ES256", "k"), Key::new("ES256", "k"));
    let policy = json!({
        "providers": { "first": provider([&first]), "second": amended(provider([&second]), json!({ "issuer": OTHER })) },
        "rules": [{}],
    });
    Gateway::start(policy).table(|rows| {
        let by = |key: &Key, issuer: &str| get("/").bearer(key.token(json!({ "iss": issuer })));
        rows.forwards(
            "the first",
            by(&first, ISSUER),
            &[("x-auth-provider", &["first"])],
        );
        rows.forwards(
            "the second",
            by(&second, OTHER),
            &[("x-auth-provider", &["second"])],
        );
        rows.refuses(
            "the first's key for the second",
            by(&first, OTHER),
            "INVALID_SIGNATURE",
        );
        rows.refuses(
            "the second's key for the first",
            by(&second, ISSUER),
            "INVALID_SIGNATURE",
        );
        rows.refuses("neither", by(&first, AUDIENCE), "INVALID_ISSUER");
    });
}
