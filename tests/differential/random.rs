//! Cases that a number reproduces.

use std::env;

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to choose test cases by.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// `DIFFERENTIAL_CASES`, or this many.
pub fn cases(short: usize) -> usize {
    setting("DIFFERENTIAL_CASES").map_or(short, |cases| cases.try_into().expect("a usize"))
}

/// `DIFFERENTIAL_SEED`, or the same in every run: what fails on one machine fails on all.
pub fn seed() -> u64 {
    setting("DIFFERENTIAL_SEED").unwrap_or(1)
}

fn setting(name: &str) -> Option<u64> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}
