//! What the upstream sees of a credential, and values that are no UTF-8.

use serde_json::{Value, json};

use crate::harness::client::get;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::keys::{Key, amended, fresh_api_key, sha256};
use crate::harness::policy::provider;

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
