//! What of a credential the upstream sees: nothing, and nothing else is lost.

use serde_json::json;

use super::harness::keys::{Key, amended, sha256};
use super::harness::policy::{api_key, only, provider};
use super::harness::{Ask, Filter, get};
use crate::tables::credentials::{API_KEY, everywhere};

const MALFORMED: &str = "MALFORMED_TOKEN";

/// Raw `:path` and `cookie` of what the upstream gets for a request that passes.
fn forwarded(filter: &mut Filter, ask: Ask) -> (Vec<String>, Vec<String>) {
    let answer = filter.ask(&ask);
    assert!(answer.passes(), "{}: {ask:?}", answer.code());
    (answer.forwarded(":path"), answer.forwarded("cookie"))
}

#[test]
fn of_a_query_only_the_credential_goes() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(everywhere(&key));
    for (sent, left) in [
        ("/open", "/open"),
        ("/open?", "/open?"),
        ("/open?a=1&&b=%zz&", "/open?a=1&&b=%zz&"),
        ("/open?access_token=x", "/open"),
        ("/open?access_token=x&", "/open?"),
        ("/open?access_token=x&a=%2f+&A==", "/open?a=%2f+&A=="),
        ("/open?a=1&access_token=x&b=2", "/open?a=1&b=2"),
        ("/open?a=1&access%5Ftoken=x", "/open?a=1"),
        ("/open?a&access_token&b", "/open?a&b"),
        (
            "/open?%61ccess_token=x&access_tokens=y&Access_token=z",
            "/open?access_tokens=y&Access_token=z",
        ),
        ("/%6fpen?x=1&access_token=y", "/%6fpen?x=1"),
    ] {
        assert_eq!(forwarded(&mut filter, get(sent)).0, [left], "{sent}");
    }
}

#[test]
fn of_the_cookies_only_the_credential_goes() {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(everywhere(&key));
    for (sent, left) in [
        (vec!["a=1; b=2"], vec!["a=1; b=2"]),
        (vec!["a=\"1;\" b"], vec!["a=\"1;\" b"]),
        (vec!["session=x"], vec![]),
        (vec!["session"], vec![]),
        (vec!["session=x; a=1"], vec!["a=1"]),
        (vec!["a=1; session=x"], vec!["a=1"]),
        (vec!["a=1;session=x;  b=2"], vec!["a=1;  b=2"]),
        (
            vec!["a=1; sessions=2; Session=3; session=x"],
            vec!["a=1; sessions=2; Session=3"],
        ),
        (vec!["a=1", "session=x", "b=2"], vec!["a=1", "b=2"]),
    ] {
        let ask = sent
            .iter()
            .fold(get("/open"), |ask, value| ask.with("cookie", value));
        assert_eq!(forwarded(&mut filter, ask).1, left, "{sent:?}");
    }
}

#[test]
fn every_place_is_stripped_on_every_rule() {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let mut filter = Filter::new(everywhere(&key));
    for ask in [
        get("/open?access_token=x"),
        get("/open").bearer("y"),
        get("/open").bearer("y").with("x-api-key", "z"),
        get("/open").with("authorization", "ApiKey y"),
        get("/open").with("x-api-key", "z"),
        get("/open").with("x-token", "z"),
        get("/open").with("x-literal", "Token=z"),
        get("/open").with("cookie", "session=z"),
    ] {
        let upstream = filter.ask(&ask.with("x-other", "kept")).upstream.unwrap();
        let mut headers = get("/open").with("x-other", "kept").0;
        headers.sort();
        let mut left = upstream.0;
        left.sort();
        assert_eq!(left, headers);
    }
    // The one that counted, and one that nobody looked at.
    let ask = get("/token").bearer(&token).with("x-api-key", "z");
    let answer = filter.ask(&ask);
    assert_eq!(answer.forwarded("authorization"), [""; 0]);
    assert_eq!(answer.forwarded("x-api-key"), [""; 0]);
    // Headers without a credential go on unchanged.
    let basic = get("/open")
        .with("authorization", "Basic eA==")
        .with("x-literal", "else");
    let answer = filter.ask(&basic);
    assert_eq!(answer.forwarded("authorization"), ["Basic eA=="]);
    assert_eq!(answer.forwarded("x-literal"), ["else"]);
}

#[test]
fn credentials_are_stripped_where_no_rule_matches() {
    let key = Key::new("ES256", "k");
    let open = json!({ "rules": [], "unmatched": "anonymous" });
    let mut filter = Filter::new(amended(everywhere(&key), open));
    let token = key.token(json!({}));
    let answer = filter.ask(&get("/").bearer(token).with("x-api-key", API_KEY));
    assert_eq!(answer.forwarded("authorization"), [""; 0]);
    assert_eq!(answer.forwarded("x-api-key"), [""; 0]);
}

#[test]
fn a_credential_may_be_kept() {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let config = amended(
        only(provider([&key])),
        json!({ "forward": { "credential": "keep" } }),
    );
    let answer = Filter::new(config).ask(&get("/").bearer(&token));
    assert_eq!(
        answer.forwarded("authorization"),
        [format!("Bearer {token}")]
    );
}

/// What another parser may read as a credential is one: an `optional` rule refuses it, and it is never forwarded.
#[test]
fn a_scheme_before_odd_white_space_is_its_credential() {
    let key = Key::new("ES256", "k");
    let config = json!({
        "providers": { "corp": provider([&key]) },
        "api_keys": { "from": [{ "header": "authorization", "scheme": "ApiKey" }], "keys": [api_key("ci", &sha256(API_KEY))] },
        "rules": [
            { "match": { "path": { "prefix": "/optional" } }, "access": "optional" },
            { "match": { "path": { "prefix": "/open" } }, "access": "anonymous" },
        ],
    });
    let mut filter = Filter::new(config);
    for space in [
        "\t", " \t", "\u{a0}", "\u{2003}", "\u{85}", "\u{b}", "\u{c}",
    ] {
        for scheme in ["Bearer", "ApiKey"] {
            let expected = match scheme {
                "Bearer" => MALFORMED,
                _ => "INVALID_API_KEY",
            };
            let forged = format!("{scheme}{space}forged");
            let ask = |path| get(path).with("authorization", &forged);
            assert_eq!(filter.ask(&ask("/optional")).code(), expected, "{forged:?}");
            let answer = filter.ask(&ask("/open"));
            assert_eq!(answer.forwarded("authorization"), [""; 0], "{forged:?}");
        }
    }
    let other = get("/open").with("authorization", "Basic\tdXNlcjpwYXNz");
    assert_eq!(filter.ask(&other).forwarded("authorization").len(), 1);
}
