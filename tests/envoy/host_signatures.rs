//! The signature vectors once more, judged inside Envoy: by the host's `verify_signature` where the filter asks it,
//! by the compiled module for the rest.

use std::collections::BTreeMap;
use std::thread;

use portcullis_core::keys::Algorithm;

use crate::harness::client::{Connection, Request, get};
use crate::harness::gateway::Setup;
use crate::harness::keys::{Key, encode};
use crate::harness::policy::{only, provider};
use crate::lists;
use crate::lists::vector::Vector;

/// What Envoy takes of headers unless told otherwise is 60 KiB.
const HEADER_BYTES: usize = 50 << 10;

const CONNECTIONS: usize = 4;

/// What became of the vectors of one algorithm.
#[derive(Default)]
struct Tally {
    good: usize,
    good_by_host: usize,
    bad: usize,
    bad_by_host: usize,
}

#[test]
fn the_host_agrees_on_every_vector() {
    let (mut vectors, mut skipped) = (Vec::new(), 0);
    for (name, list) in lists::all() {
        println!("{name}: {} vectors", list.len());
        for vector in list {
            let size = vector.jwk.len() + vector.message.len() + vector.signature.len();
            if size * 4 / 3 > HEADER_BYTES {
                skipped += 1;
            } else {
                vectors.push(vector);
            }
        }
    }
    println!("skipped, as no header is that long: {skipped}");

    let gateway = Setup::of(only(provider([&Key::new("ES256", "unused")])))
        .with_test_hooks()
        .workers(2)
        .start();
    let port = gateway.port();
    let share = vectors.len().div_ceil(CONNECTIONS);
    let judged: Vec<_> = thread::scope(|scope| {
        let judges: Vec<_> = vectors
            .chunks(share)
            .map(|part| scope.spawn(move || judge(port, part)))
            .collect();
        judges
            .into_iter()
            .flat_map(|judge| judge.join().expect("a verdict on each vector"))
            .collect()
    });

    let mut tallies = BTreeMap::<&str, Tally>::new();
    let mut failures = Vec::new();
    for (vector, verdict) in vectors.iter().zip(judged) {
        let (is_good, by_host) = match verdict {
            Ok(verdict) => verdict,
            Err(fault) => {
                failures.push(format!("{}: {fault}", vector.name));
                continue;
            }
        };
        let name = vector.algorithm.name();
        if is_good != vector.valid {
            failures.push(format!(
                "{name}, {} (expected {}, by the host: {by_host})",
                vector.name, vector.valid
            ));
        }
        if by_host && !for_the_host(vector.algorithm) {
            failures.push(format!("{name}, {}: the host was asked", vector.name));
        }
        // A signature that has not even the right form is refused without the host.
        if is_good && !by_host && for_the_host(vector.algorithm) {
            failures.push(format!("{name}, {}: the host was not asked", vector.name));
        }
        let tally = tallies.entry(name).or_default();
        let (all, host) = if is_good {
            (&mut tally.good, &mut tally.good_by_host)
        } else {
            (&mut tally.bad, &mut tally.bad_by_host)
        };
        *all += 1;
        *host += usize::from(by_host);
    }
    for (name, tally) in &tallies {
        println!(
            "{name}: {} good ({} by the host), {} bad ({} by the host)",
            tally.good, tally.good_by_host, tally.bad, tally.bad_by_host
        );
    }
    assert!(
        failures.is_empty(),
        "wrong about {} of {}:\n{}\nEnvoy's log:\n{}",
        failures.len(),
        vectors.len(),
        failures.join("\n"),
        gateway.log_tail()
    );
    assert!(vectors.len() > 5000, "only {} vectors ran", vectors.len());
    assert!(skipped < 10, "{skipped} vectors were skipped");
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let tally = tallies.get(name).expect("vectors of every algorithm");
        assert!(tally.good > 0 && tally.bad > 20, "few vectors of {name}");
        let asked = tally.bad_by_host > 10;
        assert_eq!(asked, for_the_host(algorithm), "the host and {name}");
    }
}

/// Whether Envoy's `verify_signature` is for this algorithm.
fn for_the_host(algorithm: Algorithm) -> bool {
    ["RS", "ES"].contains(&&algorithm.name()[..2])
}

/// For each vector whether it is a signature, and whether the host said so; or what went wrong.
fn judge(port: u16, vectors: &[Vector]) -> Vec<Result<(bool, bool), String>> {
    let mut connection = None;
    let verdict = |vector| {
        let open = match &mut connection {
            Some(open) => open,
            none => none.insert(Connection::open(port).map_err(|error| error.to_string())?),
        };
        let answer = open.send(&question(vector)).map_err(|error| {
            connection = None;
            error.to_string()
        })?;
        let by_host = match answer.header("x-test-hook-verified-by").as_deref() {
            Some("host") => true,
            Some("rust") => false,
            other => return Err(format!("{} by {other:?}", answer.status)),
        };
        match answer.status {
            200 => Ok((true, by_host)),
            403 => Ok((false, by_host)),
            other => Err(format!("the answer was {other}")),
        }
    };
    vectors.iter().map(verdict).collect()
}

fn question(vector: &Vector) -> Request {
    get("/")
        .header("x-test-hook", "signature")
        .header("x-test-hook-algorithm", vector.algorithm.name())
        .header("x-test-hook-jwks", encode(vector.jwks()))
        .header("x-test-hook-message", encode(&vector.message))
        .header("x-test-hook-signature", encode(&vector.signature))
}
