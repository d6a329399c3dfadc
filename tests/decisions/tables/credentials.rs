//! Which credential counts, and what of it the upstream sees.

use serde_json::{Value, json};

use super::{PASSES, Tables, get};
use crate::harness::keys::{Key, amended, sha256};
use crate::harness::policy::{api_key, only, provider};

const AMBIGUOUS: &str = "AMBIGUOUS_CREDENTIALS";
const MISSING: &str = "MISSING_TOKEN";
const MALFORMED: &str = "MALFORMED_TOKEN";

pub const API_KEY: &str = "an-api-key-of-these-tests";

judged! {
    the_scheme,
    each_place,
    a_rule_looks_at_its_own_places_alone,
    the_longest_credential_is_the_operators,
    an_anonymous_rule_looks_for_no_credential,
    what_other_parsers_take_for_a_credential,
    what_is_ambiguous_is_refused_on_every_rule,
}

/// Tokens in four places, API keys in two; a rule for each kind, one for both, an open one.
pub fn everywhere(key: &Key) -> Value {
    everywhere_with(key, json!({}))
}

fn everywhere_with(key: &Key, changes: Value) -> Value {
    let places = json!({
        "headers": [{ "name": "authorization", "prefix": "Bearer " }, { "name": "x-token" }, { "name": "x-literal", "prefix": "Token=" }],
        "query": ["access_token"],
        "cookies": ["session"],
    });
    let config = json!({
        "providers": { "corp": amended(provider([key]), json!({ "from": places })) },
        "api_keys": {
            "from": [{ "header": "x-api-key" }, { "header": "authorization", "scheme": "ApiKey" }],
            "keys": [api_key("ci", &sha256(API_KEY))],
        },
        "rules": [
            { "match": { "path": { "prefix": "/open" } }, "access": "anonymous" },
            { "match": { "path": { "prefix": "/closed" } }, "access": "deny" },
            { "match": { "path": { "prefix": "/optional" } }, "access": "optional" },
            { "match": { "path": { "prefix": "/token" } }, "credentials": ["corp"] },
            { "match": { "path": { "prefix": "/key" } }, "credentials": ["api_keys"] },
            {},
        ],
    });
    amended(config, changes)
}

fn the_scheme(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let with = |value: String| get("/").with("authorization", value);
    tables.judge(
        only(provider([&key])),
        &[
            ("as usual", with(format!("Bearer {token}")), PASSES),
            ("without case", with(format!("bEARER {token}")), PASSES),
            ("more spaces", with(format!("Bearer    {token}")), PASSES),
            ("nothing", get("/"), MISSING),
            ("no scheme", with(token.clone()), MISSING),
            ("another scheme", with("Basic dXNlcjpwYXNz".into()), MISSING),
            (
                "another scheme with a token",
                with(format!("Token {token}")),
                MISSING,
            ),
            ("DPoP", with(format!("DPoP {token}")), MISSING),
            ("a longer word", with(format!("Bearerx {token}")), MISSING),
            ("no space", with(format!("Bearer{token}")), MISSING),
            ("a tab", with(format!("Bearer\t{token}")), MALFORMED),
            ("a tab alone", with("Bearer\t".into()), MALFORMED),
            (
                "a tab and a space",
                with(format!("Bearer\t {token}")),
                MALFORMED,
            ),
            (
                "a space and a tab",
                with(format!("Bearer \t{token}")),
                MALFORMED,
            ),
            (
                "a no-break space",
                with(format!("Bearer\u{a0}{token}")),
                MALFORMED,
            ),
            (
                "a no-break space before",
                with(format!("\u{a0}Bearer {token}")),
                MALFORMED,
            ),
            (
                "a no-break space before, alone",
                with("\u{a0}Bearer".into()),
                MALFORMED,
            ),
            (
                "an em space",
                with(format!("Bearer\u{2003}{token}")),
                MALFORMED,
            ),
            (
                "a vertical tab",
                with(format!("bearer\u{b}{token}")),
                MALFORMED,
            ),
            (
                "a tab in a list",
                with(format!("Basic dXNlcg==, Bearer\t{token}")),
                AMBIGUOUS,
            ),
            ("a colon", with(format!("Bearer: {token}")), MISSING),
            ("an empty header", with(String::new()), MISSING),
            (
                "nothing behind the scheme",
                with("Bearer".into()),
                MALFORMED,
            ),
            (
                "spaces behind the scheme",
                with("Bearer   ".into()),
                MALFORMED,
            ),
            (
                "the scheme twice",
                with(format!("Bearer Bearer {token}")),
                MALFORMED,
            ),
            (
                "two tokens",
                with(format!("Bearer {token} {token}")),
                MALFORMED,
            ),
            (
                "a token in a place that nobody configured",
                get("/?access_token=x")
                    .with("cookie", "session=x")
                    .with("x-token", token.clone()),
                MISSING,
            ),
            (
                "two headers",
                with(format!("Bearer {token}")).with("authorization", "Basic dXNlcjpwYXNz"),
                AMBIGUOUS,
            ),
            (
                "two headers, in the other order",
                with("Basic dXNlcjpwYXNz".into()).bearer(&token),
                AMBIGUOUS,
            ),
            (
                "the same twice",
                with(format!("Bearer {token}")).bearer(&token),
                AMBIGUOUS,
            ),
            (
                "joined by a comma",
                with(format!("Bearer {token},Bearer {token}")),
                AMBIGUOUS,
            ),
            (
                "joined by a comma and a space",
                with(format!("Bearer {token}, Bearer x")),
                AMBIGUOUS,
            ),
            (
                "hidden behind another scheme",
                with(format!("Basic dXNlcg==, bearer {token}")),
                AMBIGUOUS,
            ),
            (
                "a comma at the end",
                with(format!("Bearer {token},")),
                AMBIGUOUS,
            ),
            (
                "a comma at the start",
                with(format!(",Bearer {token}")),
                AMBIGUOUS,
            ),
            (
                "a comma in the token",
                with(format!("Bearer {},{}", &token[..20], &token[20..])),
                AMBIGUOUS,
            ),
            (
                "a comma that hides nothing",
                with("Digest a=b, c=d".into()),
                MISSING,
            ),
        ],
    );
}

fn each_place(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let long = "x".repeat(16_385);
    let escaped = token.replace('.', "%2E");
    let query = |query: String| get(&format!("/token?{query}"));
    let cookie = |value: String| get("/token").with("cookie", value);
    let too_large = "REQUEST_TOO_LARGE";
    tables.judge(
        everywhere(&key),
        &[
            ("query", query(format!("access_token={token}")), PASSES),
            (
                "query, among others",
                query(format!("a=1&access_token={token}&b")),
                PASSES,
            ),
            (
                "query, escaped",
                query(format!("access%5ftoken={escaped}")),
                PASSES,
            ),
            ("query, no value", query("access_token".into()), MALFORMED),
            (
                "query, empty value",
                query("access_token=".into()),
                MALFORMED,
            ),
            (
                "query, other case",
                query(format!("Access_Token={token}")),
                MISSING,
            ),
            (
                "query, longer name",
                query(format!("xaccess_token={token}&access_tokenx={token}")),
                MISSING,
            ),
            (
                "query, twice",
                query(format!("access_token={token}&access_token={token}")),
                AMBIGUOUS,
            ),
            (
                "query, twice, once escaped",
                query(format!("access_token={token}&access%5Ftoken=x")),
                AMBIGUOUS,
            ),
            (
                "query, twice, once empty",
                query(format!("access_token={token}&access_token")),
                AMBIGUOUS,
            ),
            (
                "query, a list of two",
                query(format!("access_token={token},{token}")),
                MALFORMED,
            ),
            (
                "query, too long",
                query(format!("access_token={long}")),
                too_large,
            ),
            (
                "a query within the query",
                query(format!("a=b?access_token={token}")),
                MISSING,
            ),
            (
                "the body's form is not read",
                get("/token")
                    .method("POST")
                    .with("content-type", "application/x-www-form-urlencoded"),
                MISSING,
            ),
            ("cookie", cookie(format!("session={token}")), PASSES),
            (
                "cookie, among others",
                cookie(format!("a=1; session={token};b=2")),
                PASSES,
            ),
            (
                "cookie, in a second header",
                cookie("a=1".into()).with("cookie", format!("session={token}")),
                PASSES,
            ),
            (
                "cookie, other case",
                cookie(format!("Session={token}")),
                MISSING,
            ),
            (
                "cookie, longer name",
                cookie(format!("xsession={token}; session2=x")),
                MISSING,
            ),
            (
                "cookie, in another's value",
                cookie(format!("a=session={token}")),
                MISSING,
            ),
            ("cookie, empty", cookie("session=".into()), MALFORMED),
            ("cookie, no value", cookie("session".into()), MALFORMED),
            (
                "cookie, quoted",
                cookie(format!("session=\"{token}\"")),
                MALFORMED,
            ),
            (
                "cookie, twice",
                cookie(format!("session={token}; session={token}")),
                AMBIGUOUS,
            ),
            (
                "cookie, twice, once empty",
                cookie(format!("session={token}; session")),
                AMBIGUOUS,
            ),
            (
                "cookie, in two headers",
                cookie(format!("session={token}")).with("cookie", "session=x"),
                AMBIGUOUS,
            ),
            (
                "cookie, too long",
                cookie(format!("session={long}")),
                too_large,
            ),
            (
                "a header of its own",
                get("/token").with("x-token", &token),
                PASSES,
            ),
            (
                "a header of its own, empty",
                get("/token").with("x-token", ""),
                MALFORMED,
            ),
            (
                "a header of its own, twice",
                get("/token")
                    .with("x-token", &token)
                    .with("x-token", &token),
                AMBIGUOUS,
            ),
            (
                "a header of its own, with a scheme",
                get("/token").with("x-token", format!("Bearer {token}")),
                MALFORMED,
            ),
            (
                "a header of its own, too long",
                get("/token").with("x-token", &long),
                too_large,
            ),
            (
                "a literal prefix",
                get("/token").with("x-literal", format!("Token={token}")),
                PASSES,
            ),
            (
                "a literal prefix, other case",
                get("/token").with("x-literal", format!("token={token}")),
                MISSING,
            ),
            (
                "header and query",
                query(format!("access_token={token}")).bearer(&token),
                AMBIGUOUS,
            ),
            (
                "header and empty query",
                query("access_token".into()).bearer(&token),
                AMBIGUOUS,
            ),
            (
                "header and cookie",
                cookie(format!("session={token}")).bearer(&token),
                AMBIGUOUS,
            ),
            (
                "two headers of two names",
                get("/token").with("x-token", &token).bearer(&token),
                AMBIGUOUS,
            ),
            ("bearer, too long", get("/token").bearer(&long), too_large),
            (
                "just as long as it may be",
                get("/token").bearer(&long[..16_384]),
                MALFORMED,
            ),
        ],
    );
}

fn a_rule_looks_at_its_own_places_alone(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let both = |path: &str| get(path).bearer(&token).with("x-api-key", API_KEY);
    tables.judge(
        everywhere(&key),
        &[
            (
                "token where tokens are wanted, key beside it",
                both("/token"),
                PASSES,
            ),
            (
                "key where keys are wanted, token beside it",
                both("/key"),
                PASSES,
            ),
            ("both where both are wanted", both("/"), AMBIGUOUS),
            (
                "both, one of them bad",
                get("/").bearer("x").with("x-api-key", API_KEY),
                AMBIGUOUS,
            ),
            (
                "both, one of them empty",
                get("/").bearer(&token).with("x-api-key", ""),
                AMBIGUOUS,
            ),
            (
                "a key where tokens are wanted",
                get("/token").with("x-api-key", API_KEY),
                MISSING,
            ),
            (
                "a token where keys are wanted",
                get("/key").bearer(&token),
                MISSING,
            ),
            (
                "a key of the Authorization header where tokens are wanted",
                get("/token").with("authorization", format!("ApiKey {API_KEY}")),
                MISSING,
            ),
            (
                "a key that hides a token",
                get("/key").with("authorization", format!("ApiKey {API_KEY}, Bearer {token}")),
                AMBIGUOUS,
            ),
            (
                "a token that hides a key",
                get("/token").with("authorization", format!("Bearer {token}, ApiKey {API_KEY}")),
                AMBIGUOUS,
            ),
            ("a key as a token", get("/token").bearer(API_KEY), MALFORMED),
            (
                "a token as a key",
                get("/key").with("x-api-key", &token),
                "INVALID_API_KEY",
            ),
            ("optional: none", get("/optional"), PASSES),
            (
                "optional: another scheme",
                get("/optional").with("authorization", "Basic eA=="),
                PASSES,
            ),
            (
                "optional: a good one",
                get("/optional").bearer(&token),
                PASSES,
            ),
            (
                "optional: a bad one",
                get("/optional").bearer(key.token(json!({ "exp": 1 }))),
                "TOKEN_EXPIRED",
            ),
            (
                "optional: an empty one",
                get("/optional").with("authorization", "Bearer"),
                MALFORMED,
            ),
            (
                "optional: an unknown key",
                get("/optional").with("x-api-key", "unknown"),
                "INVALID_API_KEY",
            ),
            ("optional: two", both("/optional"), AMBIGUOUS),
            (
                "anonymous: a bad one is not looked at",
                get("/open").bearer("x"),
                PASSES,
            ),
            (
                "anonymous: two are still ambiguous",
                get("/open").bearer("x").bearer("y"),
                AMBIGUOUS,
            ),
            (
                "deny: a good one",
                get("/closed").bearer(&token),
                "RULE_DENIES",
            ),
            ("deny: none", get("/closed"), "RULE_DENIES"),
            (
                "deny: two",
                get("/closed").bearer("x").bearer("y"),
                AMBIGUOUS,
            ),
            (
                "a key and a token in one header",
                get("/")
                    .with("authorization", format!("ApiKey {API_KEY}"))
                    .bearer(&token),
                AMBIGUOUS,
            ),
        ],
    );
}

fn the_longest_credential_is_the_operators(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let limit = |bytes: usize| {
        let config = json!({ "limits": { "token_bytes": bytes } });
        amended(only(provider([&key])), config)
    };
    let ask = get("/").bearer(&token);
    tables.judge(limit(token.len()), &[("all of it", ask.clone(), PASSES)]);
    let too_large = "REQUEST_TOO_LARGE";
    tables.judge(limit(token.len() - 1), &[("one byte less", ask, too_large)]);
    let header = json!({ "x5c": vec!["x".repeat(40); 600] });
    let bloated = get("/").bearer(key.token_with(header, json!({})));
    let by_default = only(provider([&key]));
    tables.judge(by_default, &[("a certificate chain", bloated, too_large)]);
}

fn an_anonymous_rule_looks_for_no_credential(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let rule = json!({ "match": { "path": { "prefix": "/open" } }, "access": "anonymous" });
    for unmatched in ["deny", "anonymous"] {
        let changes = json!({ "rules": [rule], "unmatched": unmatched });
        let path = match unmatched {
            "deny" => "/open",
            _ => "/elsewhere",
        };
        tables.judge(
            everywhere_with(&key, changes),
            &[
                ("a token", get(path).bearer(&token), PASSES),
                ("a forged one", get(path).bearer("x.y.z"), PASSES),
                (
                    "a token and a key",
                    get(path).bearer(&token).with("x-api-key", API_KEY),
                    PASSES,
                ),
                (
                    "a token in two places",
                    get(&format!("{path}?access_token=a")).bearer(&token),
                    PASSES,
                ),
                (
                    "two headers",
                    get(path).bearer(&token).bearer(&token),
                    AMBIGUOUS,
                ),
                (
                    "two keys",
                    get(path)
                        .with("x-api-key", API_KEY)
                        .with("x-api-key", API_KEY),
                    AMBIGUOUS,
                ),
                (
                    "a comma",
                    get(path).bearer(format!("{token},{token}")),
                    AMBIGUOUS,
                ),
                (
                    "a hidden one",
                    get(path).with("authorization", "Basic x, Bearer y"),
                    AMBIGUOUS,
                ),
                (
                    "a parameter twice",
                    get(&format!("{path}?access_token=a&access_token=b")),
                    AMBIGUOUS,
                ),
                (
                    "a cookie twice",
                    get(path).with("cookie", "session=a; session=b"),
                    AMBIGUOUS,
                ),
            ],
        );
    }
}

/// Names and separators as laxer parsers read them.
fn what_other_parsers_take_for_a_credential(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    tables.judge(
        everywhere(&key),
        &[
            (
                "a semicolon hides a parameter",
                get(&format!("/?a=1;access_token={token}")),
                AMBIGUOUS,
            ),
            (
                "behind an ampersand",
                get(&format!("/?b&a;access_token={token}&c")),
                AMBIGUOUS,
            ),
            ("an escaped name", get("/?a;access%5ftoken=x"), AMBIGUOUS),
            ("a semicolon that hides nothing", get("/?a=1;b=2"), MISSING),
            (
                "a semicolon in the parameter",
                get("/?access_token=a;b"),
                MALFORMED,
            ),
            (
                "white space behind a cookie's name",
                get("/").with("cookie", format!("session ={token}")),
                PASSES,
            ),
            (
                "a tab behind it",
                get("/").with("cookie", format!("a=b;\tsession\t={token}")),
                PASSES,
            ),
            (
                "twice",
                get("/").with("cookie", "session=a; session =b"),
                AMBIGUOUS,
            ),
            (
                "white space before the value",
                get("/").with("cookie", format!("session= {token}")),
                MALFORMED,
            ),
        ],
    );
}

/// Ambiguous is ambiguous, also in a place that the rule does not look at: the next server may.
fn what_is_ambiguous_is_refused_on_every_rule(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let with = || get("/key").with("x-api-key", API_KEY);
    let parameter = |path: &str| get(path).with("x-api-key", API_KEY);
    tables.judge(
        everywhere(&key),
        &[
            ("the key alone", with(), PASSES),
            ("a token beside it", with().bearer("a"), PASSES),
            ("two tokens", with().bearer("a").bearer("b"), AMBIGUOUS),
            ("a list of tokens", with().bearer("a, Bearer b"), AMBIGUOUS),
            (
                "two cookies",
                with().with("cookie", "session=a; session=b"),
                AMBIGUOUS,
            ),
            (
                "two parameters",
                parameter("/key?access_token=a&access_token=b"),
                AMBIGUOUS,
            ),
            (
                "a hidden parameter",
                parameter("/key?a=1;access_token=forged"),
                AMBIGUOUS,
            ),
            (
                "of a rule that denies",
                get("/closed").bearer("a").bearer("b"),
                AMBIGUOUS,
            ),
        ],
    );
}
