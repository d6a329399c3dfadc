//! The requests of a run, ready to be written to a socket. They differ in their credential and their path alone.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::Result;
use crate::issuer::{Algorithm, Issuer, SCOPES};
use crate::prover::Prover;

/// More than the 4,096 tokens that a worker remembers: sent in turn, none is remembered when it comes again.
pub const NEVER_SEEN: usize = 5000;

/// Fewer than a worker remembers.
pub const IN_TURN: usize = 3000;

/// API keys of the large policy.
pub const MANY_KEYS: usize = 10_000;
/// Rules of the large policy.
pub const MANY_RULES: usize = 1000;
/// API keys of the small policy.
pub const FEW_KEYS: usize = 10;
/// Rules of the small policy.
pub const FEW_RULES: usize = 1;

/// The host of every request that is measured.
pub const HOST: &str = "api.example.com";

/// How many requests there are for each one whose token must be asked about.
const NEW_TOKEN_EVERY: usize = 100;

/// Requests without end. A variant that must never get a request twice has a supply of its own.
pub struct Supply {
    requests: Arc<Requests>,
    next: AtomicUsize,
}

enum Requests {
    InTurn(Vec<Vec<u8>>),
    /// Each made from its number when it is sent.
    Made(Box<dyn Fn(usize) -> Vec<u8> + Send + Sync>),
    /// Known ones in turn, and a new one now and then.
    Opaque(Vec<Vec<u8>>),
}

/// Every kind of request, ready.
pub struct Traffic {
    /// One token in every request.
    pub one_token: Supply,
    /// Many known tokens, one after the other.
    pub tokens_in_turn: Supply,
    /// An RS256 token that was never sent before, in every request.
    pub new_rs256: Supply,
    /// An ES256 token that was never sent before, in every request.
    pub new_es256: Supply,
    /// The requests of `new_rs256`, for `jwt_authn`.
    pub native_rs256: Supply,
    /// The requests of `new_es256`, for `jwt_authn`.
    pub native_es256: Supply,
    /// One token that is bound to a key, and a new proof of the key in every request.
    pub proven: Supply,
    /// The requests of `proven`, for an Envoy without filters.
    pub unjudged_proven: Supply,
    /// API keys of the small policy.
    pub few_keys: Supply,
    /// API keys of the large policy.
    pub many_keys: Supply,
    /// Opaque tokens, one of a hundred of them new.
    pub opaque: Supply,
    /// Known opaque tokens, one after the other.
    pub known_opaque: Supply,
    /// Opaque tokens that were never sent before.
    pub many_opaque: Supply,
}

impl Traffic {
    /// Signs all tokens.
    pub fn prepare(issuer: &Issuer) -> Result<Self> {
        let tokens = |prefix: &str, algorithm, count| {
            let tokens = sign_all(issuer, algorithm, prefix, count)?;
            Ok::<_, crate::Error>(tokens.iter().map(|token| bearer(token)).collect())
        };
        let known = issuer.token(Algorithm::Rs256, "known", SCOPES)?;
        let keys = |keys: usize, rules: usize| {
            let request = |i: usize| with_key(&api_key(i % keys), &path_of_rule(i % rules));
            Requests::InTurn((0..keys.max(rules)).map(request).collect())
        };
        let opaque = |i| bearer(&opaque_token(i));
        let known_opaque: Vec<_> = (0..NEW_TOKEN_EVERY).map(opaque).collect();
        // None of the opaque tokens that are sent as new ones later.
        let many_opaque = (0..NEVER_SEEN).map(|i| bearer(&format!("{}-", opaque_token(i))));
        let proven = || {
            let prover = Prover::new(issuer, "proven", SCOPES)?;
            let uri = format!("http://{HOST}{}", path_of_rule(0));
            let request = move |number| match prover.headers(&uri, number) {
                Ok(headers) => request(HOST, &path_of_rule(0), &headers),
                // It will be refused, and that ends the run.
                Err(_) => bearer("no proof"),
            };
            Ok::<_, crate::Error>(Supply::made(request))
        };
        let turn = tokens("turn", Algorithm::Rs256, IN_TURN)?;
        let new_rs256 = tokens("new", Algorithm::Rs256, NEVER_SEEN)?;
        let new_rs256 = Supply::of(Requests::InTurn(new_rs256));
        let new_es256 = tokens("new", Algorithm::Es256, NEVER_SEEN)?;
        let new_es256 = Supply::of(Requests::InTurn(new_es256));
        Ok(Traffic {
            one_token: Supply::of(Requests::InTurn(vec![bearer(&known)])),
            tokens_in_turn: Supply::of(Requests::InTurn(turn)),
            native_rs256: new_rs256.again(),
            native_es256: new_es256.again(),
            new_rs256,
            new_es256,
            proven: proven()?,
            unjudged_proven: proven()?,
            few_keys: Supply::of(keys(FEW_KEYS, FEW_RULES)),
            many_keys: Supply::of(keys(MANY_KEYS, MANY_RULES)),
            opaque: Supply::of(Requests::Opaque(known_opaque.clone())),
            known_opaque: Supply::of(Requests::InTurn(known_opaque)),
            many_opaque: Supply::of(Requests::InTurn(many_opaque.collect())),
        })
    }
}

// === impl Supply ===

impl Supply {
    fn of(requests: Requests) -> Self {
        Supply {
            requests: Arc::new(requests),
            next: AtomicUsize::new(0),
        }
    }

    /// These requests, and after the last the first one again.
    pub fn in_turn(requests: Vec<Vec<u8>>) -> Self {
        Supply::of(Requests::InTurn(requests))
    }

    /// Requests that are made from their numbers.
    pub fn made(request: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Supply::of(Requests::Made(Box::new(request)))
    }

    /// The same requests, from the first one on.
    fn again(&self) -> Self {
        Supply {
            requests: Arc::clone(&self.requests),
            next: AtomicUsize::new(0),
        }
    }

    /// The next request.
    pub fn next(&self) -> Cow<'_, [u8]> {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        match &*self.requests {
            Requests::InTurn(requests) => in_turn(requests, i),
            Requests::Made(request) => Cow::Owned(request(i)),
            Requests::Opaque(known) if !i.is_multiple_of(NEW_TOKEN_EVERY) => in_turn(known, i),
            Requests::Opaque(known) => Cow::Owned(bearer(&opaque_token(known.len() + i))),
        }
    }

    /// How many different requests there are: after so many, all of them are known. 0, where there is no end of them.
    pub fn distinct(&self) -> usize {
        match &*self.requests {
            Requests::Made(_) => 0,
            Requests::InTurn(requests) | Requests::Opaque(requests) => requests.len(),
        }
    }
}

fn in_turn(requests: &[Vec<u8>], i: usize) -> Cow<'_, [u8]> {
    let request = requests.get(i % requests.len().max(1));
    Cow::Borrowed(request.map(Vec::as_slice).unwrap_or_default())
}

/// The API key with this number.
pub fn api_key(i: usize) -> String {
    format!("key-{i:05}-T2aVn8kQx0rLw5Yd3sHb")
}

/// The path of the rule with this number.
pub fn path_of_rule(i: usize) -> String {
    format!("/service-{i:04}/orders")
}

/// The opaque token with this number. It looks random and has no dots, unlike a JWT.
pub fn opaque_token(i: usize) -> String {
    format!("mF9B5f41JqM{i:012}SlAV32hkKGx0rLw5")
}

/// A request with this token.
pub fn bearer(token: &str) -> Vec<u8> {
    let header = format!("authorization: Bearer {token}");
    request(HOST, &path_of_rule(0), &header)
}

/// A request with this API key.
pub fn with_key(key: &str, path: &str) -> Vec<u8> {
    request(HOST, path, &format!("x-api-key: {key}"))
}

/// What a browser's or a client's request looks like by the time it has come through a load balancer.
pub fn request(host: &str, path: &str, more: &str) -> Vec<u8> {
    format!(
        "GET {path}?limit=20&after=1024 HTTP/1.1\r\n\
         host: {host}\r\n\
         user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)\r\n\
         accept: application/json\r\n\
         accept-encoding: gzip, deflate, br\r\n\
         accept-language: en-GB,en;q=0.8\r\n\
         origin: https://app.example.com\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
         {more}\r\n\r\n"
    )
    .into_bytes()
}

/// An RSA signature takes a good part of a millisecond.
fn sign_all(
    issuer: &Issuer,
    algorithm: Algorithm,
    prefix: &str,
    count: usize,
) -> Result<Vec<String>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = |from: usize| -> Result<Vec<String>> {
        (from..count)
            .step_by(threads)
            .map(|i| issuer.token(algorithm, &format!("{prefix}-{i:05}"), SCOPES))
            .collect()
    };
    let share = &share;
    thread::scope(|scope| {
        let signing: Vec<_> = (0..threads)
            .map(|from| scope.spawn(move || share(from)))
            .collect();
        let mut tokens = Vec::with_capacity(count);
        for thread in signing {
            tokens.extend(thread.join().map_err(|_| "a signing thread died")??);
        }
        Ok(tokens)
    })
}
