//! The clients that a flood must not hurt: steady, each kind on connections of its own.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use bench::issuer::{Algorithm, Issuer, SCOPES};
use bench::load::{ClosedLoop, Outcome, Pace};
use bench::statistics::quantile;
use bench::traffic::{Supply, api_key, bearer, path_of_rule, with_key};
use bench::{Result, clock};

/// Opaque tokens, in turn; each is asked about again once a second.
const TOKENS: usize = 10;

/// Connections of each kind: so many that no request waits for one, unless Envoy is hundreds of milliseconds behind.
const CONNECTIONS: usize = 32;

/// How long after a run its last answers are awaited.
const OVERTIME: Duration = Duration::from_secs(5);

/// With an Envoy that has just been started.
const PATIENCE: Duration = Duration::from_secs(20);

/// Good clients of one kind.
pub struct Client {
    pub what: &'static str,
    supply: Supply,
    rate: f64,
}

/// What became of the requests of one kind of client.
pub struct Served {
    pub what: &'static str,
    pub due: usize,
    pub passed: usize,
    /// What became of the rest.
    pub rest: BTreeMap<String, usize>,
    /// Microseconds, of those that passed.
    pub p50: f64,
    pub p99: f64,
}

/// The three kinds: JWTs, opaque tokens, API keys.
pub fn clients(issuer: &Issuer) -> Result<Vec<Client>> {
    let jwt = bearer(&issuer.token(Algorithm::Rs256, "known", SCOPES)?);
    let opaque = (0..TOKENS).map(|i| bearer(&format!("good-{i:02}-mF9B5f41JqMSlAV32hkKGx0r")));
    let key = with_key(&api_key(0), &path_of_rule(0));
    let client = |what, requests, rate| Client {
        what,
        supply: Supply::in_turn(requests),
        rate,
    };
    Ok(vec![
        client("JWT", vec![jwt], 100.0),
        client("opaque token", opaque.collect(), 50.0),
        client("API key", vec![key], 100.0),
    ])
}

/// Every credential once, so that they are known when a flood begins. The first requests of an Envoy may have to wait for
/// keys, lists and answers longer than the filter does.
pub fn introduce(clients: &[Client], port: u16) -> Result<()> {
    for client in clients {
        let count = client.supply.distinct();
        let mut last = Ok(());
        let introduced = clock::poll(PATIENCE, || {
            let load = ClosedLoop::open(port, count);
            last = load.and_then(|mut load| load.run(&client.supply, count));
            last.is_ok().then_some(())
        });
        if introduced.is_none() {
            return last;
        }
    }
    Ok(())
}

/// All kinds at once.
pub fn serve(clients: &[Client], port: u16, time: Duration) -> Result<Vec<Served>> {
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter()
            .map(|client| scope.spawn(move || client.serve(port, time)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a client died")?)
            .collect()
    })
}

impl Client {
    fn serve(&self, port: u16, time: Duration) -> Result<Served> {
        let pace = Pace {
            rate: self.rate,
            time,
            overtime: OVERTIME,
            connections: CONNECTIONS,
        };
        let outcomes = pace.send(port, &self.supply)?;
        let (passed, rest): (Vec<&Outcome>, Vec<&Outcome>) = outcomes
            .iter()
            .partition(|o| o.verdict.as_ref().is_some_and(|v| v.status == 200));
        let mut codes = BTreeMap::new();
        for outcome in rest {
            *codes.entry(outcome.to_string()).or_default() += 1;
        }
        let unsent = pace.count() - outcomes.len();
        if unsent > 0 {
            codes.insert("never sent".to_owned(), unsent);
        }
        let mut latencies: Vec<f64> = passed.iter().map(|outcome| outcome.micros).collect();
        latencies.sort_by(f64::total_cmp);
        Ok(Served {
            what: self.what,
            due: pace.count(),
            passed: latencies.len(),
            rest: codes,
            p50: quantile(&latencies, 0.5),
            p99: quantile(&latencies, 0.99),
        })
    }
}
