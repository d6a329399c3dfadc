//! Throughput of one worker, and latency at a rate that all variants keep up with.

use std::time::Duration;

use bench::Result;
use bench::envoy::Envoy;
use bench::load::{ClosedLoop, open_loop};
use bench::statistics::{Median, quantile};
use bench::traffic::{Supply, Traffic};

/// The figures of one variant.
pub struct Row {
    pub what: &'static str,
    pub throughput: Median,
    /// Microseconds.
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

struct Variant {
    what: &'static str,
    listener: &'static str,
    supply: fn(&Traffic) -> &Supply,
}

const VARIANTS: [Variant; 9] = [
    Variant {
        what: "no filter",
        listener: "none",
        supply: |t| &t.one_token,
    },
    Variant {
        what: "no-op module",
        listener: "noop",
        supply: |t| &t.one_token,
    },
    Variant {
        what: "native, default settings",
        listener: "native",
        supply: |t| &t.one_token,
    },
    Variant {
        what: "native, its cache on",
        listener: "native-cached",
        supply: |t| &t.one_token,
    },
    Variant {
        what: "Portcullis, warm: one token",
        listener: "portcullis",
        supply: |t| &t.one_token,
    },
    Variant {
        what: "Portcullis, cold: tokens never seen, RS256",
        listener: "portcullis-new",
        supply: |t| &t.new_rs256,
    },
    Variant {
        what: "ext_authz over HTTP, introspection: 99 of 100 answers known",
        listener: "ext-authz-http",
        supply: |t| &t.opaque,
    },
    Variant {
        what: "ext_authz over gRPC, introspection: 99 of 100 answers known",
        listener: "ext-authz-grpc",
        supply: |t| &t.opaque,
    },
    Variant {
        what: "Portcullis, introspection: 99 of 100 answers known",
        listener: "portcullis-introspection",
        supply: |t| &t.opaque,
    },
];

/// The turns, and what each of them gives to a variant.
const TURNS: usize = 5;
const CLOSED: Duration = Duration::from_millis(800);
const OPEN: Duration = Duration::from_millis(2000);

/// Enough for every known credential to be known.
const WARM_UP: usize = 200;

/// Enough to have the worker always busy.
const CONNECTIONS: usize = 16;

/// Measures the variants in turns. `rate` is that of the latencies, in requests per second.
pub fn measure(envoy: &Envoy, traffic: &Traffic, rate: f64) -> Result<Vec<Row>> {
    let mut throughputs = vec![Vec::new(); VARIANTS.len()];
    let mut latencies = vec![Vec::new(); VARIANTS.len()];
    for turn in 0..TURNS {
        eprint!("\r    turn {} of {TURNS} ", turn + 1);
        let samples = throughputs.iter_mut().zip(&mut latencies);
        for (variant, (throughputs, latencies)) in VARIANTS.iter().zip(samples) {
            let (port, supply) = (envoy.port(variant.listener)?, (variant.supply)(traffic));
            let mut load = ClosedLoop::open(port, CONNECTIONS)?;
            load.run(supply, WARM_UP)?;
            throughputs.push(load.throughput(supply, CLOSED)?);
            latencies.append(&mut open_loop(port, supply, rate, OPEN)?);
        }
    }
    eprintln!();
    let samples = throughputs.into_iter().zip(latencies);
    let rows = VARIANTS.iter().zip(samples);
    Ok(rows
        .map(|(variant, (throughputs, mut latencies))| {
            latencies.sort_by(f64::total_cmp);
            Row {
                what: variant.what,
                throughput: Median::of(&throughputs),
                p50: quantile(&latencies, 0.5),
                p99: quantile(&latencies, 0.99),
                p999: quantile(&latencies, 0.999),
            }
        })
        .collect())
}
