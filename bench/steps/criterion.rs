//! How long each step takes: `make steps`.

mod steps;

use bench::Result;
use criterion::Criterion;

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    for mut step in steps::all()? {
        criterion.bench_function(step.name, |bencher| bencher.iter(&mut step.run));
    }
    criterion.final_summary();
    Ok(())
}
