//! The floods.

use bench::Result;
use bench::issuer::{Algorithm, Issuer, SCOPES, signing_input};
use bench::traffic::{HOST, Supply, bearer, opaque_token, path_of_rule, request};
use serde_json::json;

use crate::setup::{GATE, Options, REGEX};

/// Envoy's limit on all headers of a request is 60 KiB, some of which the others take.
pub const NEARLY_ALL_HEADERS: usize = 58_000;

/// Nearly what is tried against a `regex`.
pub const REGEX_PATH: usize = 4000;

/// `limits.token_bytes`, by default.
pub const TOKEN_BYTES: usize = 16_384;

/// Enough to keep a worker busy.
const CONNECTIONS: usize = 32;

/// So many that some are free while others wait for an answer about their tokens.
const CONNECTIONS_THAT_WAIT: usize = 512;

/// How many different tokens are signed.
const FORGED: usize = 500;

/// Bad requests of one kind, and how hard they come.
pub struct Flood {
    pub what: &'static str,
    pub listener: &'static str,
    pub options: Options,
    /// None in the measurement without a flood.
    pub supply: Option<Supply>,
    /// Per second.
    pub rate: f64,
    pub connections: usize,
}

/// All floods, the one without an attacker first.
pub fn floods(issuer: &Issuer) -> Result<Vec<Flood>> {
    let flood = |what, rate, supply| Flood {
        what,
        listener: GATE,
        options: Options::default(),
        supply: Some(supply),
        rate,
        connections: CONNECTIONS,
    };
    let forged = |algorithm| Ok::<_, bench::Error>(Supply::in_turn(forged(issuer, algorithm)?));
    let unknown = |what, few_calls, each| Flood {
        options: Options {
            few_calls,
            ..Options::default()
        },
        connections: CONNECTIONS_THAT_WAIT,
        ..flood(
            what,
            4000.0,
            Supply::made(move |i| bearer(&opaque_token(i / each))),
        )
    };
    let on_regex = |flood| Flood {
        listener: REGEX,
        options: Options {
            regex: true,
            ..Options::default()
        },
        ..flood
    };
    Ok(vec![
        Flood {
            supply: None,
            ..flood("none", 0.0, Supply::in_turn(Vec::new()))
        },
        flood("no credential", 4000.0, one(plain())),
        unknown("random opaque tokens", false, 1),
        unknown(
            "random opaque tokens, a circuit breaker of 16 connections and 128 requests",
            true,
            1,
        ),
        unknown(
            "random opaque tokens, each on all connections at once",
            false,
            CONNECTIONS_THAT_WAIT,
        ),
        flood("random `kid`s", 4000.0, random_kids(issuer)?),
        flood("bad signature, RS256", 4000.0, forged(Algorithm::Rs256)?),
        flood("bad signature, ES256", 4000.0, forged(Algorithm::Es256)?),
        flood("bad signature, PS256", 4000.0, forged(Algorithm::Ps256)?),
        flood("a header of 58 KB", 1000.0, one(large_header())),
        flood(
            "tokens of `limits.token_bytes`, bad signature",
            2000.0,
            one(bearer(&large_token(issuer)?)),
        ),
        flood("tokens of one byte more", 2000.0, one(too_large())),
        on_regex(flood(
            "paths of 58 KB before rules with `regex`",
            500.0,
            one(with_path(&long_path(NEARLY_ALL_HEADERS))),
        )),
        on_regex(flood(
            "paths of 4 KB before rules with `regex`",
            500.0,
            one(with_path(&long_path(REGEX_PATH))),
        )),
        flood("paths of 58 KB of quotes", 500.0, one(quotes())),
    ])
}

fn one(request: Vec<u8>) -> Supply {
    Supply::in_turn(vec![request])
}

/// A request without a credential, for this path.
pub fn with_path(path: &str) -> Vec<u8> {
    request(HOST, path, "x-none: 1")
}

/// A request without a credential.
pub fn plain() -> Vec<u8> {
    with_path(&path_of_rule(0))
}

/// A path of about this many bytes.
pub fn long_path(length: usize) -> String {
    let segments = "orders/".repeat(length / 7);
    format!("{}/{segments}last", path_of_rule(0))
}

/// A request with one header that takes nearly all that Envoy lets in.
pub fn large_header() -> Vec<u8> {
    let header = format!("x-filler: {}", "a".repeat(NEARLY_ALL_HEADERS));
    request(HOST, &path_of_rule(0), &header)
}

/// A token of one byte more than the limit.
pub fn too_large() -> Vec<u8> {
    bearer(&"a".repeat(TOKEN_BYTES + 1))
}

/// A request with a path of quotes: each takes two bytes in a log line of JSON.
pub fn quotes() -> Vec<u8> {
    let path = format!("{}/{}", path_of_rule(0), "\"".repeat(NEARLY_ALL_HEADERS));
    with_path(&path)
}

/// The largest token with a bad signature that `limits.token_bytes` lets in.
pub fn large_token(issuer: &Issuer) -> Result<String> {
    let algorithm = Algorithm::Rs256;
    let token = |filler: usize| {
        let mut claims = issuer.claims("large", SCOPES);
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("filler".into(), "a".repeat(filler).into());
        }
        issuer.forge(algorithm, &algorithm.header(), &claims)
    };
    // Base64 makes four bytes of three.
    let missing = TOKEN_BYTES - token(0)?.len();
    token(missing / 4 * 3)
}

/// Tokens that are good except for their signatures.
pub fn forged(issuer: &Issuer, algorithm: Algorithm) -> Result<Vec<Vec<u8>>> {
    let token = |i| {
        let claims = issuer.claims(&format!("forged-{i:05}"), SCOPES);
        issuer.forge(algorithm, &algorithm.header(), &claims)
    };
    (0..FORGED).map(|i| Ok(bearer(&token(i)?))).collect()
}

/// Tokens that are good except for a `kid` that is in no key set.
pub fn random_kids(issuer: &Issuer) -> Result<Supply> {
    let claims = issuer.claims("kid", SCOPES);
    let good = issuer.token(Algorithm::Rs256, "kid", SCOPES)?;
    let signature = good.rsplit('.').next().unwrap_or_default().to_owned();
    Ok(Supply::made(move |i| {
        let header = json!({ "alg": "RS256", "kid": opaque_token(i), "typ": "at+jwt" });
        let signed = signing_input(&header, &claims);
        bearer(&format!("{signed}.{signature}"))
    }))
}
