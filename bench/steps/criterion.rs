//! How long each step takes: `make steps`.

#[path = "../src/issuer.rs"]
mod issuer;
mod steps;

use criterion::Criterion;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    for mut step in steps::all()? {
        criterion.bench_function(step.name, |bencher| bencher.iter(&mut step.run));
    }
    criterion.final_summary();
    Ok(())
}
