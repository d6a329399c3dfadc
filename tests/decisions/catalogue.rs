//! The attack catalogue, through the whole core.
//!
//! Each case is a profile with its own changes, and mostly a token; those without one are built
//! here as the catalogue describes them. Where the standards leave room, the contract decides.

use portcullis_testing::outside_data::corpus;
use serde_json::{Value, json};

use super::harness::keys::{Key, amended, claims, encode, sha256};
use super::harness::policy::{api_key, only, provider};
use super::harness::{Ask, Filter, NOW, PASSES, get, preflight};

/// Where the contract says otherwise than the catalogue recommends, and why.
const DEVIATIONS: [(&str, &str, &str); 3] = [
    (
        "jwks-no-kid-any",
        "UNKNOWN_KEY",
        "a key without kid is named by none",
    ),
    (
        "key-space",
        "INVALID_API_KEY",
        "a key is its octets: what HTTP does not strip is a part of it",
    ),
    (
        "json-bigint",
        "MALFORMED_TOKEN",
        "a number beyond a double's range is read in as many ways as there are parsers",
    ),
];

/// Cases that need a network; the tests on a real Envoy have them.
const ON_A_NETWORK: [&str; 5] = [
    "jwks-fetch-redirect",
    "jwks-fetch-size",
    "jwks-fetch-slow-loris",
    // No clock is at hand to measure with; digests are compared in constant time.
    "key-timing",
    // Signature checks cannot be counted from outside; tokens.rs has the order of refusals.
    "dos-unsigned-work",
];

/// What became of a case: `passes`, a code, or `config-error`.
fn verdict(config: &str, ask: &Ask) -> &'static str {
    match Filter::from_text(config) {
        Ok(mut filter) => filter.ask(ask).code(),
        Err(faults) => {
            assert!(faults.lines().all(|line| line.contains(": ")), "{faults}");
            "config-error"
        }
    }
}

#[test]
fn every_case_is_decided_as_the_contract_says() {
    let Some(catalogue) = corpus("attacks.json") else {
        return;
    };
    let built = built();
    let mut wrong = String::new();
    let (mut judged, mut refused) = (0, 0);
    for case in catalogue["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let found = if case["category"] == "revocation" || ON_A_NETWORK.contains(&id) {
            continue;
        } else if let Some((_, found)) = built.iter().find(|(name, _)| *name == id) {
            *found
        } else if case["jwt"].is_string() || case["expected"] == "config-error" {
            let profile = &catalogue["profiles"][case["profile"].as_str().unwrap()];
            let token = case["jwt"].as_str().unwrap_or_default();
            verdict(&configuration(profile, case), &sent(token))
        } else {
            wrong += &format!("{id}: nobody knows how to build it\n");
            continue;
        };
        judged += 1;
        refused += usize::from(found != PASSES);
        let deviation = DEVIATIONS.iter().find(|(name, ..)| *name == id);
        let agrees = match (deviation, case["expected"].as_str().unwrap()) {
            (Some((_, code, _)), _) => found == *code,
            (None, "accept") => found == PASSES,
            (None, "reject") => found != PASSES,
            (None, "config-error") => found == "config-error",
            // Decided in the table of those that are built.
            (None, other) => other == "policy" && built.iter().any(|(name, _)| *name == id),
        };
        if !agrees {
            wrong += &format!("{id}: {found}, not {}\n", case["expected"]);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    println!("{judged} cases, {refused} of them refused");
    assert!(
        judged > 200 && refused > 150,
        "{judged} judged, {refused} refused"
    );
}

/// With a shared secret in the set and on the list, public keys are still no secrets.
#[test]
fn confusion_does_not_come_with_a_listed_secret() {
    let Some(catalogue) = corpus("attacks.json") else {
        return;
    };
    let mut profile = catalogue["profiles"]["base"].clone();
    let secret = &catalogue["profiles"]["hmac"]["jwks"]["keys"][0];
    profile["jwks"]["keys"]
        .as_array_mut()
        .unwrap()
        .push(secret.clone());
    profile["algs"].as_array_mut().unwrap().push(json!("HS256"));
    let mut judged = 0;
    for case in catalogue["cases"].as_array().unwrap() {
        let ours = ["key-confusion", "key-injection", "kid", "alg", "alg-none"];
        let category = case["category"].as_str().unwrap();
        if case["jwt"].is_string() && case["expected"] == "reject" && ours.contains(&category) {
            let config = configuration(&profile, &json!({ "jwks": null }));
            let found = verdict(&config, &sent(case["jwt"].as_str().unwrap()));
            assert!(
                ![PASSES, "config-error"].contains(&found),
                "{}: {found}",
                case["id"]
            );
            judged += 1;
        }
    }
    assert!(judged > 40, "{judged}");
}

/// In a header of its own: HTTP leaves nothing out of it, not even a space before the token.
fn sent(token: &str) -> Ask {
    get("/").with("x-token", token)
}

/// The profile with the case's changes, as text: an inline set may be given as text, too.
fn configuration(profile: &Value, case: &Value) -> String {
    let own = &case["config"];
    let setting = |name: &str| own.get(name).or_else(|| profile.get(name)).cloned();
    let tolerance = match own.get("clock_tolerance") {
        Some(given) if case["expected"] == "config-error" => given.clone(),
        _ => json!(format!(
            "{}s",
            setting("clock_tolerance").unwrap_or(json!(60))
        )),
    };
    let corp = json!({
        "issuer": setting("issuer"),
        "audiences": setting("audience"),
        "algorithms": setting("algs"),
        "clock_tolerance": tolerance,
        "require_exp": setting("require_exp"),
        "from": { "headers": [{ "name": "x-token" }] },
        "jwks": { "inline": "THE SET" },
    });
    let corp = match own.get("typ") {
        Some(types) => amended(corp, json!({ "types": types })),
        None => corp,
    };
    let rule = match own.get("require_scope") {
        Some(scopes) => json!({ "scopes": { "all": scopes } }),
        None => json!({}),
    };
    let mut config = json!({ "providers": { "corp": corp }, "rules": [rule] });
    if let Some(forward) = own["forward"].as_object() {
        let headers = forward.iter().map(|(identity, header)| {
            assert_eq!(identity, "sub");
            (header.as_str().unwrap().to_owned(), json!("subject"))
        });
        config["forward"] = json!({ "headers": headers.collect::<serde_json::Map<_, _>>() });
    }
    let set = match (case["jwks_raw"].as_str(), &case["jwks"]) {
        (Some(text), _) => text.to_owned(),
        (None, Value::Null) => profile["jwks"].to_string(),
        (None, set) => set.to_string(),
    };
    config.to_string().replacen("\"THE SET\"", &set, 1)
}

/// Every case without a token that can be built without a network, and what became of it.
fn built() -> Vec<(&'static str, &'static str)> {
    let mut built = tokens();
    built.extend(requests());
    built.extend(api_keys());
    built.extend(key_sets());
    built
}

fn tokens() -> Vec<(&'static str, &'static str)> {
    let key = Key::new("ES256", "k");
    let mut filter = Filter::new(only(provider([&key])));
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let raised = amended(
        only(provider([&key])),
        json!({ "limits": { "token_bytes": 1_048_576 } }),
    );
    let mut roomy = Filter::new(raised);
    let rest = claims(json!({})).to_string();
    let deep_claims = key.seal(
        r#"{"alg":"ES256","kid":"k"}"#,
        format!("{{\"x\":{deep},{}", &rest[1..]),
    );
    let deep_header = format!(
        "{}.e30.AA",
        encode(format!("{{\"alg\":\"ES256\",\"x\":{deep}}}"))
    );
    let bomb = key.token_with(json!({ "x5c": vec!["x".repeat(40); 2000] }), json!({}));
    let mut code = |token: &str| filter.ask(&get("/").bearer(token)).code();
    let mut roomy = |token: &str| roomy.ask(&get("/").bearer(token)).code();
    vec![
        ("seg-empty", code("")),
        ("seg-many-dots", roomy(&".".repeat(1_048_576))),
        ("inj-x5c-bomb", code(&bomb)),
        ("json-deep-pl", roomy(&deep_claims)),
        ("json-deep-hdr", roomy(&deep_header)),
        ("dos-token-cap", code(&"c".repeat(16_385))),
        // Keys that are inline are not refreshed; remote_keys.rs has those that are.
        (
            "kid-refresh-storm",
            code(&key.token_with(json!({ "kid": "a-random-one" }), json!({}))),
        ),
    ]
}

fn requests() -> Vec<(&'static str, &'static str)> {
    let key = Key::new("ES256", "k");
    let token = key.token(json!({}));
    let forged = Key::new("ES256", "k").token(json!({}));
    let in_cookie = json!({ "from": { "headers": [{ "name": "authorization", "prefix": "Bearer " }], "cookies": ["session"] } });
    let in_query = json!({ "from": { "headers": [{ "name": "authorization", "prefix": "Bearer " }], "query": ["access_token"] } });
    let with = |from: Value| {
        json!({
            "providers": { "corp": amended(provider([&key]), from) },
            "rules": [
                { "match": { "path": { "prefix": "/public" } }, "access": "anonymous" },
                { "match": { "path": { "regex": "/health.*" } }, "access": "anonymous" },
                { "match": { "path": { "prefix": "/optional" } }, "access": "optional" },
                { "match": { "path": { "prefix": "/scoped" } }, "scopes": { "all": ["admin"] } },
                { "match": { "path": { "prefix": "/admin" } } },
            ],
            "forward": { "headers": { "x-jwt-sub": "subject" } },
        })
    };
    let mut filter = Filter::new(with(json!({})));
    let mut code = |ask: Ask| filter.ask(&ask).code();
    let admin = || get("/admin");
    let mut cases = vec![
        ("http-none", code(admin())),
        (
            "http-two-auth",
            code(admin().bearer(&token).bearer(&forged)),
        ),
        (
            "http-query-only",
            code(get(&format!("/admin?access_token={token}"))),
        ),
        (
            "http-basic",
            code(admin().with("authorization", "Basic dXNlcjpwYXNz")),
        ),
        (
            "http-lower-scheme",
            code(admin().with("authorization", format!("bearer {token}"))),
        ),
        (
            "http-xfu",
            code(
                admin()
                    .with("x-forwarded-uri", "/public")
                    .with("x-original-url", "/public")
                    .with("x-rewrite-url", "/public"),
            ),
        ),
        ("http-path-double-slash", code(get("//admin"))),
        ("http-path-encoded", code(get("/adm%69n"))),
        ("http-path-dotdot", code(get("/public/../admin"))),
        ("http-path-case", code(get("/Admin"))),
        ("http-path-semicolon", code(get("/public;/../admin"))),
        ("http-path-backslash", code(get("/public\\..\\admin"))),
        ("http-skip-regex", code(get("/admin?/health"))),
        ("http-options", code(preflight("/admin", "GET"))),
        (
            "http-ws",
            code(
                admin()
                    .with("connection", "upgrade")
                    .with("upgrade", "websocket"),
            ),
        ),
        (
            "http-optional-invalid",
            code(get("/optional").bearer(&forged)),
        ),
    ];
    for (what, ask, expected) in [
        (
            "a forged one first",
            admin().bearer(&forged).bearer(&token),
            "AMBIGUOUS_CREDENTIALS",
        ),
        ("another encoded letter", get("/%61dmin"), "MISSING_TOKEN"),
        ("parameters", get("/admin;a=b"), "AMBIGUOUS_PATH"),
        (
            "an encoded backslash",
            get("/public%5c..%5cadmin"),
            "AMBIGUOUS_PATH",
        ),
        ("another case is another path", get("/Admin"), "NO_RULE"),
        ("a preflight", preflight("/admin", "GET"), PASSES),
        (
            "OPTIONS without an origin",
            admin().method("OPTIONS"),
            "MISSING_TOKEN",
        ),
    ] {
        assert_eq!(code(ask), expected, "{what}");
    }

    for name in ["x-jwt-sub", "X-JWT-Sub", "x_jwt_sub"] {
        let spoofed = |ask: Ask| ask.with(name, "admin");
        let answer = filter.ask(&spoofed(admin().bearer(&token)));
        assert_eq!(answer.forwarded("x-jwt-sub"), ["alice"]);
        assert!(
            answer
                .upstream
                .as_ref()
                .unwrap()
                .0
                .iter()
                .all(|(_, v)| v != b"admin")
        );
        cases.push(("http-spoof-identity", answer.code()));
        cases.push(("http-spoof-case", answer.code()));
        for ask in [get("/public"), preflight("/admin", "GET"), get("/optional")] {
            let answer = filter.ask(&spoofed(ask));
            assert!(
                answer
                    .upstream
                    .as_ref()
                    .unwrap()
                    .0
                    .iter()
                    .all(|(_, v)| v != b"admin")
            );
            cases.push(("http-spoof-identity-public", answer.code()));
        }
    }
    assert!(
        cases
            .iter()
            .filter(|(id, _)| id.starts_with("http-spoof"))
            .all(|(_, code)| *code == PASSES)
    );

    let answer = filter.ask(&admin().bearer(&token));
    assert_eq!(answer.forwarded("authorization"), [""; 0]);
    cases.push(("http-forward-token", answer.code()));
    let kept = json!({ "forward": { "credential": "keep" } });
    let answer = Filter::new(amended(with(json!({})), kept)).ask(&admin().bearer(&token));
    assert_eq!(
        answer.forwarded("authorization"),
        [format!("Bearer {token}")]
    );

    let ask = admin().bearer(key.token(json!({ "exp": NOW + 60 })));
    assert_eq!(filter.ask(&ask).code(), PASSES);
    cases.push(("http-cache-exp", filter.at(NOW + 90).ask(&ask).code()));
    filter.at(NOW);
    cases.push((
        "http-cache-route",
        filter.ask(&get("/scoped").bearer(&token)).code(),
    ));

    let ask = get(&format!("/admin?access_token={token}")).bearer(&token);
    cases.push((
        "http-auth-and-query",
        Filter::new(with(in_query)).ask(&ask).code(),
    ));
    let ask = admin().with("cookie", format!("session={token}; session={forged}"));
    cases.push((
        "http-cookie-dup",
        Filter::new(with(in_cookie)).ask(&ask).code(),
    ));
    cases
}

fn api_keys() -> Vec<(&'static str, &'static str)> {
    let secret = "an-api-key-of-ci";
    let config = |keys: Value| json!({ "api_keys": { "keys": keys }, "rules": [{}] });
    let good = config(json!([api_key("ci", &sha256(secret))]));
    let with = |value: &str| get("/").with("x-api-key", value);
    let code = |config: &Value, ask: Ask| verdict(&config.to_string(), &ask);
    let upper = sha256(secret)
        .to_uppercase()
        .replacen("SHA256", "sha256", 1);
    let nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let twice = json!([api_key("a", &sha256(secret)), api_key("b", &upper)]);
    let expired = amended(
        api_key("ci", &sha256(secret)),
        json!({ "expires_at": "2023-01-01T00:00:00Z" }),
    );
    assert_eq!(code(&good, with(secret)), PASSES);
    assert_eq!(code(&good, with(&format!("{secret}\0"))), "INVALID_API_KEY");
    vec![
        ("key-unknown", code(&good, with("unknown"))),
        ("key-hash-as-key", code(&good, with(&sha256(secret)[7..]))),
        ("key-space", code(&good, with(&format!("{secret}%20")))),
        ("key-empty", code(&good, with(""))),
        (
            "key-two-headers",
            code(&good, with(secret).with("x-api-key", "other")),
        ),
        ("key-nul", code(&good, with(&format!("{secret}%00")))),
        (
            "key-query",
            code(
                &good,
                get(&format!("/?x-api-key={secret}&api_key={secret}")),
            ),
        ),
        ("key-expired", code(&config(json!([expired])), with(secret))),
        (
            "key-cfg-upper-hex",
            code(&config(json!([api_key("ci", &upper)])), with(secret)),
        ),
        (
            "key-cfg-empty-hash",
            code(&config(json!([api_key("ci", nothing)])), with("")),
        ),
        (
            "key-cfg-plain",
            code(&config(json!([api_key("ci", secret)])), with(secret)),
        ),
        ("key-cfg-dup", code(&config(twice), with(secret))),
    ]
}

fn key_sets() -> Vec<(&'static str, &'static str)> {
    use portcullis_core::verification::callout::Fetch;
    use std::time::Duration;

    use super::harness::keys::jwks;
    use super::harness::policy::{ISSUER, remote_provider};
    use super::harness::{Stage, fetched};

    let failed = || {
        fetched(Fetch::Failed {
            retry_after: Duration::ZERO,
        })
    };
    let [old, new] = [Key::new("ES256", "old"), Key::new("ES256", "new")];
    let ask = get("/").bearer(old.token(json!({ "kid": null })));
    let remote = || Filter::new(only(remote_provider(ISSUER, "/jwks.json")));
    let answered = |filter: &mut Filter| {
        let Stage::Waits(waiting, _) = filter.begin(&ask) else {
            panic!("it has the key");
        };
        match filter.resume(waiting, &ask, failed()) {
            Stage::Answered(answer) => answer.code(),
            Stage::Waits(..) => panic!("it asks again"),
        }
    };
    let cold = answered(&mut remote());
    let mut rotated = remote();
    rotated.adopt(0, &jwks([&old, &new]));
    assert_eq!(rotated.ask(&ask).code(), PASSES);
    rotated.adopt(0, &jwks([&new]));

    let shared = Key::new("HS256", "hs");
    let mut published = remote();
    published.adopt(0, &jwks([&shared, &new]));

    let many: Vec<Value> = (0..10_000).map(|_| new.jwk()).collect();
    let many = amended(
        provider([]),
        json!({ "jwks": { "inline": { "keys": many } } }),
    );
    vec![
        ("jwks-fetch-cold", cold),
        ("jwks-fetch-rotate", answered(&mut rotated)),
        (
            "conf-oct-in-remote",
            published
                .ask(&get("/").bearer(shared.token(json!({}))))
                .code(),
        ),
        ("jwks-10k-keys", verdict(&only(many).to_string(), &ask)),
    ]
}
