//! What the size of a lease costs: a thousand Envoys spend from one ledger over a network that loses, doubles and
//! delays messages, with clocks that differ, and processes that are lost. `make simulate` runs it.

mod ledger;
mod map;
mod random;
mod world;

use portcullis_core::ledger::terms::LeaseSize;

use crate::world::{Setup, World};

/// In millionths of the limit, as they are written.
const LEASES: [(u64, &str); 6] = [
    (500, "0.05%"),
    (2_000, "0.2%"),
    (10_000, "1%"),
    (20_000, "2%"),
    (50_000, "5%"),
    (100_000, "10%"),
];

const SETUP: Setup = Setup {
    seed: 1,
    envoys: 1000,
    workers: 2,
    callers: 50,
    envoys_per_caller: 1000,
    requests_per_second: 1000,
    demand: 80,
    window: 300,
    windows: 2,
    lease: LeaseSize::Share(20_000),
    allow_local: false,
    lost: 5,
    doubled: 5,
    late: 5,
    skew: 2000,
    wrong_clocks: 1,
    deaths: 100,
    beyond: 0,
    outages: false,
};

fn main() {
    println!(
        "| Envoys that meet a caller | lease | overspent | calls | waited | 503 | 429 with budget left | unspent |\n\
         |---|---|---|---|---|---|---|---|"
    );
    for envoys_per_caller in [1, 10, 100, 1000] {
        for (millionths, name) in LEASES {
            let [below, above] = [80, 120].map(|demand| {
                World::run(Setup {
                    envoys_per_caller,
                    lease: LeaseSize::Share(millionths),
                    demand,
                    ..SETUP
                })
            });
            let per_mille = |n: u64| format!("{:.1}", 1000.0 * n as f64 / below.requests as f64);
            println!(
                "| {envoys_per_caller} | {name} | {} | {} | {} | {} | {} | {:.1}% |",
                below.overspent.max(above.overspent),
                per_mille(below.calls),
                per_mille(below.waits),
                per_mille(below.unavailable),
                per_mille(below.refused_with_budget_left),
                above.unspent as f64 / 10.0,
            );
        }
    }
}
