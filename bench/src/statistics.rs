//! Medians and their confidence intervals.

/// The median, with an interval that holds the true one in 95 of 100 runs. It assumes nothing about the noise.
#[derive(Clone, Copy, Debug)]
pub struct Median {
    /// The median of the samples.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Median {
    /// Of samples in any order.
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len() as f64;
        // How many samples fall below the true median is binomial: the ranks of the interval's ends.
        let below = ((count - 1.96 * count.sqrt()) / 2.0).floor().max(0.0) as usize;
        let at = |rank: usize| sorted.get(rank).copied().unwrap_or(f64::NAN);
        Median {
            value: quantile(&sorted, 0.5),
            low: at(below),
            high: at(sorted.len().saturating_sub(below + 1)),
        }
    }
}

/// Interpolated between the two nearest samples, which are in ascending order.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    let rank = share * last;
    let at = |rank: f64| sorted.get(rank as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(rank.floor()), at(rank.ceil()));
    low + (high - low) * rank.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_nearest_samples() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&sorted, 0.0), 1.0);
        assert_eq!(quantile(&sorted, 0.5), 2.5);
        assert_eq!(quantile(&sorted, 1.0), 4.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn an_outlier_moves_neither_the_median_nor_its_interval() {
        let mut samples: Vec<f64> = (1..=25).map(f64::from).collect();
        samples[24] = 1e9;
        let median = Median::of(&samples);
        assert_eq!((median.low, median.value, median.high), (8.0, 13.0, 18.0));
    }
}
