//! What the core does for a request, step by step, natively.

use std::hint::black_box;
use std::rc::Rc;

use portcullis_core::authorization;
use portcullis_core::authorization::approval::Purpose;
use portcullis_core::credential;
use portcullis_core::effects;
use portcullis_core::evaluation::{self, Step};
use portcullis_core::json;
use portcullis_core::policy::{Policy, compile};
use portcullis_core::request::{Request, RequestTarget};
use portcullis_core::secret::FingerprintKey;
use portcullis_core::time::UnixTime;
use portcullis_core::verification::callout::Replies;
use portcullis_core::verification::claims::{self, ClaimsSource};
use portcullis_core::verification::signature::Verifier;
use portcullis_core::verification::token::Form;
use portcullis_core::verification::{self, Context, State};
use serde_json::{Value, json};

use bench::Result;
use bench::issuer::{Algorithm, Issuer, SCOPES, sha256};

const NOW: u64 = 1_700_000_000;

const FINGERPRINTS: FingerprintKey = FingerprintKey::new(*b"the same always.");

const API_KEY: &str = "key-00000-T2aVn8kQx0rLw5Yd3sHb";

/// Rules before the one that the request meets.
const RULES: usize = 999;

/// A step of the core with its name.
pub struct Measurable {
    pub name: &'static str,
    pub run: Box<dyn FnMut()>,
}

type Headers = &'static [(&'static [u8], &'static [u8])];

/// Every step, ready to be repeated. What a step borrows is leaked, and lives as long as the process.
pub fn all() -> Result<Vec<Measurable>> {
    let issuer = Issuer::new(NOW)?;
    let now = UnixTime::from_secs(i64::try_from(NOW)?);
    let token: &'static str = issuer.token(Algorithm::Rs256, "known", SCOPES)?.leak();
    let bearer: &'static str = format!("Bearer {token}").leak();
    let es256 = issuer.token(Algorithm::Es256, "known", SCOPES)?;
    let es256: &'static str = format!("Bearer {es256}").leak();
    let forgetful = policy(&issuer, 0)?;
    let policy = policy(&issuer, 4096)?;
    let headers = headers("authorization", bearer);
    let request = Request::from_headers(headers);

    let provider = policy.providers.first().ok_or("no provider")?;
    let Ok(Form::Jwt(segments)) = Form::of(token.as_bytes()) else {
        return Err("no JWT".into());
    };
    let segments = leak(segments);
    let text: &'static [u8] = leak(segments.claims().map_err(|_| "no claims")?);
    let object = leak(json::parse_object(text).map_err(|_| "no JSON")?);
    let target = leak(RequestTarget::from_request(&request).map_err(|_| "an ambiguous request")?);
    let matched = policy.routes.find(target).map_err(|_| "ambiguous")?;
    let rule = matched.ok_or("no rule matches")?;
    let found = credential::find(policy, rule, &request).map_err(|_| "ambiguous")?;
    let found = leak(found.ok_or("no credential")?);
    let mut state = state(policy);
    let context = Context {
        policy,
        replies: &Replies::default(),
        now,
    };
    let verified = verification::verify(&context, &mut state, &rule.accepts, &request, found);
    let verified = leak(verified.map_err(|_| "not verified")?);
    let Step::Decided(decision) = evaluation::begin(policy, &mut state, &request, now) else {
        return Err("a decision waits".into());
    };
    let decision = leak(decision);
    let purpose = Purpose {
        policy,
        target,
        message: None,
    };

    Ok(vec![
        step("read the headers", move || Request::from_headers(headers)),
        step("read method, host and path", move || {
            RequestTarget::from_request(&request)
        }),
        step("match one of 1,000 rules", move || {
            policy.routes.find(target)
        }),
        step("find the credential", move || {
            credential::find(policy, rule, &request)
        }),
        step("fingerprint of the token", move || {
            FINGERPRINTS.fingerprint(token.as_bytes())
        }),
        step("split, its header read", move || Form::of(token.as_bytes())),
        step("decode the claims", move || segments.claims()),
        step("parse the claims", move || json::parse_object(text)),
        step("validate the claims", move || {
            claims::validate_claims(policy, provider, object, ClaimsSource::Token, now)
        }),
        step("authorize", move || {
            let addressed = authorization::addressed(rule, verified)?;
            authorization::authorize(rule, &rule.demands, &purpose, addressed, now)
        }),
        step("effects", move || {
            effects::of(policy, &request, decision, now)
        }),
        whole("whole: known token", policy, headers, now),
        whole(
            "whole: API key",
            policy,
            self::headers("x-api-key", API_KEY),
            now,
        ),
        whole(
            "whole: token never seen, RS256 in Rust",
            forgetful,
            headers,
            now,
        ),
        whole(
            "whole: token never seen, ES256 in Rust",
            forgetful,
            self::headers("authorization", es256),
            now,
        ),
    ])
}

fn step<T>(name: &'static str, run: impl Fn() -> T + 'static) -> Measurable {
    Measurable {
        name,
        run: Box::new(move || drop(black_box(run()))),
    }
}

/// From the headers to what the host is to do, as for every request.
fn whole(
    name: &'static str,
    policy: &'static Rc<Policy>,
    headers: Headers,
    now: UnixTime,
) -> Measurable {
    let mut state = state(policy);
    let run = move || {
        let request = Request::from_headers(black_box(headers));
        if let Step::Decided(decision) = evaluation::begin(policy, &mut state, &request, now) {
            black_box(effects::of(policy, &request, &decision, now));
        }
    };
    Measurable {
        name,
        run: Box::new(run),
    }
}

fn state(policy: &Policy) -> State {
    State::new(policy, Verifier::software(), FINGERPRINTS)
}

fn policy(issuer: &Issuer, remembered_tokens: usize) -> Result<&'static Rc<Policy>> {
    let mut rules: Vec<Value> = (0..RULES)
        .map(|i| json!({ "match": { "path": { "prefix": format!("/service-{i:04}") } } }))
        .collect();
    rules.push(json!({ "scopes": { "all": ["data:read"] } }));
    let configuration = json!({
        "providers": { "idp": {
            "issuer": "https://idp.example.com/",
            "audiences": ["https://api.example.com"],
            "jwks": { "inline": issuer.jwks() },
        } },
        "api_keys": { "keys": [{
            "id": "key", "client": "client", "hash": sha256(API_KEY), "scopes": ["data:read"], "tenant": "acme",
        }] },
        "rules": rules,
        "limits": { "token_cache_entries": remembered_tokens },
    });
    let compiled = compile(configuration.to_string().as_bytes(), &|_| None);
    let compiled = compiled.map_err(|faults| faults.to_string())?;
    Ok(leak(Rc::new(compiled.policy)))
}

fn headers(name: &'static str, value: &'static str) -> Headers {
    let pairs = [
        (":authority", "api.example.com"),
        (":path", "/orders/1024/items?limit=20&after=1024"),
        (":method", "GET"),
        (":scheme", "http"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
        ),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept-language", "en-GB,en;q=0.8"),
        ("origin", "https://app.example.com"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "6b0a3f4e-8d58-4a36-9c1f-1f1d2a3b4c5d"),
        (name, value),
    ];
    let bytes = pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    Box::leak(Box::new(bytes))
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
