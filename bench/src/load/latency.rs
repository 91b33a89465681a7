//! Latency distribution of a cell.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

/// Longest latency that is told apart; a longer one counts as this.
const LONGEST: Duration = Duration::from_secs(120);

/// Microseconds in an HDR histogram of three significant digits.
#[derive(Debug, Clone)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    /// An empty distribution.
    ///
    /// # Errors
    /// Never with the constants of this file.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, micros(LONGEST), 3)?))
    }

    /// Counts one latency.
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(micros(latency).max(1));
    }

    /// Counts what `other` counted too.
    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency in milliseconds below which `quantile` (0 to 1) of all lie.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The median; the mean of the middle two when their number is even. 0 for none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quantiles_are_within_three_digits() {
        let mut latency = Latency::new().unwrap();
        for micros in 1..=100_000 {
            latency.record(Duration::from_micros(micros));
        }
        assert_eq!(latency.count(), 100_000);
        assert!((latency.quantile_ms(0.5) - 50.0).abs() < 0.05);
        assert!((latency.quantile_ms(0.99) - 99.0).abs() < 0.1);
    }

    #[test]
    fn what_is_longer_than_the_range_is_counted_as_the_longest() {
        let mut latency = Latency::new().unwrap();
        latency.record(Duration::from_secs(3600));
        latency.record(Duration::ZERO);
        assert_eq!(latency.count(), 2);
        assert!(latency.quantile_ms(1.0) > 119_000.0);
    }

    #[test]
    fn median_of_odd_even_and_none() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }
}
