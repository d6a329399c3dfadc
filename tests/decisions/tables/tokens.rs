//! What a token must say, and how it must be written.

use serde_json::{Value, json};

use super::{Ask, PASSES, Tables, get};
use crate::harness::keys::{Key, amended, claims, encode, tampered};
use crate::harness::now;
use crate::harness::policy::{ISSUER, only, provider};

const MALFORMED: &str = "MALFORMED_TOKEN";

judged! {
    times_with_room,
    three_segments_of_strict_base64url,
    octets_that_are_no_text,
    json_is_read_strictly,
    nesting_stops_before_the_stack_does,
    the_algorithm_is_the_providers_and_the_keys,
    each_algorithm_verifies_its_own_signatures_alone,
    no_extension_is_understood,
    keys_that_a_token_brings_along_are_no_keys,
    times,
    no_tolerance_means_none,
    exp_may_be_left_out_where_the_operator_says_so,
    a_longest_lifetime,
    the_issuer_is_compared_exactly,
    the_audience_is_compared_exactly,
    names_of_another_type_than_string,
    types,
    what_costs_little_is_said_first,
    a_broken_signature_segment_is_malformed_whatever_key_it_names,
}

fn policy(key: &Key, changes: Value) -> Value {
    only(amended(provider([key]), changes))
}

/// A table of tokens in the usual place.
fn judge(tables: &mut Tables, policy: Value, rows: &[(&str, String, &'static str)]) {
    tables.judge(policy, &asks(rows));
}

fn asks<'r>(rows: &'r [(&str, String, &'static str)]) -> Vec<(&'r str, Ask, &'static str)> {
    let ask = |(what, token, expected): &'r (&str, String, &'static str)| {
        (*what, get("/").bearer(token), *expected)
    };
    rows.iter().map(ask).collect()
}

fn header() -> String {
    json!({ "alg": "ES256", "kid": "k" }).to_string()
}

/// Claims with one member as raw text; it replaces the good one of its name.
fn raw_claims(name: &str, text: &str) -> String {
    let rest = claims(json!({ name: null })).to_string();
    format!("{{\"{name}\":{text},{}", &rest[1..])
}

fn three_segments_of_strict_base64url(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let [head, body, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three segments")
    };
    // 64 octets leave four bits of the last character unused.
    let last = signature.chars().last().unwrap();
    let successor = char::from(u8::try_from(last).unwrap() + 1);
    let stray_bits = format!("{head}.{body}.{}{successor}", &signature[..85]);
    // The same header with characters of the other alphabet.
    let questions = (0..3)
        .map(|pad| {
            encode(format!(
                r#"{{"alg":"ES256","kid":"k","{}":"???"}}"#,
                "x".repeat(pad + 1)
            ))
        })
        .find(|segment| segment.contains('_'))
        .unwrap();
    let other_alphabet = key.sign(&format!("{}.{body}", questions.replace('_', "/")));
    // A claims segment whose length leaves unused bits.
    let loose_claims = (0..3)
        .map(|pad| encode(claims(json!({ "x": "x".repeat(pad) })).to_string()))
        .find(|segment| segment.len() % 4 == 3)
        .unwrap();
    let end = u8::try_from(loose_claims.chars().last().unwrap()).unwrap();
    let loose_claims = format!(
        "{}{}",
        &loose_claims[..loose_claims.len() - 1],
        char::from(end + 1)
    );
    judge(
        tables,
        policy(&key, json!({})),
        &[
            ("as it is", token.clone(), PASSES),
            ("nothing", String::new(), MALFORMED),
            ("one segment", head.into(), MALFORMED),
            ("two segments", format!("{head}.{body}"), MALFORMED),
            ("four segments", format!("{token}.{signature}"), MALFORMED),
            ("a dot more", format!("{token}."), MALFORMED),
            ("a dot before", format!(".{token}"), MALFORMED),
            (
                "five segments: JWE",
                format!("{head}.{body}.{body}.{body}.{body}"),
                MALFORMED,
            ),
            ("dots alone", "..".into(), MALFORMED),
            ("many dots", ".".repeat(16_000), MALFORMED),
            ("no header", format!(".{body}.{signature}"), MALFORMED),
            ("no claims", key.sign(&format!("{head}.")), MALFORMED),
            (
                "no signature",
                format!("{head}.{body}."),
                "INVALID_SIGNATURE",
            ),
            ("a padded signature", format!("{token}=="), MALFORMED),
            (
                "padded claims",
                key.sign(&format!("{head}.{body}=")),
                MALFORMED,
            ),
            ("stray bits in the signature", stray_bits, MALFORMED),
            (
                "stray bits in the claims",
                key.sign(&format!("{head}.{loose_claims}")),
                MALFORMED,
            ),
            (
                "a segment of an impossible length",
                format!("{head}.{body}.{}", &signature[..85]),
                MALFORMED,
            ),
            ("the other alphabet", other_alphabet, MALFORMED),
            (
                "a space within",
                format!("{head}.{body} .{signature}"),
                MALFORMED,
            ),
            ("a space behind", format!("{token} "), MALFORMED),
            ("a tab behind", format!("{token}\t"), MALFORMED),
            ("a NUL behind", format!("{token}\0"), MALFORMED),
            ("an escaped dot", token.replacen('.', "%2E", 1), MALFORMED),
            ("in quotes", format!("\"{token}\""), MALFORMED),
            ("non-ASCII", format!("{token}é"), MALFORMED),
            ("encoded once more", encode(&token), MALFORMED),
            (
                "JSON serialization",
                json!({ "payload": body, "protected": head, "signature": signature }).to_string(),
                "AMBIGUOUS_CREDENTIALS",
            ),
            ("another signature", tampered(&token), "INVALID_SIGNATURE"),
            (
                "a shorter signature",
                format!("{head}.{body}.{}", &signature[..84]),
                "INVALID_SIGNATURE",
            ),
            (
                "a longer signature",
                format!("{token}AAAA"),
                "INVALID_SIGNATURE",
            ),
        ],
    );
}

/// A token as bytes that are no text.
fn octets_that_are_no_text(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let mut value = b"Bearer ".to_vec();
    value.extend(key.token(json!({})).as_bytes());
    let rows = [0x00, 0x80, 0xc0, 0xff].map(|octet| {
        let ask = get("/").with("authorization", [value.as_slice(), &[octet]].concat());
        ("an octet behind the token", ask, MALFORMED)
    });
    tables.judge(policy(&key, json!({})), &rows);
}

fn json_is_read_strictly(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let good = claims(json!({})).to_string();
    let with_header = |header: &str| key.seal(header, &good);
    let with_claims = |claims: &str| key.seal(header(), claims);
    let extra = |member: &str| with_claims(&format!("{{{member},{}", &good[1..]));
    let bytes = |member: &[u8]| {
        let text = [b"{", member, b",", &good.as_bytes()[1..]].concat();
        key.seal(header(), text)
    };
    let nested = |levels: usize| format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels));
    judge(
        tables,
        policy(&key, json!({})),
        &[
            (
                "white space is no matter",
                key.seal(
                    " {\n\"alg\" : \"ES256\",\t\"kid\":\"k\" } ",
                    format!(" {good}\r\n"),
                ),
                PASSES,
            ),
            (
                "names in escapes",
                with_header(r#"{"\u0061lg":"ES256","kid":"\u006b"}"#),
                PASSES,
            ),
            ("a surrogate pair", extra(r#""x":"\ud83d\ude00""#), PASSES),
            (
                "a number that no double holds",
                extra(r#""x":1e999"#),
                MALFORMED,
            ),
            (
                "four hundred digits",
                extra(&format!("\"x\":{}", "9".repeat(400))),
                MALFORMED,
            ),
            (
                "three hundred digits",
                extra(&format!("\"x\":{}", "9".repeat(300))),
                PASSES,
            ),
            (
                "the largest double",
                extra(r#""x":[1.7976931348623157e308,-1.7976931348623157E+308,1e-999]"#),
                PASSES,
            ),
            (
                "beyond it, deep down",
                extra(r#""x":[{"y":1.8e308}]"#),
                MALFORMED,
            ),
            ("a hundred levels", extra(&nested(100)), PASSES),
            ("nested beyond the bound", extra(&nested(200)), MALFORMED),
            (
                "a header nested beyond the bound",
                with_header(&format!("{{\"alg\":\"ES256\",{}}}", nested(2000))),
                MALFORMED,
            ),
            ("a member twice", extra(r#""sub":"mallory""#), MALFORMED),
            (
                "a member twice, once in escapes",
                extra(r#""\u0073ub":"mallory""#),
                MALFORMED,
            ),
            (
                "a member twice, deep inside",
                extra(r#""x":[{"y":{"a":1,"b":2,"a":3}}]"#),
                MALFORMED,
            ),
            (
                "exp twice",
                extra(&format!("\"exp\":{}", now() + 9999)),
                MALFORMED,
            ),
            (
                "alg twice",
                with_header(r#"{"alg":"none","alg":"ES256","kid":"k"}"#),
                MALFORMED,
            ),
            (
                "a member of the header twice, deep inside",
                with_header(r#"{"alg":"ES256","x":{"a":1,"a":2}}"#),
                MALFORMED,
            ),
            ("a lone high surrogate", extra(r#""x":"\ud800""#), MALFORMED),
            ("a lone low surrogate", extra(r#""x":"\udc00""#), MALFORMED),
            (
                "surrogates in the wrong order",
                extra(r#""x":"\ude00\ud83d""#),
                MALFORMED,
            ),
            (
                "a lone surrogate as a name",
                extra(r#""\ud800":1"#),
                MALFORMED,
            ),
            (
                "a lone surrogate in the header",
                with_header(r#"{"alg":"ES256","x":"\ud800"}"#),
                MALFORMED,
            ),
            ("no UTF-8", bytes(b"\"x\":\"\xff\""), MALFORMED),
            ("overlong UTF-8", bytes(b"\"x\":\"\xc0\xaf\""), MALFORMED),
            (
                "a surrogate in UTF-8",
                bytes(b"\"x\":\"\xed\xa0\x80\""),
                MALFORMED,
            ),
            (
                "a byte order mark before the claims",
                with_claims(&format!("\u{feff}{good}")),
                MALFORMED,
            ),
            (
                "a byte order mark before the header",
                with_header(&format!("\u{feff}{}", header())),
                MALFORMED,
            ),
            ("a comment", extra("/* */\"x\":1"), MALFORMED),
            (
                "a trailing comma",
                with_claims(&format!("{},}}", &good[..good.len() - 1])),
                MALFORMED,
            ),
            (
                "something behind the claims",
                with_claims(&format!("{good}x")),
                MALFORMED,
            ),
            (
                "a second object",
                with_claims(&format!("{good}{{}}")),
                MALFORMED,
            ),
            (
                "a NUL behind the claims",
                with_claims(&format!("{good}\0")),
                MALFORMED,
            ),
            (
                "a control character in a string",
                extra("\"x\":\"a\nb\""),
                MALFORMED,
            ),
            ("single quotes", extra("'x':1"), MALFORMED),
            ("a name without quotes", extra("x:1"), MALFORMED),
            ("NaN", extra("\"x\":NaN"), MALFORMED),
            ("Infinity", extra("\"x\":Infinity"), MALFORMED),
            ("a leading zero", extra("\"x\":01"), MALFORMED),
            ("a plus", extra("\"x\":+1"), MALFORMED),
            ("hexadecimal", extra("\"x\":0x1"), MALFORMED),
            ("no digit before the point", extra("\"x\":.5"), MALFORMED),
            ("no digit behind the point", extra("\"x\":1."), MALFORMED),
            ("True", extra("\"x\":True"), MALFORMED),
            ("an unknown escape", extra(r#""x":"\x41""#), MALFORMED),
            ("claims: an array", with_claims("[]"), MALFORMED),
            ("claims: a number", with_claims("1"), MALFORMED),
            ("claims: null", with_claims("null"), MALFORMED),
            ("claims: a string", with_claims("\"x\""), MALFORMED),
            ("claims: nothing", with_claims(""), MALFORMED),
            (
                "claims: a token",
                with_claims(&key.token(json!({}))),
                MALFORMED,
            ),
            ("header: an array", with_header("[]"), MALFORMED),
            ("header: a string", with_header("\"ES256\""), MALFORMED),
            ("header: null", with_header("null"), MALFORMED),
            ("header: empty", with_header("{}"), MALFORMED),
        ],
    );
}

fn nesting_stops_before_the_stack_does(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let config = amended(
        only(provider([&key])),
        json!({ "limits": { "token_bytes": 1_048_576 } }),
    );
    let mut rows = Vec::new();
    for open in ["[", "{\"a\":"] {
        // The second is as deep as fits into what Envoy takes.
        for levels in [100_000, 7000] {
            let deep = format!("{{\"x\":{}", open.repeat(levels));
            rows.push(("deep claims", key.seal(header(), &deep), MALFORMED));
            rows.push(("a deep header", key.seal(&deep, "{}"), MALFORMED));
        }
    }
    judge(tables, config, &rows);
}

fn the_algorithm_is_the_providers_and_the_keys(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let other = Key::new("RS256", "rsa");
    let shared = Key::new("HS256", "hs");
    let unsupported = "UNSUPPORTED_ALGORITHM";
    let named = |alg: Value| key.token_with(json!({ "alg": alg }), json!({}));
    let raw = |alg: &str| {
        key.seal(
            format!("{{\"alg\":{alg},\"kid\":\"k\"}}"),
            claims(json!({})).to_string(),
        )
    };
    let mut rows: Vec<(&str, String, &str)> = vec![
        ("its own", named(json!("ES256")), PASSES),
        (
            "of a key of another kind",
            key.token_with(json!({ "alg": "RS256" }), json!({})),
            unsupported,
        ),
        ("ES384 for a P-256 key", named(json!("ES384")), unsupported),
        ("EdDSA for a P-256 key", named(json!("EdDSA")), unsupported),
        (
            "a key of another kind is named",
            key.token_with(json!({ "kid": "rsa" }), json!({})),
            unsupported,
        ),
        (
            "not on the list",
            other.token_with(json!({ "alg": "RS512" }), json!({})),
            unsupported,
        ),
        (
            "a shared secret that nobody listed",
            shared.token(json!({})),
            unsupported,
        ),
        (
            "the public key as a secret",
            Key::hs256("k", key.jwk()["x"].to_string()).token(json!({})),
            unsupported,
        ),
        (
            "an empty secret",
            Key::hs256("k", "").token(json!({})),
            unsupported,
        ),
        ("a number", raw("256"), MALFORMED),
        ("null", raw("null"), MALFORMED),
        ("an array", raw("[\"ES256\"]"), MALFORMED),
        ("an object", raw("{\"a\":\"ES256\"}"), MALFORMED),
        ("true", raw("true"), MALFORMED),
        (
            "none at all",
            key.seal(r#"{"kid":"k"}"#, claims(json!({})).to_string()),
            MALFORMED,
        ),
    ];
    for name in [
        "none",
        "None",
        "NONE",
        "nOnE",
        " none",
        "none ",
        "n\u{0}one",
        "\u{ff4e}one",
        "",
        "es256",
        "Es256",
        "ES256 ",
        " ES256",
        "ES256K",
        "ES521",
        "XYZ",
        "HS1",
        "SHA256",
        "ES256\n",
        "ECDSA",
        "ES256,none",
    ] {
        rows.push(("by another name", named(json!(name)), unsupported));
        let unsigned = format!(
            "{}.{}.",
            encode(json!({ "alg": name }).to_string()),
            encode(claims(json!({})).to_string())
        );
        rows.push(("unsigned", unsigned, unsupported));
    }
    let list = json!({ "algorithms": ["ES256", "RS256"], "jwks": { "inline": { "keys": [key.jwk(), other.jwk()] } } });
    judge(tables, policy(&key, list), &rows);

    let edwards = Key::new("EdDSA", "k");
    judge(
        tables,
        policy(&edwards, json!({})),
        &[
            ("EdDSA", edwards.token(json!({})), PASSES),
            (
                "by its full name",
                edwards.token_with(json!({ "alg": "Ed25519" }), json!({})),
                PASSES,
            ),
            (
                "the other curve",
                edwards.token_with(json!({ "alg": "Ed448" }), json!({})),
                unsupported,
            ),
            (
                "in lower case",
                edwards.token_with(json!({ "alg": "ed25519" }), json!({})),
                unsupported,
            ),
            (
                "in upper case",
                edwards.token_with(json!({ "alg": "EDDSA" }), json!({})),
                unsupported,
            ),
        ],
    );
}

fn each_algorithm_verifies_its_own_signatures_alone(tables: &mut Tables) {
    let algorithms = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
        "HS256", "HS384", "HS512",
    ];
    for alg in algorithms {
        let key = Key::new(alg, "k");
        let listed: Vec<_> = algorithms[..10].iter().chain([&alg]).collect();
        let policy = policy(&key, json!({ "algorithms": listed }));
        let token = key.token(json!({}));
        let stranger = match alg {
            // All RSA keys of these tests are one.
            "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => tampered(&token),
            _ => Key::new(alg, "k").token(json!({})),
        };
        judge(
            tables,
            policy,
            &[
                (alg, token.clone(), PASSES),
                (alg, stranger, "INVALID_SIGNATURE"),
                (alg, tampered(&token), "INVALID_SIGNATURE"),
            ],
        );
    }
    // One RSA key, six algorithms: a signature is one's own alone.
    let key = Key::new("RS256", "k");
    let mut rows = Vec::new();
    for made in &algorithms[..6] {
        for said in &algorithms[..6] {
            let token = Key::new(made, "k").token_with(json!({ "alg": said }), json!({}));
            let expected = if made == said {
                PASSES
            } else {
                "INVALID_SIGNATURE"
            };
            rows.push((*said, token, expected));
        }
    }
    judge(tables, policy(&key, json!({})), &rows);
}

fn no_extension_is_understood(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let mut rows = Vec::new();
    for header in [
        json!({ "crit": ["x"], "x": 1 }),
        json!({ "crit": ["x"] }),
        json!({ "crit": [] }),
        json!({ "crit": "x" }),
        json!({ "crit": ["alg"] }),
        json!({ "crit": ["exp"], "exp": now() + 600 }),
        json!({ "crit": [1] }),
        json!({ "crit": {} }),
        json!({ "crit": false }),
        json!({ "crit": 0 }),
        json!({ "crit": ["b64"], "b64": true }),
        json!({ "b64": true }),
        json!({ "b64": false }),
        json!({ "b64": "false" }),
        json!({ "crit": ["b64"], "b64": false }),
        json!({ "crit": ["cnf"], "cnf": {} }),
        json!({ "crit": ["http://example.invalid/UNDEFINED"] }),
    ] {
        rows.push((
            "an extension",
            key.token_with(header, json!({})),
            "INVALID_TOKEN",
        ));
    }
    for header in [
        r#"{"alg":"ES256","kid":"k","crit":null}"#,
        r#"{"alg":"ES256","kid":"k","b64":null}"#,
    ] {
        rows.push((
            "null",
            key.seal(header, claims(json!({})).to_string()),
            "INVALID_TOKEN",
        ));
    }
    let raw_payload = format!(
        "{}.{}",
        encode(r#"{"alg":"ES256","kid":"k","b64":false,"crit":["b64"]}"#),
        claims(json!({}))
    );
    rows.push((
        "claims that are not encoded",
        key.sign(&raw_payload),
        "AMBIGUOUS_CREDENTIALS",
    ));
    rows.push((
        "a member that nobody knows",
        key.token_with(json!({ "x-foo": { "a": [1] } }), json!({})),
        PASSES,
    ));
    rows.push((
        "other case is another name",
        key.token_with(json!({ "CRIT": ["x"] }), json!({})),
        PASSES,
    ));
    rows.push((
        "zip without a deflated payload",
        key.token_with(json!({ "zip": "DEF", "cty": "JWT" }), json!({})),
        PASSES,
    ));
    judge(tables, policy(&key, json!({})), &rows);
}

fn keys_that_a_token_brings_along_are_no_keys(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let attacker = Key::new("ES256", "k");
    let mut rows = Vec::new();
    for header in [
        json!({ "jwk": attacker.jwk() }),
        json!({ "jku": "https://attacker.example/jwks.json" }),
        json!({ "jku": "file:///etc/passwd" }),
        json!({ "x5u": "https://attacker.example/cert.pem" }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "x5c": "not even a list" }),
        json!({ "x5t": "AAAA", "x5t#S256": "AAAA" }),
        json!({ "jwk": [1], "jku": 2, "x5u": {} }),
    ] {
        rows.push((
            "the attacker's key",
            attacker.token_with(header.clone(), json!({})),
            "INVALID_SIGNATURE",
        ));
        rows.push(("ignored", key.token_with(header, json!({})), PASSES));
    }
    let oct = json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "AAAA" } });
    rows.push((
        "a secret",
        Key::hs256("k", [0; 3]).token_with(oct, json!({})),
        "UNSUPPORTED_ALGORITHM",
    ));
    judge(tables, policy(&key, json!({})), &rows);
}

fn times(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let raw = |name: &str, text: &str| key.seal(header(), raw_claims(name, text));
    let expired = "TOKEN_EXPIRED";
    let early = "TOKEN_NOT_YET_VALID";
    let mut rows: Vec<(&str, String, &str)> = vec![
        (
            "expires at this moment, tolerance and all",
            raw("exp", &(now() - 30).to_string()),
            expired,
        ),
        (
            "expires a microsecond later",
            raw("exp", "1699999970.000001"),
            PASSES,
        ),
        (
            "expired a microsecond before",
            raw("exp", "1699999969.999999"),
            expired,
        ),
        (
            "expired within the tolerance",
            raw("exp", &(now() - 29).to_string()),
            PASSES,
        ),
        ("expired long ago", raw("exp", "1"), expired),
        ("expired at the epoch", raw("exp", "0"), expired),
        ("minus nothing", raw("exp", "-0"), expired),
        ("expired before the epoch", raw("exp", "-1"), expired),
        ("a fraction before the epoch", raw("exp", "-1.5"), expired),
        ("with an exponent", raw("exp", "1.7000006e9"), PASSES),
        ("a tiny fraction", raw("exp", "1e-300"), expired),
        (
            "the last second of 9999",
            raw("exp", "253402300799"),
            PASSES,
        ),
        ("the year 10000", raw("exp", "253402300800"), MALFORMED),
        ("milliseconds", raw("exp", "1700000600000"), MALFORMED),
        (
            "the largest i64",
            raw("exp", "9223372036854775807"),
            MALFORMED,
        ),
        (
            "the largest u64",
            raw("exp", "18446744073709551615"),
            MALFORMED,
        ),
        (
            "the smallest i64",
            raw("exp", "-9223372036854775808"),
            MALFORMED,
        ),
        ("a large double", raw("exp", "1e308"), MALFORMED),
        ("beyond a double", raw("exp", "1e400"), MALFORMED),
        ("far below zero", raw("exp", "-1e400"), MALFORMED),
        ("no exp", key.token(json!({ "exp": null })), "INVALID_TOKEN"),
        (
            "valid at this moment",
            raw("nbf", &now().to_string()),
            PASSES,
        ),
        (
            "valid from now on, tolerance and all",
            raw("nbf", &(now() + 30).to_string()),
            PASSES,
        ),
        (
            "valid a second later",
            raw("nbf", &(now() + 31).to_string()),
            early,
        ),
        (
            "valid a microsecond later",
            raw("nbf", "1700000030.000001"),
            early,
        ),
        ("valid in the far future", raw("nbf", "253402300799"), early),
        ("nbf before the epoch", raw("nbf", "-5"), PASSES),
        (
            "nbf after exp, both within the tolerance",
            key.token(json!({ "nbf": now() + 20, "exp": now() + 10 })),
            PASSES,
        ),
        (
            "issued in the future",
            raw("iat", &(now() + 86_400).to_string()),
            PASSES,
        ),
        ("issued before the epoch", raw("iat", "-1"), PASSES),
        ("no iat", key.token(json!({ "iat": null })), PASSES),
    ];
    for name in ["exp", "nbf", "iat"] {
        for text in [
            "\"1700000600\"",
            "\"\"",
            "null",
            "true",
            "[]",
            "[1700000600]",
            "{}",
            "1e999",
            "253402300800",
        ] {
            rows.push((name, raw(name, text), MALFORMED));
        }
    }
    tables.judge_natively(policy(&key, json!({})), &asks(&rows));
}

/// The same where a minute makes the difference.
fn times_with_room(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = |changes: Value| key.token(changes);
    let raw = |name: &str, text: &str| key.seal(header(), raw_claims(name, text));
    let (expired, early) = ("TOKEN_EXPIRED", "TOKEN_NOT_YET_VALID");
    let now = now();
    judge(
        tables,
        policy(&key, json!({ "clock_tolerance": "5m" })),
        &[
            (
                "within the tolerance",
                token(json!({ "exp": now - 200 })),
                PASSES,
            ),
            ("beyond it", token(json!({ "exp": now - 360 })), expired),
            ("expired long ago", token(json!({ "exp": 1 })), expired),
            ("before the epoch", token(json!({ "exp": -5 })), expired),
            ("with an exponent", raw("exp", "4e9"), PASSES),
            (
                "the last second of 9999",
                raw("exp", "253402300799"),
                PASSES,
            ),
            ("the year 10000", raw("exp", "253402300800"), MALFORMED),
            ("beyond a double", raw("exp", "1e999"), MALFORMED),
            ("a string", raw("exp", "\"4000000000\""), MALFORMED),
            ("null", raw("exp", "null"), MALFORMED),
            ("no exp", token(json!({ "exp": null })), "INVALID_TOKEN"),
            (
                "early within the tolerance",
                token(json!({ "nbf": now + 200 })),
                PASSES,
            ),
            ("too early", token(json!({ "nbf": now + 400 })), early),
            ("nbf is true", raw("nbf", "true"), MALFORMED),
            (
                "issued in the future",
                token(json!({ "iat": now + 9000 })),
                PASSES,
            ),
            ("iat is a string", raw("iat", "\"now\""), MALFORMED),
        ],
    );
    judge(
        tables,
        policy(
            &key,
            json!({ "clock_tolerance": "0s", "max_lifetime": "1h" }),
        ),
        &[
            ("no tolerance", token(json!({ "exp": now - 1 })), expired),
            (
                "no tolerance for nbf",
                token(json!({ "nbf": now + 60 })),
                early,
            ),
            (
                "too long from now",
                token(json!({ "iat": null, "exp": now + 4000 })),
                "INVALID_TOKEN",
            ),
            (
                "too long from iat",
                token(json!({ "iat": now - 3500, "exp": now + 600 })),
                "INVALID_TOKEN",
            ),
        ],
    );
}

fn no_tolerance_means_none(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let at = |exp: i64, nbf: i64| key.token(json!({ "exp": exp, "nbf": nbf }));
    tables.judge_natively(
        policy(&key, json!({ "clock_tolerance": "0s" })),
        &asks(&[
            ("one second left", at(now() + 1, now()), PASSES),
            ("none left", at(now(), now()), "TOKEN_EXPIRED"),
            (
                "one second early",
                at(now() + 9, now() + 1),
                "TOKEN_NOT_YET_VALID",
            ),
        ]),
    );
}

fn exp_may_be_left_out_where_the_operator_says_so(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    judge(
        tables,
        policy(&key, json!({ "require_exp": false })),
        &[
            ("left out", key.token(json!({ "exp": null })), PASSES),
            (
                "there all the same",
                key.token(json!({ "exp": now() - 60 })),
                "TOKEN_EXPIRED",
            ),
            (
                "null is not left out",
                key.seal(header(), raw_claims("exp", "null")),
                MALFORMED,
            ),
        ],
    );
}

fn a_longest_lifetime(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let token = |iat: Value, exp: Value| key.token(json!({ "iat": iat, "exp": exp }));
    tables.judge_natively(
        policy(&key, json!({ "max_lifetime": "1h", "require_exp": false })),
        &asks(&[
            (
                "an hour in all",
                token(json!(now() - 1800), json!(now() + 1800)),
                PASSES,
            ),
            (
                "a second more",
                token(json!(now() - 1800), json!(now() + 1801)),
                "INVALID_TOKEN",
            ),
            (
                "issued in the future to look short",
                token(json!(now() + 7200), json!(now() + 7300)),
                "INVALID_TOKEN",
            ),
            (
                "an hour from now, no iat",
                token(Value::Null, json!(now() + 3600)),
                PASSES,
            ),
            (
                "a second more, no iat",
                token(Value::Null, json!(now() + 3601)),
                "INVALID_TOKEN",
            ),
            (
                "for ever",
                token(json!(now()), Value::Null),
                "INVALID_TOKEN",
            ),
        ]),
    );
}

fn the_issuer_is_compared_exactly(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let mut rows = vec![
        ("the issuer", key.token(json!({ "iss": ISSUER })), PASSES),
        ("none", key.token(json!({ "iss": null })), "INVALID_ISSUER"),
        (
            "a list",
            key.token(json!({ "iss": [ISSUER] })),
            "INVALID_ISSUER",
        ),
        (
            "null",
            key.seal(header(), raw_claims("iss", "null")),
            "INVALID_ISSUER",
        ),
    ];
    for issuer in [
        "",
        "https://idp.example.com",
        "https://idp.example.com//",
        "https://IDP.example.com/",
        "HTTPS://idp.example.com/",
        "http://idp.example.com/",
        "https://idp.example.com/ ",
        "https://idp.example.com/\0",
        "https://idp%2Eexample.com/",
        "https://idp.example.com/x",
        "https://idp.example.com:443/",
        "https://idp.example.com.attacker.example/",
        "idp.example.com",
    ] {
        rows.push((
            "another",
            key.token(json!({ "iss": issuer })),
            "INVALID_ISSUER",
        ));
    }
    judge(tables, policy(&key, json!({})), &rows);
}

fn the_audience_is_compared_exactly(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let wrong = "INVALID_AUDIENCE";
    let mut rows = Vec::new();
    for (aud, expected) in [
        (json!("https://api.example"), PASSES),
        (json!(["https://api.example"]), PASSES),
        (json!(["other", "https://api.example"]), PASSES),
        (json!("second"), PASSES),
        (json!("other"), wrong),
        (json!(""), wrong),
        (json!("*"), wrong),
        (json!([]), wrong),
        (json!([""]), wrong),
        (json!("https://api.example/"), wrong),
        (json!("http://api.example"), wrong),
        (json!("api.example"), wrong),
        (json!("https://API.example"), wrong),
        (json!("https://api.example.attacker.example"), wrong),
        (json!("https://api.example other"), wrong),
        (json!("https://api.example "), wrong),
        (json!("https://api.example\0"), wrong),
        (json!(["https://api.example", 1]), MALFORMED),
        (json!([1, "https://api.example"]), MALFORMED),
        (json!([["https://api.example"]]), MALFORMED),
        (json!([null]), MALFORMED),
        (json!(7), MALFORMED),
        (json!(true), MALFORMED),
        (json!({ "https://api.example": true }), MALFORMED),
    ] {
        rows.push(("aud", key.token(json!({ "aud": aud })), expected));
    }
    rows.push(("none", key.token(json!({ "aud": null })), wrong));
    rows.push((
        "null",
        key.seal(header(), raw_claims("aud", "null")),
        MALFORMED,
    ));
    judge(
        tables,
        policy(
            &key,
            json!({ "audiences": ["https://api.example", "second"] }),
        ),
        &rows,
    );

    judge(
        tables,
        policy(
            &key,
            json!({ "audiences": null, "danger_any_audience": true }),
        ),
        &[
            ("any", key.token(json!({ "aud": "other" })), PASSES),
            ("none", key.token(json!({ "aud": null })), PASSES),
            ("but no number", key.token(json!({ "aud": 7 })), MALFORMED),
            (
                "nor one in a list",
                key.token(json!({ "aud": ["a", 7] })),
                MALFORMED,
            ),
        ],
    );
}

fn names_of_another_type_than_string(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let mut rows = Vec::new();
    for text in ["1", "null", "true", "[\"x\"]", "{\"x\":1}", "1.5"] {
        for claim in ["sub", "jti"] {
            rows.push((
                claim,
                key.seal(header(), raw_claims(claim, text)),
                MALFORMED,
            ));
        }
        for member in ["typ", "kid"] {
            let header = format!("{{\"alg\":\"ES256\",\"{member}\":{text}}}");
            rows.push((
                member,
                key.seal(header, claims(json!({})).to_string()),
                MALFORMED,
            ));
        }
    }
    rows.push(("neither", key.token(json!({ "sub": null })), PASSES));
    judge(tables, policy(&key, json!({})), &rows);
}

fn types(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let typ = |typ: &str| key.token_with(json!({ "typ": typ }), json!({}));
    let absent = key.token_with(json!({ "typ": null }), json!({}));
    let rows = |expected: [(&'static str, &'static str); 13], absent_is: &'static str| {
        let mut rows: Vec<_> = expected
            .iter()
            .map(|(name, code)| (*name, typ(name), *code))
            .collect();
        rows.push(("absent", absent.clone(), absent_is));
        rows
    };
    let no = "INVALID_TOKEN";
    let default = [
        ("JWT", PASSES),
        ("jwt", PASSES),
        ("at+jwt", PASSES),
        ("AT+JWT", PASSES),
        ("application/at+jwt", PASSES),
        ("Application/JWT", PASSES),
        ("", no),
        ("id+jwt", no),
        ("refresh+jwt", no),
        ("dpop+jwt", no),
        ("JWS", no),
        ("application/application/jwt", no),
        (" jwt", no),
    ];
    judge(tables, policy(&key, json!({})), &rows(default, PASSES));
    let named = default.map(|(name, code)| {
        (
            name,
            if name.to_ascii_lowercase().ends_with("at+jwt") {
                code
            } else {
                no
            },
        )
    });
    judge(
        tables,
        policy(&key, json!({ "types": ["application/AT+jwt"] })),
        &rows(named, no),
    );
}

/// Cheap checks come first: a forged token costs no signature check where its claims refuse it anyway.
fn what_costs_little_is_said_first(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let forged = |header: Value, changes: Value| tampered(&key.token_with(header, changes));
    judge(
        tables,
        policy(&key, json!({ "clock_tolerance": "0s" })),
        &[
            (
                "nothing else",
                forged(json!({}), json!({})),
                "INVALID_SIGNATURE",
            ),
            (
                "alg",
                forged(json!({ "alg": "none" }), json!({})),
                "UNSUPPORTED_ALGORITHM",
            ),
            (
                "kid",
                forged(json!({ "kid": "other" }), json!({})),
                "UNKNOWN_KEY",
            ),
            (
                "iss",
                forged(json!({}), json!({ "iss": "other" })),
                "INVALID_ISSUER",
            ),
            (
                "aud",
                forged(json!({}), json!({ "aud": "other" })),
                "INVALID_AUDIENCE",
            ),
            (
                "exp",
                forged(json!({}), json!({ "exp": now() })),
                "TOKEN_EXPIRED",
            ),
            (
                "nbf",
                forged(json!({}), json!({ "nbf": now() + 60 })),
                "TOKEN_NOT_YET_VALID",
            ),
            (
                "typ",
                forged(json!({ "typ": "id+jwt" }), json!({})),
                "INVALID_TOKEN",
            ),
            (
                "crit",
                forged(json!({ "crit": ["x"] }), json!({})),
                "INVALID_TOKEN",
            ),
        ],
    );
}

/// What is no token by its form names no key, so nobody is asked about one.
fn a_broken_signature_segment_is_malformed_whatever_key_it_names(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    for kid in ["k", "other"] {
        let token = key.token_with(json!({ "kid": kid }), json!({}));
        let (signed, _) = token.rsplit_once('.').unwrap();
        for broken in ["A", "AAAAA", "AA==", "+/+/", "AB"] {
            judge(
                tables,
                policy(&key, json!({})),
                &[(broken, format!("{signed}.{broken}"), MALFORMED)],
            );
        }
    }
}
