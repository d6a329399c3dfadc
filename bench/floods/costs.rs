//! What one refusal costs: Envoy's CPU, above an Envoy without the filter that gets the same bytes.

use bench::Result;
use bench::http::{Connection, Verdict};
use bench::issuer::{Algorithm, Issuer, SCOPES, encode, signing_input};
use bench::load::{ClosedLoop, cpu_per_request};
use bench::statistics::Median;
use bench::traffic::{HOST, Supply, api_key, bearer, path_of_rule, request, with_key};
use serde_json::{Value, json};

use crate::Effort;
use crate::attack::{
    NEARLY_ALL_HEADERS, REGEX_PATH, forged, large_header, large_token, long_path, plain, quotes,
    random_kids, too_large, with_path,
};
use crate::setup::{CLOSED, GATE, NONE, Options, REGEX, Setup, es512_signature};

const CONNECTIONS: usize = 8;

struct Kind {
    what: &'static str,
    listener: &'static str,
    verdict: Verdict,
    supply: Supply,
    /// The same requests, for the Envoy without the filter.
    again: Supply,
}

/// What one refusal of a kind costs.
pub struct Cost {
    pub what: &'static str,
    pub verdict: Verdict,
    /// Microseconds above an Envoy without the filter, and what that one spends.
    pub above: Median,
    pub without: Median,
}

/// The cheapest first.
pub fn measure(setup: &Setup, issuer: &Issuer, effort: &Effort, only: &str) -> Result<Vec<Cost>> {
    let mut kinds = kinds(issuer)?;
    kinds.retain(|kind| kind.what.contains(only));
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let envoy = setup.envoy(&Options {
        regex: true,
        ..Options::default()
    })?;
    let mut loads = Vec::new();
    for kind in &kinds {
        let port = envoy.port(kind.listener)?;
        kind.prove(port)?;
        let gate = ClosedLoop::open(port, CONNECTIONS)?.expecting(kind.verdict.status);
        let none = ClosedLoop::open(envoy.port(NONE)?, CONNECTIONS)?;
        loads.push((gate, none));
    }
    let mut above = vec![Vec::new(); kinds.len()];
    let mut without = vec![Vec::new(); kinds.len()];
    for round in 0..effort.rounds {
        eprint!("\r    round {} of {} ", round + 1, effort.rounds);
        let samples = above.iter_mut().zip(&mut without);
        for ((kind, (gate, none)), (above, without)) in kinds.iter().zip(&mut loads).zip(samples) {
            let once = |load: &mut ClosedLoop, supply: &Supply| -> Result<f64> {
                // The others have had the CPU's caches to themselves.
                load.run(supply, effort.requests / 8)?;
                let spent = cpu_per_request(|| envoy.cpu(), load, supply, effort.requests);
                spent.map_err(|error| format!("{}: {error}", kind.what).into())
            };
            // Each goes first in every other round.
            let (with, bare) = match round.is_multiple_of(2) {
                true => {
                    let bare = once(none, &kind.again)?;
                    (once(gate, &kind.supply)?, bare)
                }
                false => (once(gate, &kind.supply)?, once(none, &kind.again)?),
            };
            above.push(with - bare);
            without.push(bare);
        }
    }
    eprintln!();
    let samples = above.iter().zip(&without);
    let mut costs: Vec<Cost> = kinds
        .into_iter()
        .zip(samples)
        .map(|(kind, (above, without))| Cost {
            what: kind.what,
            verdict: kind.verdict,
            above: Median::of(above),
            without: Median::of(without),
        })
        .collect();
    costs.sort_by(|a, b| a.above.value.total_cmp(&b.above.value));
    Ok(costs)
}

fn kinds(issuer: &Issuer) -> Result<Vec<Kind>> {
    let rs256 = Algorithm::Rs256;
    let kind = Kind::new;
    // A token that is good except for a change to its header or its claims.
    let changed = |header: Value, claims: Value| -> Result<Vec<Vec<u8>>> {
        let header = amended(rs256.header(), header);
        let claims = amended(issuer.claims("changed", SCOPES), claims);
        Ok(vec![bearer(&issuer.sign(rs256, &header, &claims)?)])
    };
    let good = issuer.token(rs256, "good", SCOPES)?;
    let other_scope = issuer.token(rs256, "other", "other:scope")?;
    let broken = format!(
        "{}.e30x.{}",
        encode(rs256.header().to_string()),
        encode("x")
    );
    let unsigned = json!({ "alg": "HS256", "typ": "at+jwt" });
    let es512 = json!({ "alg": "ES512", "kid": "es512" });
    let es512 = signing_input(&es512, &issuer.claims("es512", SCOPES));
    let es512 = format!("{es512}.{}", es512_signature());
    let no_kid = json!({ "alg": "PS256" });
    let no_kid = issuer.forge(Algorithm::Ps256, &no_kid, &issuer.claims("no", SCOPES))?;
    let both = format!("authorization: Bearer {good}\r\nx-api-key: {}", api_key(0));
    let bad = |what, algorithm| -> Result<Kind> {
        let requests = forged(issuer, algorithm)?;
        Ok(kind(what, 401, "INVALID_SIGNATURE", requests))
    };
    let expired = json!({ "exp": 1_700_000_000 });
    let path = |path: &str| vec![with_path(path)];
    Ok(vec![
        kind("a known token, which passes", 200, "", vec![bearer(&good)]),
        kind("no credential", 401, "MISSING_TOKEN", vec![plain()]),
        kind("no rule", 403, "NO_RULE", path("/elsewhere")),
        kind("a rule that denies", 403, "RULE_DENIES", path(CLOSED)),
        kind(
            "ambiguous path: `//`",
            400,
            "AMBIGUOUS_PATH",
            path(&format!("{}//orders", path_of_rule(0))),
        ),
        kind(
            "ambiguous host: a port that is empty",
            400,
            "AMBIGUOUS_HOST",
            vec![request("api.example.com:", &path_of_rule(0), "x-none: 1")],
        ),
        kind(
            "a token and an API key",
            400,
            "AMBIGUOUS_CREDENTIALS",
            vec![request(HOST, &path_of_rule(0), &both)],
        ),
        kind(
            "unknown API key",
            401,
            "INVALID_API_KEY",
            vec![with_key("nobody's", &path_of_rule(0))],
        ),
        kind(
            "malformed: no token at all",
            401,
            "MALFORMED_TOKEN",
            vec![bearer("a!b")],
        ),
        kind(
            "malformed: claims that are no JSON",
            401,
            "MALFORMED_TOKEN",
            vec![bearer(&broken)],
        ),
        kind(
            "a token of one byte more than `limits.token_bytes`",
            400,
            "REQUEST_TOO_LARGE",
            vec![too_large()],
        ),
        kind(
            "an opaque token that was inactive a moment ago",
            401,
            "TOKEN_INACTIVE",
            vec![bearer("inactive-5f41JqM")],
        ),
        kind(
            "unsupported algorithm: HS256",
            401,
            "UNSUPPORTED_ALGORITHM",
            changed(unsigned, json!({}))?,
        ),
        kind(
            "unknown issuer",
            401,
            "INVALID_ISSUER",
            changed(json!({}), json!({ "iss": "https://evil.example/" }))?,
        ),
        kind(
            "expired",
            401,
            "TOKEN_EXPIRED",
            changed(json!({}), expired)?,
        ),
        kind(
            "wrong audience",
            401,
            "INVALID_AUDIENCE",
            changed(json!({}), json!({ "aud": "https://other.example.com" }))?,
        ),
        kind(
            "known token, insufficient scope",
            403,
            "INSUFFICIENT_SCOPE",
            vec![bearer(&other_scope)],
        ),
        Kind {
            supply: random_kids(issuer)?,
            again: random_kids(issuer)?,
            ..kind(
                "unknown `kid`s, refetch throttled",
                401,
                "UNKNOWN_KEY",
                vec![],
            )
        },
        bad("bad signature, RS256", rs256)?,
        bad("bad signature, ES256", Algorithm::Es256)?,
        bad("bad signature, EdDSA", Algorithm::EdDsa)?,
        bad("bad signature, PS256", Algorithm::Ps256)?,
        bad("bad signature, ES384", Algorithm::Es384)?,
        kind(
            "bad signature, ES512",
            401,
            "INVALID_SIGNATURE",
            vec![bearer(&es512)],
        ),
        kind(
            "bad signature, PS256 without `kid`, two keys that fit",
            401,
            "INVALID_SIGNATURE",
            vec![bearer(&no_kid)],
        ),
        kind(
            "a token of `limits.token_bytes`, bad signature, RS256",
            401,
            "INVALID_SIGNATURE",
            vec![bearer(&large_token(issuer)?)],
        ),
        kind(
            "a header of 58 KB, no credential",
            401,
            "MISSING_TOKEN",
            vec![large_header()],
        ),
        kind(
            "a path of 58 KB of quotes",
            401,
            "MISSING_TOKEN",
            vec![quotes()],
        ),
        Kind {
            listener: REGEX,
            ..kind(
                "a path of 58 KB before rules with `regex`",
                400,
                "REQUEST_TOO_LARGE",
                path(&long_path(NEARLY_ALL_HEADERS)),
            )
        },
        Kind {
            listener: REGEX,
            ..kind(
                "a path of 4 KB before two rules with `regex`",
                401,
                "MISSING_TOKEN",
                path(&long_path(REGEX_PATH)),
            )
        },
    ])
}

/// `base` with the members of `changes`.
fn amended(mut base: Value, changes: Value) -> Value {
    if let (Some(members), Value::Object(changes)) = (base.as_object_mut(), changes) {
        members.extend(changes);
    }
    base
}

/// The same request, which asks for the connection to be closed.
fn closing(request: &[u8]) -> Vec<u8> {
    let head = request.strip_suffix(b"\r\n").unwrap_or(request);
    [head, b"connection: close\r\n\r\n"].concat()
}

impl Kind {
    fn new(what: &'static str, status: u16, code: &str, requests: Vec<Vec<u8>>) -> Self {
        let again = match status {
            // Envoy closes the connection after each of these; what that costs is not the filter's.
            400 => requests.iter().map(|request| closing(request)).collect(),
            _ => requests.clone(),
        };
        Kind {
            what,
            listener: GATE,
            verdict: Verdict {
                status,
                code: code.to_owned(),
            },
            supply: Supply::in_turn(requests),
            again: Supply::in_turn(again),
        }
    }

    /// It is refused for what its name says.
    fn prove(&self, port: u16) -> Result<()> {
        let mut connection = Connection::open(port)?;
        connection.send(&self.supply.next())?;
        let verdict = connection.receive_verdict()?;
        match verdict == self.verdict {
            true => Ok(()),
            false => Err(format!("{}: {verdict}, not {}", self.what, self.verdict).into()),
        }
    }
}
