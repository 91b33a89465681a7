//! Times by classes, each twice as wide as the one before: small to keep, and to add up over workers
//! and minutes. No clock: what was measured is passed in.

use std::time::Duration;

/// Below 1 ms, below 2 ms, and so on to below 2^22 ms (70 minutes), and everything above. A constraint
/// of `job_figures` has the number too.
pub(super) const CLASSES: usize = 24;

/// How often times of each class were seen, and the longest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    pub(super) counts: [u64; CLASSES],
    pub(super) max: Duration,
}

impl Histogram {
    /// Counts one time.
    pub fn record(&mut self, time: Duration) {
        let bits = u128::BITS - time.as_millis().leading_zeros();
        let class = usize::try_from(bits).unwrap_or(usize::MAX).min(CLASSES - 1);
        self.counts[class] += 1;
        self.max = self.max.max(time);
    }

    /// Counts everything that `other` has counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.max = self.max.max(other.max);
    }

    /// A time that at least `percent` of those counted did not exceed: the upper end of the class in
    /// which the exact one lies, so less than twice as long, or 1 ms. `None` when none was counted.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let total: u64 = self.counts.iter().sum();
        let rank = total.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0;
        let class = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        if class == CLASSES - 1 {
            return Some(self.max);
        }
        Some(Duration::from_millis(1 << class).min(self.max))
    }

    /// The longest time counted. `None` when none was.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        self.counts.iter().any(|count| *count > 0).then_some(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn of(times: impl IntoIterator<Item = Duration>) -> Histogram {
        let mut all = Histogram::default();
        times.into_iter().for_each(|time| all.record(time));
        all
    }

    #[test]
    fn a_class_begins_with_each_power_of_two_of_milliseconds() {
        let class = |time| of([time]).counts.iter().position(|count| *count == 1).unwrap();
        assert_eq!(class(Duration::ZERO), 0);
        assert_eq!(class(MS - Duration::from_nanos(1)), 0);
        assert_eq!(class(MS), 1);
        for power in 1..22 {
            let begin = MS * (1 << power);
            assert_eq!(class(begin - Duration::from_nanos(1)), power);
            assert_eq!(class(begin), power + 1);
        }
        assert_eq!(class(MS * (1 << 23)), CLASSES - 1);
        assert_eq!(class(Duration::MAX), CLASSES - 1);
    }

    #[test]
    fn a_percentile_is_above_the_exact_one_and_less_than_twice_as_long() {
        let all = of((1..=1000).map(|n| MS * n));
        for percent in [1, 10, 50, 90, 99, 100] {
            let exact = MS * u32::try_from(percent).unwrap() * 10;
            let found = all.percentile(percent).unwrap();
            assert!(found >= exact && found < exact * 2, "{percent}: {found:?}");
        }
        assert_eq!(all.percentile(100), all.longest());
    }

    #[test]
    fn nothing_has_no_percentile_and_one_time_is_all_of_them() {
        let none = Histogram::default();
        assert_eq!((none.percentile(50), none.longest()), (None, None));
        for time in [Duration::ZERO, MS * 3, Duration::from_secs(86_400)] {
            let one = of([time]);
            assert_eq!((one.percentile(1), one.percentile(99)), (Some(time), Some(time)));
        }
    }

    #[test]
    fn a_rare_long_time_shows_in_the_longest_alone() {
        let all = of((0..999).map(|_| MS * 3).chain([Duration::from_secs(60)]));
        assert_eq!(all.percentile(50), Some(MS * 4));
        assert_eq!(all.percentile(99), Some(MS * 4));
        assert_eq!(all.longest(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn two_added_up_are_as_if_counted_together() {
        let (few, many) = ((0..7).map(|n| MS * n), (0..90).map(|n| MS * n * n));
        let mut sum = of(few.clone());
        sum.add(&of(many.clone()));
        assert_eq!(sum, of(few.chain(many)));
    }
}
