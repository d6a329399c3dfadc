//! What a worker's caches take when they are full.

use bench::Result;
use bench::envoy::Envoy;
use bench::load::ClosedLoop;
use bench::traffic::{Supply, Traffic};

/// How much memory a full cache takes.
pub struct Growth {
    pub what: &'static str,
    /// Of Envoy's resident memory.
    pub bytes: u64,
}

/// How many a worker remembers of each by default.
pub const ENTRIES: usize = 4096;

const CONNECTIONS: usize = 8;

/// To be called before anything else is sent, because a VM keeps the memory that it once had.
pub fn measure(envoy: &Envoy, traffic: &Traffic) -> Result<Vec<Growth>> {
    let growth = |what, listener, supply| -> Result<Growth> {
        let bytes = fill(envoy, listener, supply)?;
        Ok(Growth { what, bytes })
    };
    Ok(vec![
        growth(
            "verified tokens of some 800 bytes",
            "portcullis-new",
            &traffic.new_rs256,
        )?,
        growth(
            "answers of an introspection endpoint",
            "portcullis-introspection",
            &traffic.many_opaque,
        )?,
    ])
}

fn fill(envoy: &Envoy, listener: &str, supply: &Supply) -> Result<u64> {
    let mut load = ClosedLoop::open(envoy.port(listener)?, CONNECTIONS)?;
    // Connections have their own buffers.
    load.run(supply, CONNECTIONS)?;
    let before = envoy.resident()?;
    load.run(supply, supply.distinct())?;
    Ok(envoy.resident()?.saturating_sub(before))
}
