//! Credentials in cookies, which browsers send for any page that asks them to.

use serde_json::{Value, json};

use super::{Ask, PASSES, Tables, get};
use crate::harness::keys::{Key, amended, sha256};
use crate::harness::policy::{api_key, provider};

const CROSS_SITE: &str = "CROSS_SITE_REQUEST";

judged! {
    pages_of_other_sites,
    pages_that_are_listed,
    each_provider_lists_its_own,
    before_the_credential_is_verified,
    other_credentials_are_sent_by_who_knows_them,
}

fn cookie(origins: Value) -> Value {
    json!({ "from": {
        "headers": [{ "name": "authorization", "prefix": "Bearer " }],
        "cookies": ["session"],
        "cookie_origins": origins,
    } })
}

fn site(ask: Ask, site: &str) -> Ask {
    ask.with("sec-fetch-site", site)
}

fn pages_of_other_sites(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let provider = amended(provider([&key]), cookie(json!([])));
    let rules =
        json!([{ "match": { "path": { "exact": "/optional" } }, "access": "optional" }, {}]);
    let config = json!({ "providers": { "corp": provider }, "rules": rules });
    let token = key.token(json!({}));
    let ask = |method: &str| {
        get("/")
            .method(method)
            .with("cookie", format!("session={token}"))
    };
    let from = |origin: &str| ask("POST").with("origin", origin);
    let mut rows = vec![
        ("no browser", ask("POST"), PASSES),
        ("its own page", site(ask("POST"), "same-origin"), PASSES),
        ("the user", site(ask("POST"), "none"), PASSES),
        ("a sibling", site(ask("POST"), "same-site"), CROSS_SITE),
        ("another site", site(ask("POST"), "cross-site"), CROSS_SITE),
        ("an unknown word", site(ask("POST"), "nowhere"), CROSS_SITE),
        (
            "twice",
            site(site(ask("POST"), "same-origin"), "same-origin"),
            CROSS_SITE,
        ),
        (
            "twice, apart",
            site(site(ask("POST"), "same-origin"), "cross-site"),
            CROSS_SITE,
        ),
        (
            "by another spelling",
            ask("POST").with("sec_fetch_site", "same-origin"),
            CROSS_SITE,
        ),
        (
            "by another spelling too",
            site(ask("POST"), "same-origin").with("sec_fetch_site", "x"),
            CROSS_SITE,
        ),
        ("its own origin", from("https://api.example.com"), PASSES),
        (
            "its own origin and port",
            from("https://api.example.com:443"),
            PASSES,
        ),
        (
            "its own origin, both ports",
            from("https://api.example.com:8443").host("api.example.com:8443"),
            PASSES,
        ),
        (
            "another port",
            from("https://api.example.com:8443"),
            CROSS_SITE,
        ),
        (
            "another port of ours",
            from("https://api.example.com").host("api.example.com:8443"),
            CROSS_SITE,
        ),
        ("another origin", from("https://evil.example"), CROSS_SITE),
        (
            "a longer origin",
            from("https://api.example.com.evil.example"),
            CROSS_SITE,
        ),
        (
            "a sibling's origin",
            from("https://www.example.com"),
            CROSS_SITE,
        ),
        ("a sandboxed page", from("null"), CROSS_SITE),
        ("an empty origin", from(""), CROSS_SITE),
        (
            "two origins",
            from("https://api.example.com").with("origin", "https://api.example.com"),
            CROSS_SITE,
        ),
        (
            "its own origin and another site",
            site(from("https://api.example.com"), "cross-site"),
            CROSS_SITE,
        ),
        (
            "a referrer says nothing",
            ask("POST").with("referer", "https://evil.example/"),
            PASSES,
        ),
    ];
    for method in ["PUT", "PATCH", "DELETE", "TRACE", "REPORT"] {
        rows.push((
            "a method that changes something",
            site(ask(method), "cross-site"),
            CROSS_SITE,
        ));
    }
    for method in ["GET", "OPTIONS"] {
        rows.push((
            "a method that changes nothing",
            site(ask(method), "cross-site"),
            PASSES,
        ));
    }
    let optional = from("https://evil.example").at("/optional");
    rows.push(("on an optional rule", optional, CROSS_SITE));
    tables.judge(config.clone(), &rows);

    // The answer to HEAD has no body, and Envoy has to be told about WebSockets: see `tests/envoy`.
    let socket = || {
        ask("GET")
            .with("upgrade", "websocket")
            .with("connection", "upgrade")
    };
    let extended = || ask("GET").with(":protocol", "websocket");
    tables.judge_natively(
        config,
        &[
            ("HEAD", site(ask("HEAD"), "cross-site"), PASSES),
            (
                "a socket of its own page",
                socket().with("origin", "https://api.example.com"),
                PASSES,
            ),
            (
                "a socket of another page",
                socket().with("origin", "https://evil.example"),
                CROSS_SITE,
            ),
            (
                "a socket of another site",
                site(socket(), "cross-site"),
                CROSS_SITE,
            ),
            (
                "over HTTP/2",
                extended().with("origin", "https://evil.example"),
                CROSS_SITE,
            ),
            (
                "over HTTP/2, as CONNECT",
                extended()
                    .method("CONNECT")
                    .with("origin", "https://evil.example"),
                CROSS_SITE,
            ),
        ],
    );
}

fn pages_that_are_listed(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let listed = json!(["https://app.example.com", "http://localhost:3000"]);
    let provider = amended(provider([&key]), cookie(listed));
    let config = json!({ "providers": { "corp": provider }, "rules": [{}] });
    let token = key.token(json!({}));
    let from = |origin: &str| {
        get("/")
            .method("POST")
            .with("cookie", format!("session={token}"))
            .with("origin", origin)
    };
    tables.judge(
        config,
        &[
            ("listed", from("https://app.example.com"), PASSES),
            (
                "listed, whatever the browser says",
                site(from("https://app.example.com"), "cross-site"),
                PASSES,
            ),
            (
                "listed with its port",
                from("http://localhost:3000"),
                PASSES,
            ),
            ("another scheme", from("http://app.example.com"), CROSS_SITE),
            ("another port", from("http://localhost:3001"), CROSS_SITE),
            ("no port", from("http://localhost"), CROSS_SITE),
            (
                "another host",
                site(from("https://evil.example"), "cross-site"),
                CROSS_SITE,
            ),
            (
                "twice",
                from("https://app.example.com").with("origin", "https://app.example.com"),
                CROSS_SITE,
            ),
            (
                "beside another",
                from("https://app.example.com").with("origin", "https://evil.example"),
                CROSS_SITE,
            ),
        ],
    );
}

/// Two providers read one cookie: which of them is known when the token is verified.
fn each_provider_lists_its_own(tables: &mut Tables) {
    let (corp, shop) = (Key::new("ES256", "c"), Key::new("ES256", "s"));
    let corp_provider = amended(
        provider([&corp]),
        cookie(json!(["https://corp.example.com"])),
    );
    let shop_provider = amended(
        amended(
            provider([&shop]),
            json!({ "issuer": "https://shop.example.com/" }),
        ),
        cookie(json!(["https://shop.example.com"])),
    );
    let config = json!({
        "providers": { "corp": corp_provider, "shop": shop_provider },
        "rules": [{ "match": { "path": { "prefix": "/corp" } }, "credentials": ["corp"] }, {}],
    });
    let ask = |path: &str, token: &str, origin: &str| {
        get(path)
            .method("POST")
            .with("cookie", format!("session={token}"))
            .with("origin", origin)
    };
    let corps = corp.token(json!({}));
    let shops = shop.token(json!({ "iss": "https://shop.example.com/" }));
    tables.judge(
        config,
        &[
            (
                "its own page",
                ask("/", &corps, "https://corp.example.com"),
                PASSES,
            ),
            (
                "the other's page",
                ask("/", &corps, "https://shop.example.com"),
                CROSS_SITE,
            ),
            (
                "the other's own page",
                ask("/", &shops, "https://shop.example.com"),
                PASSES,
            ),
            (
                "the other's token elsewhere",
                ask("/", &shops, "https://corp.example.com"),
                CROSS_SITE,
            ),
            (
                "a provider that the rule does not take",
                ask("/corp", &corps, "https://shop.example.com"),
                CROSS_SITE,
            ),
        ],
    );
}

/// Another site must not learn by the code which of a user's cookies are valid.
fn before_the_credential_is_verified(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let provider = amended(provider([&key]), cookie(json!([])));
    let rules = json!([
        { "match": { "path": { "exact": "/scope" } }, "scopes": { "all": ["s"] } },
        { "match": { "path": { "exact": "/open" } }, "access": "anonymous" },
        {},
    ]);
    let config = json!({ "providers": { "corp": provider }, "rules": rules });
    let ask = |path: &str, token: &str| {
        let ask = get(path)
            .method("POST")
            .with("cookie", format!("session={token}"));
        site(ask, "cross-site")
    };
    let token = key.token(json!({}));
    let expired = key.token(json!({ "exp": 1 }));
    tables.judge(
        config,
        &[
            ("malformed", ask("/", "x"), CROSS_SITE),
            ("empty", ask("/", ""), CROSS_SITE),
            ("expired", ask("/", &expired), CROSS_SITE),
            ("without the scope", ask("/scope", &token), CROSS_SITE),
            ("too long", ask("/", &"x".repeat(20_000)), CROSS_SITE),
            (
                "twice",
                ask("/", &format!("{token}; session=x")),
                "AMBIGUOUS_CREDENTIALS",
            ),
            ("where nobody looks at it", ask("/open", &token), PASSES),
            (
                "another cookie",
                site(get("/").method("POST").with("cookie", "a=b"), "cross-site"),
                "MISSING_TOKEN",
            ),
        ],
    );
}

fn other_credentials_are_sent_by_who_knows_them(tables: &mut Tables) {
    let key = Key::new("ES256", "k");
    let provider = amended(provider([&key]), cookie(json!([])));
    let config = json!({
        "providers": { "corp": provider },
        "api_keys": { "keys": [api_key("a", &sha256("secret"))] },
        "rules": [{}],
    });
    let evil = |ask: Ask| site(ask.with("origin", "https://evil.example"), "cross-site");
    tables.judge(
        config,
        &[
            (
                "a bearer token",
                evil(get("/").method("POST").bearer(key.token(json!({})))),
                PASSES,
            ),
            (
                "an API key",
                evil(get("/").method("POST").with("x-api-key", "secret")),
                PASSES,
            ),
        ],
    );
}
